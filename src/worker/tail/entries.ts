/** Entries of the live tail for single events. */
import { attempt, boundedMessage, type EventCode } from '../../common/errors.ts';
import { isObject } from '../../common/json-object.ts';
import { readableValue } from '../../kafka/record-value.ts';
import { NO_STREAM } from '../../metrics/slots.ts';
import type { ShownViolation, TailEntry } from '../../tail/entry.ts';
import type { Outcome } from '../../tail/filter.ts';
import { TAIL_LIMITS } from '../../tail/limits.ts';
import { cutTo, type Redaction, shownKey, shownValue } from '../../tail/redaction.ts';
import type { Owner, RecordBatch } from '../accumulator/batch.ts';
import { type RecordSlice, readHeaders } from '../accumulator/records.ts';
import type { ArrivalRejection } from '../acknowledger/outcome-listener.ts';
import { BUILT_IN_SCHEMA } from '../intake/validator.ts';
import type { Stream } from '../streams/stream.ts';

const BUILT_IN_TEXT = JSON.stringify(BUILT_IN_SCHEMA);
/** A JSON pointer that a message begins with. */
const POINTER = /^(\/\S*) (.*)$/s;

/** Facts about an outcome that need no look into its event. */
export interface OutcomeFacts {
  readonly outcome: Outcome;
  readonly code: EventCode | undefined;
  readonly owner: Owner;
  /** Undefined = the event has none, or a removed one. */
  readonly stream: Stream | undefined;
}

/** An entry, and the input for a search of all violations of its event. */
export interface Draft {
  readonly entry: TailEntry;
  /** Undefined = there is nothing to explain. */
  readonly explained?: { readonly schema: string; readonly text: string } | undefined;
}

/** Returns the name of a stream as filters and entries use it. */
export function streamName(stream: Stream | undefined): string {
  return stream?.name ?? NO_STREAM;
}

/** Returns the entry of events without content. @param events their number */
export function entryOfMany(facts: OutcomeFacts, events: number, reason?: string): Draft {
  return { entry: { ...commonParts(facts, reason), events } };
}

/**
 * Returns the entry of an event, or frame, that was rejected on arrival.
 * @param index number of the event; undefined = the whole frame
 */
export function entryOfRejection(
  facts: OutcomeFacts,
  index: number | undefined,
  events: number,
  rejection: ArrivalRejection,
  redaction: Redaction,
): Draft {
  const { reason, bytes, start, end } = rejection;
  const common = commonParts(facts, reason);
  if (index === undefined && events > 1) return { entry: { ...common, events } };
  if (bytes === undefined) return { entry: { ...common, index } };
  const content = contentOf(bytes, start, end, redaction, rejection.value);
  const { stream } = facts;
  const { value, ...shown } = content;
  const key =
    stream !== undefined && isObject(value)
      ? attempt(() => stream.key.keyOf(value, bytes, start))
      : undefined;
  const entry: TailEntry = {
    ...common,
    index,
    bytes: end - start,
    key: key === undefined ? undefined : shownKey(key, stream?.spec.key ?? [], redaction),
    ...shown,
  };
  if (facts.code !== 'schema' || stream === undefined) return { entry };
  return explainable(entry, reason, stream, bytes, start, end);
}

/** Returns the entry of a record of a batch. @param isLate see OutcomeListener */
export function entryOfRecord(
  facts: OutcomeFacts,
  batch: RecordBatch,
  index: number,
  slice: RecordSlice,
  redaction: Redaction,
  reason?: string,
  isLate = false,
): Draft {
  const { buffer, partition } = batch;
  const { keyStart, keyBytes, valueStart, valueBytes } = slice;
  const { stream } = facts;
  const headers = readHeaders(buffer, slice).map(([name, text]) => {
    return { name, value: Buffer.from(text) };
  });
  const stored = buffer.subarray(valueStart, valueStart + valueBytes);
  const bytes = readableValue({ value: stored, headers }).bytes ?? stored;
  const { value, ...shown } = contentOf(bytes, 0, bytes.length, redaction);
  const key = keyBytes < 0 ? undefined : buffer.toString('utf8', keyStart, keyStart + keyBytes);
  const entry: TailEntry = {
    ...commonParts(facts, reason),
    index: batch.events[index],
    bytes: valueBytes,
    partition: partition.number,
    key: key === undefined ? undefined : shownKey(key, stream?.spec.key ?? [], redaction),
    ...(isLate && { isLate }),
    ...shown,
  };
  // Where violations do not reject events.
  if (stream?.violations === undefined || !isObject(value)) return { entry };
  const problem = stream.matchesSchema(value);
  if (problem === undefined) return { entry };
  return explainable(entry, problem, stream, bytes, 0, bytes.length);
}

function commonParts({ outcome, code, owner, stream }: OutcomeFacts, reason?: string) {
  const { transport, identity, requestId } = owner;
  return {
    time: Date.now(),
    outcome,
    stream: streamName(stream),
    code,
    reason: reason === undefined ? undefined : boundedMessage(reason),
    identity: identity.name === '' ? undefined : cutTo(identity.name, TAIL_LIMITS.nameChars),
    transport,
    requestId: requestId === undefined ? undefined : cutTo(requestId, TAIL_LIMITS.nameChars),
  };
}

interface Content extends Pick<TailEntry, 'event' | 'redacted' | 'raw' | 'isCut'> {
  /** With all its values. */
  readonly value?: unknown;
}

/** Reads an event. @param parsed its value, if it is known */
function contentOf(
  bytes: Buffer,
  start: number,
  end: number,
  redaction: Redaction,
  parsed?: unknown,
): Content {
  const isLarge = end - start > TAIL_LIMITS.parsedBytes;
  const value =
    parsed ??
    (isLarge ? undefined : attempt<unknown>(() => JSON.parse(bytes.toString('utf8', start, end))));
  if (value !== undefined && !isLarge) {
    const { value: event, redacted, isCut } = shownValue(value, redaction);
    return { value, event, redacted, ...(isCut && { isCut }) };
  }
  // Its fields are not known, so none of them can be hidden.
  if (redaction !== 'none') return {};
  const raw = bytes.toString('utf8', start, Math.min(end, start + TAIL_LIMITS.rawChars));
  return { raw, ...(end - start > TAIL_LIMITS.rawChars && { isCut: true as const }) };
}

/** @param problem the first violation, as its validator describes it */
function explainable(
  entry: TailEntry,
  problem: string,
  { spec }: Stream,
  bytes: Buffer,
  start: number,
  end: number,
): Draft {
  const first = violationOf(boundedMessage(problem));
  const schema = spec.schema?.text ?? BUILT_IN_TEXT;
  return {
    entry: { ...entry, at: first.path, violations: [first] },
    explained: { schema, text: bytes.toString('utf8', start, end) },
  };
}

function violationOf(problem: string): ShownViolation {
  const [, path = '', message = problem] = POINTER.exec(problem) ?? [];
  return { path, message };
}
