/** Command line of `schema try`. */

import { PATH, readOptions, shown, type ValueOption, wholeNumber } from '../command-line.ts';
import { STREAM, TOPIC } from '../listen/arguments.ts';
import { parseStart, TIME_EXPECTED } from '../listen/start.ts';
import { TRY_LIMITS } from './limits.ts';
import { wrongUsage } from './usage.ts';

export interface TryOptions {
  /** Schema file to try. */
  readonly schema: string;
  /** Stream of the stream file; undefined = its only stream, or the topic. */
  readonly stream: string | undefined;
  /** Topic of an installation without a stream file. */
  readonly topic: string | undefined;
  /** Stream file; undefined = that of the settings. */
  readonly streamsFile: string | undefined;
  /** Start of the range, in milliseconds since 1970. */
  readonly from: 'beginning' | number;
  /** End of the range, in milliseconds since 1970; undefined = the start of the command. */
  readonly to: number | undefined;
  /** Maximum number of stored events, and of dead letters; undefined = all in the range. */
  readonly limit: number | undefined;
  /** Maximum number of examples for each reason. */
  readonly examples: number;
  /** Whether the examples show the event. */
  readonly values: boolean;
  readonly json: boolean;
  readonly help: boolean;
}

const HOUR_MS = 3_600_000;
const EXAMPLES = 3;
/** Fifteen digits, which a number represents exactly. */
const LIMIT_MAX = 999_999_999_999_999;

/**
 * Parses the arguments that follow `schema try`.
 * @param nowMs reference time of `--from -1h`
 * @throws StartError (exit code 2), one line that names the option, if they are invalid
 */
export function parseTryArguments(argv: readonly string[], nowMs = Date.now()): TryOptions {
  const { values, positionals, help } = readOptions(argv, optionsAt(nowMs), wrongUsage);
  const { stream, topic, 'streams-file': streamsFile, to, limit, json } = values;
  const { from = nowMs - HOUR_MS, examples = EXAMPLES, 'no-values': isHidden } = values;
  const [schema = '', unexpected] = positionals;
  const range = { from, to, limit, examples, values: !isHidden, json };
  const options = { schema, stream, topic, streamsFile, ...range, help };
  if (!help) demandSense(options, unexpected);
  return options;
}

function demandSense(options: TryOptions, unexpected: string | undefined): void {
  const { schema, stream, topic, streamsFile, from, to } = options;
  if (unexpected !== undefined) throw wrongUsage(`unexpected argument ${shown(unexpected)}`);
  if (schema === '') throw wrongUsage('the schema file is missing');
  if (topic !== undefined && stream !== undefined) {
    throw wrongUsage('--topic and --stream are mutually exclusive: a stream has its own topic');
  }
  if (topic !== undefined && streamsFile !== undefined) {
    throw wrongUsage('--topic and --streams-file are mutually exclusive');
  }
  if (to !== undefined && from !== 'beginning' && to <= from) {
    throw wrongUsage('--to must be later than --from');
  }
}

function optionsAt(nowMs: number) {
  const from: ValueOption<'beginning' | number> = {
    expects: `beginning, ${TIME_EXPECTED}`,
    read: (given) => {
      const start = parseStart(given, nowMs);
      return start === 'end' ? undefined : start;
    },
  };
  const to: ValueOption<number> = {
    expects: TIME_EXPECTED,
    read: (given) => {
      const end = parseStart(given, nowMs);
      return typeof end === 'number' ? end : undefined;
    },
  };
  return {
    stream: STREAM,
    topic: TOPIC,
    'streams-file': PATH,
    from,
    to,
    limit: wholeNumber(1, LIMIT_MAX),
    examples: wholeNumber(0, TRY_LIMITS.examples),
    'no-values': 'flag',
    json: 'flag',
  } as const;
}
