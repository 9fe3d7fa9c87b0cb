/** Runs the gateway: reads what its primary needs, and starts it. */
import cluster from 'node:cluster';
import { readFileSync } from 'node:fs';
import { EXIT, StartError } from '../common/errors.ts';
import { type Config, unknownSettings } from '../config/config.ts';
import type { SingleProcess } from '../primary/options.ts';

/** Creates the parts of an instance in one process. */
export type CreateSingleProcess = (chosen: {
  readonly transport: Config['transport'];
}) => SingleProcess;

/**
 * Runs a gateway until it is stopped.
 * @param exec file that worker processes run
 * @param singleProcess creates its only worker in this process; undefined = workers are processes
 * @returns the exit code
 * @throws StartError if it fails to start
 */
export async function serve(
  exec: string,
  config: Config,
  singleProcess?: CreateSingleProcess,
): Promise<number> {
  demandPrimary();
  const { runPrimary } = await import('../primary/primary.ts');
  const { checkFiles, loadStreams } = await import('../config/file-check.ts');
  const { name: transport, warnings } = await transportOf(config);
  const registry = await registryOf(config);
  return runPrimary(config, {
    exec,
    version: version(),
    transport,
    warnings: [...unknownSettings(process.env), ...warnings],
    checkFiles: () => checkFiles(config, registry),
    loadStreams: (keys) => loadStreams(config, keys, registry),
    registry,
    singleProcess: singleProcess?.({ transport }),
  });
}

/**
 * Rejects a process that cannot fork workers: one forked by another program's cluster.
 * @throws StartError
 */
function demandPrimary(): void {
  if (cluster.isPrimary) return;
  const problem =
    process.channel === undefined
      ? 'NODE_UNIQUE_ID is set, as in a worker of node:cluster: unset it'
      : 'started as a worker of another program’s cluster (pm2 in cluster mode, node:cluster): start ' +
        'it as one plain process (pm2 in fork mode, without -i), which forks FOREBAY_WORKERS workers';
  throw new StartError(problem, EXIT.configuration);
}

/** Opens the schema registry, if streams can use one. @throws StartError for unusable files */
async function registryOf(config: Config) {
  if (config.streamsFile === undefined || config.schemaRegistryUrl === undefined) return undefined;
  const { openRegistry } = await import('../schema-registry/open.ts');
  return openRegistry(config);
}

/** Chooses the transport for all workers, with a warning if it is not the fast one. */
export async function transportOf(config: Config) {
  const { chooseTransport } = await import('../worker/ingress/transport/choose-transport.ts');
  const { name, reason } = chooseTransport(config.transport);
  return { name, warnings: reason === undefined ? [] : [`transport: ${name}: ${reason}`] };
}

/** Returns the version of Forebay. */
export function version(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}
