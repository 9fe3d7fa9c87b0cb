/** Headers of a Kafka record, as kafkajs reads them. */
import type { IHeaders } from 'kafkajs';
import { guidIn, VALUE_SCHEMA_HEADER } from './schema-identity.ts';

export interface RecordHeader {
  readonly name: string;
  /** Null is a header without a value, which differs from an empty one. */
  readonly value: Buffer | null;
}

/** Headers by name, in the order of their first occurrence; a name may be repeated. */
export type RecordHeaders = readonly RecordHeader[];

/** Headers that only dead letters have. */
export const DEAD_LETTER_HEADERS = {
  code: 'fb-error-code',
  message: 'fb-error-message',
  index: 'fb-index',
  truncated: 'fb-truncated',
} as const;
export const RECEIVED_HEADER = 'fb-received';
export const STREAM_HEADER = 'fb-stream';

/** Present on a record that may be the repeat of another one. */
export const RESENT_HEADER = 'fb-resent';
/** Media type of the value. */
export const CONTENT_TYPE_HEADER = 'content-type';

const NONE: RecordHeaders = [];

/**
 * Lists the headers of a consumed record; of a schema's identity its GUID. kafkajs stores repeated
 * ones as an array, which for names such as `constructor` begins with the property of the
 * prototype.
 */
export function recordHeaders(headers: IHeaders | undefined): RecordHeaders {
  const entries = Object.entries(headers ?? {});
  if (entries.length === 0) return NONE;
  return entries.flatMap(([name, values]) =>
    [values].flat().flatMap((value: unknown): RecordHeader[] => {
      if (value === null) return [{ name, value }];
      if (!Buffer.isBuffer(value)) return [];
      const guid = name === VALUE_SCHEMA_HEADER ? guidIn(value) : undefined;
      return [{ name, value: guid === undefined ? value : Buffer.from(guid) }];
    }),
  );
}

export function hasHeader(headers: RecordHeaders, name: string): boolean {
  return headers.some((header) => header.name === name);
}

/** Text of the last header with this name, as in Kafka's `lastHeader()`; undefined = none. */
export function lastHeader(headers: RecordHeaders, name: string): string | undefined {
  return headers.findLast((header) => header.name === name)?.value?.toString('utf8');
}
