/** Lines of the log: docs/micro.md describes their fields. */
import { isUtf8 } from 'node:buffer';
import { attempt, type EventCode } from '../common/errors.ts';
import { CONTENT_TYPE_HEADER } from '../kafka/record-headers.ts';
import { readableValue } from '../kafka/record-value.ts';
import type { RecordBatch } from '../worker/accumulator/batch.ts';
import { type RecordSlice, readHeaders } from '../worker/accumulator/records.ts';

/** Result of an event; a dead letter is the copy of a rejected one. */
export const OUTCOMES = ['stored', 'rejected', 'dead_letter'] as const;
export type Outcome = (typeof OUTCOMES)[number];

/** Line breaks of JSON are white space: texts contain none. */
const LINE_BREAKS = /[\r\n]/g;

/** Place of a record, as a topic would number it. */
export interface RecordPlace {
  readonly seq: number;
  readonly outcome: Exclude<Outcome, 'rejected'>;
  readonly stream: string;
  readonly offset: number;
}

/** Returns the line of record `index` of a batch. */
export function recordLine(
  { seq, outcome, stream, offset }: RecordPlace,
  batch: RecordBatch,
  index: number,
  slice: RecordSlice,
): string {
  const { buffer, partition, firstTimestamp } = batch;
  const { keyStart, keyBytes, timestampDelta, valueStart, valueBytes } = slice;
  const headers = readHeaders(buffer, slice);
  const { identity, transport } = batch.owners[index]!;
  const facts = {
    seq,
    outcome,
    stream,
    topic: partition.topic.name,
    partition: partition.number,
    offset,
    timestamp: firstTimestamp + timestampDelta,
    key: keyBytes < 0 ? null : buffer.toString('utf8', keyStart, keyStart + keyBytes),
    headers: Object.fromEntries(headers),
    // The headers of a dead letter name its sender.
    ...(outcome === 'stored' && { identity: identity.name || undefined, transport }),
  };
  return withValue(facts, buffer.subarray(valueStart, valueStart + valueBytes), headers);
}

/** Adds the fields of a value: JSON as it is, other texts and bytes under names of their own. */
function withValue(
  facts: object,
  stored: Buffer,
  headers: readonly (readonly [string, string])[],
): string {
  const named = headers
    .filter(([name]) => name === CONTENT_TYPE_HEADER)
    .map(([name, value]) => ({ name, value: Buffer.from(value) }));
  const { bytes, schemaId } = readableValue({ value: stored, headers: named });
  const readable = bytes ?? stored;
  const isAsStored = readable === stored;
  const all = {
    ...facts,
    ...(schemaId !== undefined && { schemaId }),
    ...(!isAsStored && { storedBase64: stored.toString('base64') }),
  };
  if (!isUtf8(readable)) {
    return JSON.stringify({ ...all, valueBase64: readable.toString('base64') });
  }
  const text = readable.toString('utf8');
  const isJson = attempt(() => JSON.parse(text) !== undefined) === true;
  if (!isJson) return JSON.stringify({ ...all, valueText: text });
  // Parsed and written again, large numbers and repeated names would change.
  return `${JSON.stringify(all).slice(0, -1)},"value":${text.replace(LINE_BREAKS, ' ')}}`;
}

/** A rejected event, or a frame that was not decoded. */
export interface Rejection {
  readonly seq: number;
  /** `(none)` if it belongs to no stream. */
  readonly stream: string;
  readonly timestamp: number;
  readonly code: EventCode;
  readonly message: string;
  /** Number of events of a frame, as far as it is known. */
  readonly events: number;
  /** The event, if it was parsed. */
  readonly value: unknown;
}

/** Returns the line of a rejection. */
export function rejectionLine({ seq, ...others }: Rejection): string {
  return JSON.stringify({ seq, outcome: 'rejected', ...others });
}
