/** The command `schema`: tries a schema on stored events, and tests it with examples. */
import { commandName } from '../../common/command-name.ts';
import { EXIT } from '../../common/errors.ts';
import { shown } from '../command-line.ts';
import { TRY_LIMITS } from './limits.ts';
import { parseTestArguments } from './test-arguments.ts';
import { parseTryArguments } from './try-arguments.ts';
import { wrongUsage } from './usage.ts';

/** Text of `schema --help`. */
export function schemaHelp(): string {
  const me = commandName();
  return `Usage: ${me} schema try NEW.json [--stream NAME | --topic TOPIC] [--from WHERE]
           [--to TIME] [--limit N] [--examples N] [--no-values] [--json]
       ${me} schema test SCHEMA.json [--good FILE...] [--bad FILE...] [--json]
       ${me} schema test --stream NAME [--good FILE...] [--bad FILE...] [--json]

try      validates the stored events of a stream, and its dead letters with the code schema, as the
         gateway would with the schema NEW.json. Prints how many pass and fail, by reason, with
         examples as PARTITION:OFFSET and the event, and how many of the failing events pass the
         current schema. Changes nothing, and commits no offsets
test     validates examples, without Kafka: the schema must accept all of --good and reject all of
         --bad. A file is a JSON array of events, a single event, or one event per line
         (.ndjson, .jsonl)

  --stream NAME        this stream [the only one of the stream file]
  --streams-file FILE  the stream file [FOREBAY_STREAMS_FILE]
  --topic TOPIC        this topic, without dead letters [KAFKA_TOPIC if there is no stream file]
  --from WHERE         start of the range [-1h]: beginning, an age such as -15m or -7d, or a time
                       such as 2026-11-25T09:30:00Z (UTC by default). Times are record timestamps
  --to TIME            end of the range, an age or a time [now]. Later records are never read
  --limit N            at most N stored events, and N dead letters
  --examples N         up to N examples for each reason, 0 to ${TRY_LIMITS.examples} [3]
  --no-values          examples without the event: its place only
  --json               the report as one JSON object
  --help               this text

Brokers and credentials come from the gateway's environment variables (${me} --help). Ctrl-C ends
try with the report on the events that were read.

Exit codes: 0 all stored events pass, or all examples have the expected result; 1 Kafka or the topic
is unavailable, or try was interrupted; 2 invalid arguments or settings, an unusable schema, or
unreadable examples; 3 a stored event fails, or an example has another result.
`;
}

const SUBCOMMANDS: Readonly<Record<string, (argv: readonly string[]) => Promise<number>>> = {
  try: runTry,
  test: runTest,
};

/**
 * @param argv arguments after `schema`
 * @returns the exit code
 * @throws StartError for invalid arguments, unusable files and an unavailable Kafka
 */
export async function runSchema(argv: readonly string[]): Promise<number> {
  const [name = '', ...rest] = argv;
  if (name === '--help' || name === '-h') return printHelp();
  const run = Object.hasOwn(SUBCOMMANDS, name) ? SUBCOMMANDS[name] : undefined;
  if (run !== undefined) return run(rest);
  const known = Object.keys(SUBCOMMANDS).join(', ');
  const problem = name === '' ? 'the subcommand is missing' : `unknown subcommand ${shown(name)}`;
  throw wrongUsage(`${problem}; there are ${known}`);
}

async function runTry(argv: readonly string[]): Promise<number> {
  const options = parseTryArguments(argv);
  if (options.help) return printHelp();
  const { trySchema } = await import('./try-command.ts');
  return trySchema(options);
}

async function runTest(argv: readonly string[]): Promise<number> {
  const options = parseTestArguments(argv);
  if (options.help) return printHelp();
  const { testSchema } = await import('./test-command.ts');
  return testSchema(options);
}

function printHelp(): number {
  process.stdout.write(schemaHelp());
  return EXIT.clean;
}
