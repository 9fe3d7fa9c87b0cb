/** Command line of `replay`. */
import { commandName } from '../../common/command-name.ts';
import { type DeadLetterCode, deadLetterCodes, EXIT, StartError } from '../../common/errors.ts';
import { headerText } from '../../worker/streams/header-text.ts';
import {
  type ListOption,
  PATH,
  readOptions,
  shown,
  text,
  type ValueOption,
  wholeNumber,
} from '../command-line.ts';
import { PARTITIONS, STREAM } from '../listen/arguments.ts';
import { parseStart, TIME_EXPECTED } from '../listen/start.ts';

export interface ReplayOptions {
  /** Internal stream whose topic has the dead letters. */
  readonly from: string;
  /** Stream whose dead letters are replayed, to its topic. */
  readonly stream: string;
  readonly selection: SelectionOptions;
  readonly isDryRun: boolean;
  /** Maximum events per second; undefined = no limit. */
  readonly rate: number | undefined;
  /** Path of the state file; undefined = the default. */
  readonly state: string | undefined;
  readonly json: boolean;
  readonly help: boolean;
}

/** Conditions on dead letters; one is selected if it meets all of them. */
export interface SelectionOptions {
  /** Arrival from this time on, ms since 1970; undefined = from the beginning. */
  readonly sinceMs: number | undefined;
  /** Arrival before this time, ms since 1970; undefined = until now. */
  readonly untilMs: number | undefined;
  /** Rejection codes; empty = all. */
  readonly codes: ReadonlySet<string>;
  /** Names of clients; empty = all. */
  readonly identities: ReadonlySet<string>;
  /** Undefined = all. */
  readonly partitions: ReadonlySet<number> | undefined;
  /** Offsets of the only partition; undefined = all. */
  readonly offsets: OffsetBounds | undefined;
}

/** Offsets from the first to the last one, both included. */
export interface OffsetBounds {
  readonly first: number;
  readonly last: number;
}

const RATE_MAX = 1_000_000;
/** Fifteen digits, which a number represents exactly. */
const OFFSET_MAX = 999_999_999_999_999;

/**
 * Parses the arguments that follow `replay`.
 * @param nowMs reference time of `--since -6h`
 * @throws StartError (exit code 2), one line that names the option, if they are invalid
 */
export function parseReplayArguments(argv: readonly string[], nowMs = Date.now()): ReplayOptions {
  const { values, positionals, help } = readOptions(argv, optionsAt(nowMs), wrong);
  const { from = '', stream = '', since, until, code, identity, partition, offset } = values;
  const { 'dry-run': isDryRun, rate, state, json } = values;
  const [unexpected] = help ? [] : positionals;
  if (unexpected !== undefined) throw wrong(`unexpected argument ${shown(unexpected)}`);
  const selection = {
    sinceMs: since,
    untilMs: until,
    codes: new Set<string>(code.flat()),
    // As in the header `fb-identity`.
    identities: new Set(identity.map((name) => headerText(name))),
    partitions: partition.length === 0 ? undefined : new Set(partition.flat()),
    offsets: offset,
  };
  const options = { from, stream, selection, isDryRun, rate, state, json };
  if (!help) demandSense(options);
  return { ...options, help };
}

/** Rejects options that are missing, or valid alone but not together. */
function demandSense({ from, stream, selection }: Omit<ReplayOptions, 'help'>): void {
  if (from === '') throw wrong('--from is missing: the stream of the dead letters');
  if (stream === '') throw wrong('--stream is missing: the stream whose dead letters to replay');
  const { sinceMs, untilMs, partitions, offsets } = selection;
  if (sinceMs !== undefined && untilMs !== undefined && sinceMs >= untilMs) {
    throw wrong('--since must be earlier than --until');
  }
  if (offsets !== undefined && partitions?.size !== 1) {
    throw wrong('--offset requires one partition: --partition 0');
  }
}

function optionsAt(nowMs: number) {
  const time: ValueOption<number> = {
    expects: TIME_EXPECTED,
    read: (given) => {
      const start = parseStart(given, nowMs);
      return typeof start === 'number' ? start : undefined;
    },
  };
  return {
    from: STREAM,
    stream: STREAM,
    since: time,
    until: time,
    code: CODES,
    identity: IDENTITY,
    partition: PARTITIONS,
    offset: OFFSETS,
    'dry-run': 'flag',
    rate: wholeNumber(1, RATE_MAX),
    state: PATH,
    json: 'flag',
  } as const;
}

const CODES: ListOption<DeadLetterCode[]> = {
  multiple: true,
  expects: 'codes of dead letters such as schema or schema,too_large',
  read: (list) => {
    const codes = list.split(',').map((name) => deadLetterCodes.find((code) => code === name));
    return codes.every((code) => code !== undefined) ? codes : undefined;
  },
};

const IDENTITY: ListOption<string> = { multiple: true, ...text('the name of an API key or token') };

const OFFSET = wholeNumber(0, OFFSET_MAX);
const OFFSETS: ValueOption<OffsetBounds> = {
  expects: 'an offset or a range such as 1200 or 1200-1300',
  read: (given) => {
    const [from = '', to = from, ...more] = given.split('-');
    const [first, last] = [OFFSET.read(from), OFFSET.read(to)];
    if (first === undefined || last === undefined || more.length > 0) return undefined;
    return first <= last ? { first, last } : undefined;
  },
};

function wrong(message: string): StartError {
  return new StartError(
    `replay: ${message} (see ${commandName()} replay --help)`,
    EXIT.configuration,
  );
}
