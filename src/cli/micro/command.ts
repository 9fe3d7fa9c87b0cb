/** The command `micro`: the gateway in one process, with a log in place of Kafka. */
import { join } from 'node:path';
import { complain, EXIT } from '../../common/errors.ts';
import { StateLock } from '../../common/state-lock.ts';
import type { Config } from '../../config/config.ts';
import { KIB } from '../../config/limits.ts';
import { createLogger } from '../../logging/logger.ts';
import { EventLog } from '../../micro/event-log.ts';
import { InProcessWorker } from '../../micro/in-process-worker.ts';
import { MicroStorage } from '../../micro/micro-storage.ts';
import { microRoutes } from '../../micro/routes.ts';
import { adminEndpoint, urlOf } from '../../primary/ports.ts';
import { startWorker } from '../../worker/worker.ts';
import { serve } from '../serve.ts';
import { type MicroOptions, microHelp, parseMicroArguments } from './arguments.ts';

/** Stands in each log line for the name of a process, and on pages for the brokers. */
const NAME = 'forebay micro, not Kafka';
const LOCK_USER = { command: 'micro', activity: 'using this folder' };

/**
 * Runs until it is stopped.
 * @param argv arguments after `micro`
 * @param settings the settings of the gateway
 * @returns the exit code
 * @throws StartError for invalid options, settings or files
 */
export async function runMicro(argv: readonly string[], settings: () => Config): Promise<number> {
  const options = parseMicroArguments(argv);
  if (options.help) {
    process.stdout.write(microHelp());
    return EXIT.clean;
  }
  const given = settings();
  const logPretty = given.logPretty || (!process.env.LOG_PRETTY && process.stdout.isTTY === true);
  const config = { ...given, logPretty, workers: 1, kafkaBrokers: [NAME] };
  const { data: folder, maxBytes } = options;
  const lock = folder === undefined ? undefined : new StateLock(join(folder, 'lock'), LOCK_USER);
  let log: EventLog | undefined;
  try {
    log = new EventLog({ maxBytes, folder });
    for (const line of bannerOf(config, options, process.env)) complain(line);
    return await serveWith(config, log);
  } finally {
    log?.close();
    lock?.release();
  }
}

function serveWith(config: Config, log: EventLog): Promise<number> {
  const storage = new MicroStorage(log, config);
  return serve('', config, ({ transport }) => {
    const workerConfig = { ...config, transport };
    const parts = { log: createLogger(config, NAME), storage };
    return {
      name: NAME,
      createWorker: (...handlers) =>
        new InProcessWorker(...handlers, (channel) =>
          startWorker(workerConfig, { ...parts, channel }),
        ),
      routes: microRoutes(log, () => storage.streams),
    };
  });
}

/** Returns the lines that say what this is, and what it is not. */
export function bannerOf(
  config: Pick<Config, 'host' | 'port' | 'adminHost' | 'adminPort'>,
  { data, maxBytes }: MicroOptions,
  env: Readonly<Record<string, string | undefined>>,
): string[] {
  const admin = urlOf(adminEndpoint(config as Config));
  const where =
    data === undefined
      ? 'in the memory of this process, and gone when it ends'
      : `in ${data}, written without waiting for the disk (no fsync)`;
  const bound = `up to ${Math.floor(maxBytes / KIB)} KiB per stream and outcome, then buffer_full`;
  return [
    'micro: THIS IS NOT KAFKA: for development and tests, never for production',
    `micro: events are ${where}; ${bound}`,
    `micro: events ${admin}micro/events, live view ${admin}, test page and clients port ${config.port}`,
    ...(env.KAFKA_BROKERS ? ['micro: KAFKA_BROKERS is ignored'] : []),
  ];
}
