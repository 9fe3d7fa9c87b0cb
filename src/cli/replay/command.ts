/** The command `replay`: produces dead letters that pass validation now to their stream. */
import { homedir } from 'node:os';
import { join } from 'node:path';
import { Kafka } from 'kafkajs';
import { pino } from 'pino';
import { complain, EXIT, StartError } from '../../common/errors.ts';
import { nearest } from '../../common/nearest.ts';
import { processSignals } from '../../common/process-signals.ts';
import { type Config, readConfig, unknownSettings } from '../../config/config.ts';
import { streamLoader } from '../../config/file-check.ts';
import { kafkaOptions } from '../../kafka/client-options.ts';
import '../../kafka/request-queue.ts';
import type { StreamFile, StreamSpec } from '../../streams/stream-file.ts';
import { shown } from '../command-line.ts';
import { Output } from '../listen/output.ts';
import { ProgressBar } from '../progress.ts';
import { parseReplayArguments, type ReplayOptions } from './arguments.ts';
import { replayHelp } from './help.ts';
import { ReplayRun } from './run.ts';
import type { SourceTopic } from './state-file.ts';

/** Retries of kafkajs: few, so that failures are reported soon; the replay retries by itself. */
const RETRY = { retries: 1, initialRetryTime: 100, maxRetryTime: 500 };

/**
 * Runs a replay to its end, or until a signal.
 * @param argv arguments after `replay`
 * @returns the exit code, see replayHelp()
 */
export async function runReplay(argv: readonly string[]): Promise<number> {
  const options = parseReplayArguments(argv);
  if (options.help) {
    process.stdout.write(replayHelp());
    return EXIT.clean;
  }
  for (const warning of unknownSettings(process.env)) complain(warning);
  const config = readConfig(process.env);
  const file = await readStreams(config, complain);
  const source = findStream(file, options.from, true);
  const target = findStream(file, options.stream, false);
  const stop = new AbortController();
  // A second signal finds no handler and terminates the process; the state file allows that.
  for (const signal of processSignals().stop) process.once(signal, () => stop.abort());
  const run: ReplayRun = new ReplayRun({
    options,
    config,
    file,
    source,
    target,
    kafka: new Kafka({ ...kafkaOptions(config), retry: RETRY }),
    log: pino({ level: 'silent' }),
    say: (line) => bar.around(() => complain(line)),
    signal: stop.signal,
    statePath: (topic) => options.state ?? defaultStatePath(topic, process.env),
  });
  const bar = new ProgressBar(process.stderr, () => run.progress);
  bar.begin();
  let failure: unknown;
  const isComplete = await run.run().catch((error: unknown) => {
    failure = error;
    return false;
  });
  bar.end();
  if (run.hasBegun) await print(run, options, isComplete);
  if (failure !== undefined) throw failure;
  if (!isComplete) return EXIT.failed;
  const { failing, notReplayable } = run.report;
  return failing + notReplayable > 0 ? EXIT.mismatch : EXIT.clean;
}

async function print(
  { report, state }: ReplayRun,
  options: ReplayOptions,
  isComplete: boolean,
): Promise<void> {
  const facts = { ...options, isComplete, state };
  const lines = options.json ? [JSON.stringify(report.summary(facts))] : report.lines(facts);
  await new Output(process.stdout, () => {}).write(`${lines.join('\n')}\n`);
}

/** Returns the path of a state file that the user does not name. */
export function defaultStatePath(
  { cluster, topic }: Pick<SourceTopic, 'cluster' | 'topic'>,
  { XDG_STATE_HOME }: NodeJS.ProcessEnv,
): string {
  const folder = XDG_STATE_HOME || join(homedir(), '.local', 'state');
  return join(folder, 'forebay', `replay-${cluster.replace(/[^\w-]/g, '_')}-${topic}.log`);
}

/**
 * Reads the stream file and its schemas as the gateway does.
 * @param say called with each warning
 * @throws StartError (exit code 2 if the file is invalid, 1 if it or the registry is unavailable)
 */
export async function readStreams(
  config: Config,
  say: (line: string) => void,
): Promise<StreamFile> {
  const { streamsFile } = config;
  if (streamsFile === undefined) throw invalid('set FOREBAY_STREAMS_FILE, the file of the streams');
  const load = await streamLoader(config, streamsFile);
  const { file, warnings } = load();
  for (const warning of warnings) say(`warning: ${warning}`);
  return file;
}

/** @throws StartError (exit code 2) if there is no such stream, internal or not */
function findStream(file: StreamFile, name: string, internal: boolean): StreamSpec {
  const found = file.streams.find((stream) => stream.name === name);
  if (found?.internal === internal) return found;
  const names = file.streams.flatMap((stream) => (stream.internal === internal ? stream.name : []));
  const near = nearest(name, names, ({ length }) => Math.ceil(length / 3));
  const hint = near === undefined ? '' : `; did you mean ${near}?`;
  const option = internal ? '--from' : '--stream';
  if (found === undefined) throw invalid(`${option}: there is no stream ${shown(name)}${hint}`);
  const kind = internal ? 'not internal: it has no dead letters' : 'internal: it has no events';
  throw invalid(`${option}: the stream ${shown(name)} is ${kind}${hint}`);
}

function invalid(message: string): StartError {
  return new StartError(`replay: ${message}`, EXIT.configuration);
}
