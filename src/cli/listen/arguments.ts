/** Command line of `listen`. */
import { commandName } from '../../common/command-name.ts';
import { attempt, EXIT, StartError } from '../../common/errors.ts';
import { TOPIC_NAME } from '../../config/setting-kinds.ts';
import { STREAM_NAME } from '../../streams/stream-file.ts';
import {
  type ListOption,
  readOptions,
  shown,
  text,
  type ValueOption,
  wholeNumber,
} from '../command-line.ts';
import { type Filter, type HeaderFilter, parseFilter, parseHeaderFilter } from './filter.ts';
import { parseStart, type Start, TIME_EXPECTED } from './start.ts';

export interface ListenOptions {
  /** Admin port of a `forebay micro` whose log is read in place of a topic. */
  readonly micro: string | undefined;
  /** Undefined = that of the stream or the settings. */
  readonly topic: string | undefined;
  /** Stream of the stream file whose topic is read. */
  readonly stream: string | undefined;
  readonly from: Start;
  /** Number of events after which it stops; undefined = until interrupted. */
  readonly count: number | undefined;
  /** Partitions to read; undefined = all. */
  readonly partitions: ReadonlySet<number> | undefined;
  /** Filters; an event is shown, counted and verified only if it matches all of them. */
  readonly filters: readonly Filter[];
  /** Conditions of the same kind on the record headers. */
  readonly headerFilters: readonly HeaderFilter[];
  /** Names of headers that an event must not have. */
  readonly withoutHeaders: readonly string[];
  /** Whether to print the record headers. */
  readonly headers: boolean;
  readonly json: boolean;
  readonly rate: boolean;
  readonly verify: boolean;
  readonly sequenceField: string | undefined;
  readonly help: boolean;
}

/** Maximum of Kafka's 32-bit partition numbers. */
const PARTITION_MAX = 2 ** 31 - 1;
/** Fifteen digits, which a number represents exactly. */
const COUNT_MAX = 999_999_999_999_999;

/**
 * Parses the arguments that follow `listen`.
 * @param nowMs reference time of `--from -15m`
 * @throws StartError (exit code 2), one line that names the option, if they are invalid
 */
export function parseListenArguments(argv: readonly string[], nowMs = Date.now()): ListenOptions {
  const { values, positionals, help } = readOptions(argv, optionsAt(nowMs), wrong);
  const {
    micro,
    topic,
    stream,
    from = 'end',
    count,
    partition,
    headers,
    json,
    rate,
    verify,
  } = values;
  const { 'sequence-field': sequenceField } = values;
  const [unexpected] = help ? [] : positionals;
  if (unexpected !== undefined) {
    throw wrong(`unexpected argument ${shown(unexpected)}; choose the topic with --topic`);
  }
  const partitions = partition.length === 0 ? undefined : new Set(partition.flat());
  const { filter: filters, header: headerFilters, 'without-header': withoutHeaders } = values;
  const read = {
    micro,
    topic,
    stream,
    from,
    count,
    partitions,
    filters,
    headerFilters,
    withoutHeaders,
  };
  const options = { ...read, headers, json, rate, verify, sequenceField };
  if (!help) demandSense(options);
  return { ...options, help };
}

/** Rejects options that are valid alone but not together. */
function demandSense(options: Omit<ListenOptions, 'help'>): void {
  const { topic, stream, rate, verify, sequenceField, filters, headers } = options;
  if (topic !== undefined && stream !== undefined) {
    throw wrong('--topic and --stream are mutually exclusive: a stream has its own topic');
  }
  if (verify && rate) {
    throw wrong('--verify and --rate are mutually exclusive: run one after the other');
  }
  if (headers && rate)
    throw wrong('--headers and --rate are mutually exclusive: no event is printed');
  if (sequenceField !== undefined && !verify) throw wrong('--sequence-field requires --verify');
  const texts = new Map<string, string>();
  for (const { field, text } of filters) {
    const other = texts.get(field) ?? text;
    if (other !== text) {
      const both = `${shown(other)} and ${shown(text)}`;
      throw wrong(`--filter requires ${field} to be both ${both}: no event can match`);
    }
    texts.set(field, text);
  }
  const { headerFilters, withoutHeaders } = options;
  const both = headerFilters.find(({ name }) => withoutHeaders.includes(name));
  if (both !== undefined) {
    const name = shown(both.name);
    throw wrong(`--header and --without-header both name ${name}: no event can match`);
  }
}

function optionsAt(nowMs: number) {
  const from: ValueOption<Start> = {
    expects: `beginning, end, ${TIME_EXPECTED}`,
    read: (given) => parseStart(given, nowMs),
  };
  return {
    micro: MICRO,
    topic: TOPIC,
    stream: STREAM,
    from,
    count: wholeNumber(1, COUNT_MAX),
    partition: PARTITIONS,
    filter: FILTER,
    header: HEADER,
    'without-header': WITHOUT_HEADER,
    headers: 'flag',
    json: 'flag',
    rate: 'flag',
    verify: 'flag',
    'sequence-field': text('the name of a field'),
  } as const;
}

const MICRO: ValueOption<string> = {
  expects: 'the URL of its admin port, such as http://127.0.0.1:9001',
  read: (given) =>
    /^https?:$/.test(attempt(() => new URL(given).protocol) ?? '') ? given : undefined,
};

/** `--topic`. */
export const TOPIC: ValueOption<string> = {
  expects: TOPIC_NAME.expected,
  read: (given) => (TOPIC_NAME.pattern.test(given) ? given : undefined),
};

/** `--stream`. */
export const STREAM: ValueOption<string> = {
  expects: STREAM_NAME.expected,
  read: (given) => (STREAM_NAME.pattern.test(given) ? given : undefined),
};

const NUMBER = wholeNumber(0, PARTITION_MAX);
/** `--partition`. */
export const PARTITIONS: ListOption<number[]> = {
  multiple: true,
  expects: `whole numbers from 0 to ${PARTITION_MAX} such as 3 or 0,3`,
  read: (list) => {
    const numbers = list.split(',').map((item) => NUMBER.read(item));
    return numbers.every((number) => number !== undefined) ? numbers : undefined;
  },
};

const FILTER: ListOption<Filter> = {
  multiple: true,
  expects: 'FIELD=TEXT',
  read: parseFilter,
};

const HEADER: ListOption<HeaderFilter> = {
  multiple: true,
  expects: 'NAME or NAME=TEXT',
  read: parseHeaderFilter,
};

const WITHOUT_HEADER: ListOption<string> = { multiple: true, ...text('the name of a header') };

function wrong(message: string): StartError {
  return new StartError(
    `listen: ${message} (see ${commandName()} listen --help)`,
    EXIT.configuration,
  );
}
