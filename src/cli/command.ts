/** The command. Modules of a subcommand are loaded on demand, so that each starts quickly. */
import cluster from 'node:cluster';
import { commandName } from '../common/command-name.ts';
import { complain, EXIT, StartError } from '../common/errors.ts';
import { readConfig, unknownSettings } from '../config/config.ts';
import { describeConfig, settingsHelp } from '../config/reference.ts';
import type { ToPrimary } from '../ipc.ts';
import { WORKER_SLOT } from '../primary/worker-env.ts';
import { serve, transportOf, version } from './serve.ts';

function help(): string {
  const me = commandName();
  return `Forebay receives JSON events over WebSocket and HTTP and writes them to Apache Kafka.

usage: ${me}            run the gateway
       ${me} config     print the effective settings without secrets, and check their files
       ${me} health     check that the gateway with these settings is alive; --ready: ready
       ${me} micro      run it in one process without Kafka, for tests; see micro --help
       ${me} doctor     check step by step what these settings depend on; see doctor --help
       ${me} listen     print the events of the topic; see listen --help
       ${me} replay     produce dead letters that pass now to their stream; see replay --help
       ${me} key new    create an API key; see key --help
       ${me} schema     try a schema on stored events, test it with examples; see schema --help
       ${me} streams    check, compare, specify stream files; see streams --help
       ${me} --help     this text
       ${me} --version

settings (environment variables) [default]:
${settingsHelp()}
`;
}

/** @returns the exit code */
async function run(main: string, [command, ...rest]: readonly string[]): Promise<number> {
  if (command === 'listen') {
    const { runListen } = await import('./listen/listen.ts');
    return runListen(rest);
  }
  if (command === 'replay') {
    const { runReplay } = await import('./replay/command.ts');
    return runReplay(rest);
  }
  if (command === 'key') {
    const { runKey } = await import('./api-keys/command.ts');
    return runKey(rest);
  }
  if (command === 'streams') {
    const { runStreams } = await import('./streams/command.ts');
    return runStreams(rest);
  }
  if (command === 'schema') {
    const { runSchema } = await import('./schema/command.ts');
    return runSchema(rest);
  }
  if (command === 'doctor') {
    const { runDoctor } = await import('./doctor/command.ts');
    return runDoctor(rest, version());
  }
  if (command === 'health') {
    const { runHealth } = await import('./health.ts');
    return runHealth(rest);
  }
  if (command === 'micro') {
    const { runMicro } = await import('./micro/command.ts');
    return runMicro(rest, () => readConfig(process.env));
  }
  if (rest.length > 0) throw usage(`${command} takes no arguments`);
  switch (command) {
    case undefined:
      return serve(main, readConfig(process.env));
    case 'config':
      return showConfig();
    case '--help':
    case '-h':
      console.log(help());
      return EXIT.clean;
    case '--version':
      console.log(version());
      return EXIT.clean;
    default:
      throw usage(`unknown command ${JSON.stringify(command)}`);
  }
}

/** The command `config`. @throws StartError (exit code 2) for invalid settings or files */
async function showConfig(): Promise<number> {
  for (const warning of unknownSettings(process.env)) complain(warning);
  const config = readConfig(process.env);
  const { name: transport, warnings } = await transportOf(config);
  console.log(describeConfig({ ...config, transport }).join('\n'));
  for (const warning of warnings) complain(warning);
  const { checkFiles } = await import('../config/file-check.ts');
  try {
    const { schema, certificates, keys, streams } = await checkFiles(config);
    const { ignored, unmatchable } = schema;
    const ofStreams = streams?.warnings ?? [];
    const ofSchema = [...unmatchable, ...ignored];
    for (const warning of [...ofSchema, ...certificates, ...keys, ...ofStreams]) {
      complain(warning);
    }
    return EXIT.clean;
  } catch (error) {
    if (!(error instanceof StartError)) throw error;
    throw new StartError(error.message, EXIT.configuration);
  }
}

function usage(message: string): StartError {
  return new StartError(`${message}; see ${commandName()} --help`, EXIT.configuration);
}

/** Runs a worker; reports a failed start to the primary, which logs it once for all workers. */
async function work(): Promise<void> {
  try {
    const { runWorker } = await import('../worker/worker.ts');
    await runWorker(readConfig(process.env));
  } catch (error) {
    if (!(error instanceof StartError)) throw error;
    const { message, exitCode } = error;
    const fatal: ToPrimary = { type: 'fatal', message, exitCode };
    process.send?.(fatal, undefined, undefined, () => process.exit(exitCode));
  }
}

/**
 * Runs a worker, or the command of the arguments, and exits.
 * @param main file that workers run
 */
export async function start(main: string): Promise<void> {
  if (cluster.isWorker && process.env[WORKER_SLOT] !== undefined) return work();
  try {
    process.exit(await run(main, process.argv.slice(2)));
  } catch (error) {
    if (!(error instanceof StartError)) throw error;
    complain(error.message);
    process.exit(error.exitCode);
  }
}
