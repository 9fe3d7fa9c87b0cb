#!/usr/bin/env node
/** The command. What a command needs is loaded when it is called, so that each starts quickly. */
import cluster from 'node:cluster';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describeConfig, readConfig, settingsHelp } from './config.ts';
import { EXIT, StartError } from './errors.ts';
import type { ToPrimary } from './messages.ts';

const HELP = `Forebay takes JSON events over WebSocket and HTTP and writes them to Apache Kafka.

usage: forebay             serve
       forebay config      print the effective settings, secrets hidden
       forebay listen …    print the events of the topic; see forebay listen --help
       forebay --help      this text
       forebay --version

settings (environment variables) [default]:
${settingsHelp()}
`;

/** @returns the exit code */
async function run([command, ...rest]: readonly string[]): Promise<number> {
  if (command === 'listen') {
    const { runListen } = await import('./listen/listen.ts');
    return runListen(rest);
  }
  if (rest.length > 0) throw usage(`${command} takes no arguments`);
  switch (command) {
    case undefined: {
      const { runPrimary } = await import('./primary/primary.ts');
      const exec = fileURLToPath(import.meta.url);
      return runPrimary(readConfig(process.env), { exec, version: version() });
    }
    case 'config':
      console.log(describeConfig(readConfig(process.env)).join('\n'));
      return EXIT.clean;
    case '--help':
    case '-h':
      console.log(HELP);
      return EXIT.clean;
    case '--version':
      console.log(version());
      return EXIT.clean;
    default:
      throw usage(`unknown command ${JSON.stringify(command)}`);
  }
}

function usage(message: string): StartError {
  return new StartError(`${message}; see forebay --help`, EXIT.configuration);
}

function version(): string {
  const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}

/** In a worker: what keeps it from starting is told to the primary, which says it once for all. */
async function work(): Promise<void> {
  try {
    const { runWorker } = await import('./worker/worker.ts');
    await runWorker(readConfig(process.env));
  } catch (error) {
    if (!(error instanceof StartError)) throw error;
    const { message, exitCode } = error;
    const fatal: ToPrimary = { type: 'fatal', message, exitCode };
    process.send?.(fatal, undefined, undefined, () => process.exit(exitCode));
  }
}

if (cluster.isWorker) {
  await work();
} else {
  try {
    process.exit(await run(process.argv.slice(2)));
  } catch (error) {
    if (!(error instanceof StartError)) throw error;
    console.error(`forebay: ${error.message}`);
    process.exit(error.exitCode);
  }
}
