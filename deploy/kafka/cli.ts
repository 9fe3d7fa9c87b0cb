/**
 * `node --import tsx deploy/kafka/cli.ts COMMAND`, for the Makefile:
 *   up [--port 9092]   starts Kafka
 *   down               stops it
 *   run PID            prints the brokers for the gateway that PID becomes, and records it
 *   micro PID          records the `forebay micro` that PID becomes
 *   listen [OPTIONS]   prints settings for `listen` with these options, as lines for a shell
 */
import { join } from 'node:path';
import { readOptions, shown, wholeNumber } from '../../src/cli/command-line.ts';
import { parseListenArguments } from '../../src/cli/listen/arguments.ts';
import { chooseGateway, recordGateway, shellLines } from './gateways.ts';
import { down, PLACE, runningBrokers, up } from './service.ts';
import { NoTools } from './tools.ts';

const TAKE_PID: ReadonlySet<string | undefined> = new Set(['run', 'micro']);
const USAGE = 'usage: make kafka [ARGS="--port 9092"], make kafka-stop';
const say = (line: string) => console.log(line);
/** In the checkout of the Makefile, even if deploy/ is a link. */
const GATEWAYS = join(process.cwd(), '.cache/gateways');
const NO_KAFKA = 'no local Kafka is running: start it with make kafka, or set KAFKA_BROKERS';

/** Exit code of `up` if nothing is installed that could run Kafka. */
const NO_TOOLS = 3;

class UsageError extends Error {}

/** Prints KAFKA_BROKERS if it is set, else the brokers of `up`. */
function printBrokersFor(pid: number): number {
  const brokers = process.env.KAFKA_BROKERS || runningBrokers(PLACE)?.join(',');
  if (brokers === undefined) {
    console.error(NO_KAFKA);
    return 1;
  }
  record(pid, { ...process.env, KAFKA_BROKERS: brokers });
  say(brokers);
  return 0;
}

/** Says that `forebay micro` takes the place of a gateway with Kafka. */
function announceMicro(pid: number): number {
  console.error('starting forebay micro, which is not Kafka: docs/micro.md');
  record(pid, process.env, true);
  return 0;
}

function record(pid: number, env: NodeJS.ProcessEnv, isMicro = false): void {
  try {
    recordGateway(GATEWAYS, pid, env, isMicro);
  } catch (error) {
    console.error(`make listen cannot find this gateway: ${(error as Error).message}`);
  }
}

function printListenSettings(options: readonly string[]): number {
  const topic = topicToRead(options);
  if (topic === 'none') return 0;
  const choice = chooseGateway(GATEWAYS, { ...process.env, ...topic }, runningBrokers(PLACE));
  for (const note of choice.notes) console.error(`forebay: ${note}`);
  const isMicro = choice.micro !== undefined;
  if (!isMicro && !process.env.KAFKA_BROKERS && choice.settings.KAFKA_BROKERS === undefined) {
    console.error(NO_KAFKA);
    return 1;
  }
  process.stdout.write(shellLines(choice));
  return 0;
}

/**
 * Returns KAFKA_TOPIC if options choose a topic; 'none' for options that `listen` answers without
 * Kafka: `--help`, and invalid ones. An empty KAFKA_TOPIC counts as unset.
 */
function topicToRead(options: readonly string[]): { KAFKA_TOPIC?: string } | 'none' {
  try {
    const { help, micro, topic, stream } = parseListenArguments(options);
    if (help || micro !== undefined) return 'none';
    if (topic !== undefined) return { KAFKA_TOPIC: topic };
    return stream === undefined ? {} : { KAFKA_TOPIC: '' };
  } catch {
    return 'none';
  }
}

async function main(argv: readonly string[]): Promise<number> {
  if (argv[0] === 'listen') return printListenSettings(argv.slice(1));
  const options = { port: wholeNumber(1, 65_535) };
  const wrong = (message: string) => new UsageError(message);
  const { values, positionals, help } = readOptions(argv, options, wrong);
  if (help) {
    say(USAGE);
    return 0;
  }
  const unknown = () => wrong(`unknown command ${shown(positionals.join(' '))}`);
  const [command, pid, ...more] = positionals;
  if (more.length > 0 || (pid === undefined) === TAKE_PID.has(command)) throw unknown();
  if (values.port !== undefined && command !== 'up') throw wrong('--port needs the command up');
  switch (command) {
    case 'up': {
      const state = await up(PLACE, say, values.port);
      say(`Kafka is running at ${state.brokers.join(',')} (make kafka-stop stops it)`);
      return 0;
    }
    case 'down':
      say(
        (await down(PLACE))
          ? 'Kafka stopped; its data and port are kept'
          : 'no local Kafka is running',
      );
      return 0;
    case 'run':
      return printBrokersFor(Number(pid));
    case 'micro':
      return announceMicro(Number(pid));
    default:
      throw unknown();
  }
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  const isUsage = error instanceof UsageError;
  const message = error instanceof Error ? error.message : String(error);
  console.error(isUsage ? `kafka: ${message} (${USAGE})` : message);
  process.exitCode = isUsage ? 2 : error instanceof NoTools ? NO_TOOLS : 1;
}
