/** The command line of `listen`. */
import { parseArgs } from 'node:util';
import { calledAs } from '../called-as.ts';
import { EXIT, StartError } from '../errors.ts';
import { type Filter, parseFilter } from './filter.ts';
import { parseStart, type Start } from './start.ts';

export interface ListenOptions {
  readonly from: Start;
  /** Stop after so many events; undefined = go on until interrupted. */
  readonly count: number | undefined;
  /** Which to read; undefined = all. */
  readonly partitions: ReadonlySet<number> | undefined;
  /** An event is shown, counted and verified only if all of them hold. */
  readonly filters: readonly Filter[];
  readonly json: boolean;
  readonly rate: boolean;
  readonly verify: boolean;
  readonly sequenceField: string | undefined;
  readonly help: boolean;
}

/**
 * Reads the arguments that follow `listen`.
 * @param nowMs what `--from -15m` counts back from
 * @throws StartError (exit code 2), one line, when they are wrong
 */
export function parseListenArguments(argv: readonly string[], nowMs = Date.now()): ListenOptions {
  const { from, count, partition, filter, 'sequence-field': sequenceField, ...flags } = parse(argv);
  if (sequenceField !== undefined && !flags.verify) {
    throw wrong('--sequence-field is of use with --verify only');
  }
  return {
    from: startOf(from, nowMs),
    count: countOf(count),
    partitions: partition === undefined ? undefined : new Set(partition.flatMap(partitionsOf)),
    filters: (filter ?? []).map(filterOf),
    sequenceField,
    ...flags,
  };
}

function startOf(text: string, nowMs: number): Start {
  const start = parseStart(text, nowMs);
  if (start !== undefined) return start;
  const expected = 'beginning, end, a time such as 2026-11-25T09:30:00Z, or so long ago as -15m';
  throw wrong(`--from must be ${expected}, not ${JSON.stringify(text)}`);
}

function countOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (/^[1-9]\d{0,14}$/.test(text)) return Number(text);
  throw wrong(`--count must be a whole number from 1, not ${JSON.stringify(text)}`);
}

function partitionsOf(list: string): number[] {
  return list.split(',').map((text) => {
    if (/^\d{1,9}$/.test(text)) return Number(text);
    throw wrong(`--partition must be numbers such as 3 or 0,3, not ${JSON.stringify(list)}`);
  });
}

function filterOf(text: string): Filter {
  const filter = parseFilter(text);
  if (filter !== undefined) return filter;
  throw wrong(`--filter must be FIELD=TEXT, not ${JSON.stringify(text)}`);
}

const OPTIONS = {
  from: { type: 'string', default: 'end' },
  count: { type: 'string' },
  partition: { type: 'string', multiple: true },
  filter: { type: 'string', multiple: true },
  json: { type: 'boolean', default: false },
  rate: { type: 'boolean', default: false },
  verify: { type: 'boolean', default: false },
  'sequence-field': { type: 'string' },
  help: { type: 'boolean', short: 'h', default: false },
} as const;

function parse(argv: readonly string[]) {
  try {
    return { ...parseArgs({ args: joinAgo(argv), options: OPTIONS }).values };
  } catch (error) {
    // The rest of the message explains how to pass positionals, which there are none of.
    throw wrong((error as Error).message.split(/\. |\.?\n/)[0] ?? 'wrong options');
  }
}

/** parseArgs takes the `-15m` of `--from -15m` for an option. */
function joinAgo(argv: readonly string[]): string[] {
  return argv.flatMap((argument, index) => {
    if (argument === '--from' && isAgo(argv[index + 1])) return [];
    return argv[index - 1] === '--from' && isAgo(argument) ? [`--from=${argument}`] : [argument];
  });
}

function isAgo(argument: string | undefined): boolean {
  return argument !== undefined && /^-\d/.test(argument);
}

function wrong(message: string): StartError {
  return new StartError(`listen: ${message} (see ${calledAs()} listen --help)`, EXIT.configuration);
}
