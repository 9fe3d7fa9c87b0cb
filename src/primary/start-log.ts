/** Log lines of the start of an instance. */
import { isLoopback } from '../common/ip-addresses.ts';
import { DEPRECATED_NODE_MAJORS, NODE_MAJORS, nodeMajor } from '../common/node-versions.ts';
import { type Config, requiresAuthentication } from '../config/config.ts';
import type { DeferredLog } from './deferred-log.ts';
import { adminEndpoint, urlOf } from './ports.ts';

const ANY_CLIENT = 'authentication is not configured, accepting any client';
const DEPRECATED = 'Node.js version is deprecated';

/**
 * Writes that the instance has started, with warnings about its environment.
 * @param streams names of the streams of the stream file; undefined = there is none
 */
export function logStart(
  log: Pick<DeferredLog, 'write'>,
  config: Config,
  { version, warnings }: { readonly version: string; readonly warnings: readonly string[] },
  streams: readonly string[] | undefined,
): void {
  const { host, port, workers, kafkaTopic: topic, kafkaBrokers: brokers } = config;
  const liveView = urlOf(adminEndpoint(config));
  const kafka = { ...(streams === undefined ? { topic } : { streams }), brokers };
  log.write('info', { version, host, port, workers, ...kafka, liveView }, 'started');
  for (const warning of warnings) log.write('warn', {}, warning);
  const { node } = process.versions;
  if (DEPRECATED_NODE_MAJORS.includes(nodeMajor(node))) {
    log.write('warn', { node, supported: NODE_MAJORS }, DEPRECATED);
  }
  if (config.tail !== '0') {
    const { tail: access, tailRedact } = config;
    const redaction = typeof tailRedact === 'string' ? tailRedact : 'fields';
    log.write(
      'info',
      { access: access === 'open' ? access : 'token', redaction },
      'live tail is on',
    );
  }
  if (!isLoopback(host) && !requiresAuthentication(config)) {
    log.write('warn', { host }, ANY_CLIENT);
  }
}
