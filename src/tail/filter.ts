/** Filters of the live tail: parsed by the primary, applied by the workers. */
import { type EventCode, eventCodes } from '../common/errors.ts';
import { printable } from '../common/printable.ts';
import { TAIL_LIMITS } from './limits.ts';

/**
 * `accepted`: stored in Kafka; `dead_lettered`: rejected, with a copy for the dead letters;
 * `rejected`: rejected without a copy.
 */
export const OUTCOMES = ['accepted', 'rejected', 'dead_lettered'] as const;
export type Outcome = (typeof OUTCOMES)[number];

/** Events that a viewer wants to see: those that have one of the values of each part. */
export interface TailFilter {
  readonly stream?: readonly string[];
  readonly outcome?: readonly Outcome[];
  readonly code?: readonly EventCode[];
  /** Names of senders; '' = without credentials. */
  readonly identity?: readonly string[];
  /** In the event as it is shown, its key or its reason, in any case. */
  readonly text?: string;
}

/** Facts about an event that need no look into it. */
export interface FilteredFacts {
  readonly stream: string;
  readonly outcome: Outcome;
  readonly code: EventCode | undefined;
  readonly identity: string;
}

const PARAMETERS = ['stream', 'outcome', 'code', 'identity', 'text'] as const;

/**
 * Reads a filter from the query of a request; a parameter may be repeated, except `text`.
 * @param streams names of all streams
 * @returns a message instead, if the query is malformed
 */
export function parseFilter(query: string, streams: readonly string[]): TailFilter | string {
  const given = new URLSearchParams(query);
  const names: readonly string[] = PARAMETERS;
  for (const [name, value] of given) {
    if (!names.includes(name)) return unknown('parameter', name, names);
    if (value.length > TAIL_LIMITS.filterChars) return `${name} is too long`;
  }
  if (given.size > TAIL_LIMITS.filterValues) return 'too many filters';
  const stream = given.getAll('stream');
  const outcome = given.getAll('outcome');
  const code = given.getAll('code');
  const identity = given.getAll('identity');
  const [text = '', ...more] = given.getAll('text');
  if (more.length > 0) return 'text may be given once';
  const problem =
    unknownIn('stream', stream, streams) ??
    unknownIn('outcome', outcome, OUTCOMES) ??
    unknownIn('code', code, eventCodes);
  if (problem !== undefined) return problem;
  return {
    ...(stream.length > 0 && { stream }),
    ...(outcome.length > 0 && { outcome: outcome as Outcome[] }),
    ...(code.length > 0 && { code: code as EventCode[] }),
    ...(identity.length > 0 && { identity }),
    ...(text !== '' && { text: text.toLowerCase() }),
  };
}

/** Returns whether an event matches all of a filter but its text. */
export function matchesFacts(filter: TailFilter, facts: FilteredFacts): boolean {
  const { stream, outcome, code, identity } = filter;
  if (outcome !== undefined && !outcome.includes(facts.outcome)) return false;
  if (stream !== undefined && !stream.includes(facts.stream)) return false;
  if (identity !== undefined && !identity.includes(facts.identity)) return false;
  return code === undefined || (facts.code !== undefined && code.includes(facts.code));
}

function unknownIn(
  kind: string,
  values: readonly string[],
  known: readonly string[],
): string | undefined {
  const wrong = values.find((value) => !known.includes(value));
  return wrong === undefined ? undefined : unknown(kind, wrong, known);
}

function unknown(kind: string, name: string, known: readonly string[]): string {
  return `unknown ${kind} ${printable(JSON.stringify(name))}, expected one of ${known.join(', ')}`;
}
