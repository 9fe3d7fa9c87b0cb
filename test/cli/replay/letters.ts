/** Dead letters as a gateway writes them, and records of their replay. */
import type { IHeaders } from 'kafkajs';
import type { ConsumedRecord } from '../../../src/kafka/dead-letter.ts';

/** Differences from a dead letter of the stream `clicks` with the code `schema`. */
export interface LetterFacts {
  readonly value?: string | Buffer | null;
  readonly offset?: number;
  readonly timestamp?: number;
  readonly code?: string;
  /** Undefined = the event belonged to no stream. */
  readonly stream?: string | undefined;
  /** Undefined = a frame as a whole. */
  readonly index?: number | undefined;
  readonly contentType?: string;
  /** Further headers. */
  readonly headers?: Readonly<Record<string, string>>;
}

export const RECEIVED = 1_790_000_000_000;

/** Returns the headers of a dead letter. */
export function letterHeaders(facts: LetterFacts = {}): IHeaders {
  const { code = 'schema', contentType = 'application/json', timestamp = RECEIVED } = facts;
  const stream = 'stream' in facts ? facts.stream : 'clicks';
  const index = 'index' in facts ? facts.index : 0;
  return {
    'fb-error-code': code,
    'fb-error-message': 'a reason',
    ...(stream !== undefined && { 'fb-stream': stream }),
    'fb-received': String(timestamp),
    'fb-transport': 'ws',
    ...(index !== undefined && { 'fb-index': String(index) }),
    'content-type': contentType,
    ...facts.headers,
  };
}

/** Returns a dead letter as kafkajs reads it. */
export function letterRecord(facts: LetterFacts = {}): ConsumedRecord {
  const { value = '{}', offset = 0, timestamp = RECEIVED } = facts;
  const headers = Object.entries(letterHeaders(facts)).map(([name, text]) => [
    name,
    Buffer.from(String(text)),
  ]);
  return {
    offset: String(offset),
    timestamp: String(timestamp),
    value: typeof value === 'string' ? Buffer.from(value) : value,
    headers: Object.fromEntries(headers),
  };
}
