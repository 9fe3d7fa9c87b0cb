/** Dead letters as consumers read them: rejected events, with the reason in the headers. */
import type { IHeaders } from 'kafkajs';
import {
  CONTENT_TYPE_HEADER,
  DEAD_LETTER_HEADERS,
  hasHeader,
  lastHeader,
  RECEIVED_HEADER,
  RESENT_HEADER,
  type RecordHeaders,
  recordHeaders,
  STREAM_HEADER,
} from './record-headers.ts';

/** A record as kafkajs reads it. */
export interface ConsumedRecord {
  readonly offset: string;
  /** Decimal ms since 1970. */
  readonly timestamp: string;
  readonly value: Buffer | null;
  readonly headers?: IHeaders | undefined;
}

/** A rejected event, or a frame or body that could not be split into events. */
export interface DeadLetter {
  readonly offset: number;
  /** As received, up to a maximum size; null for a record that no gateway has written. */
  readonly value: Buffer | null;
  readonly isMsgpack: boolean;
  /** A frame or body as a whole, not one event of it. */
  readonly isWhole: boolean;
  /** Rejection code; '' = not stated. */
  readonly code: string;
  /** Stream that rejected it; undefined = the event belonged to none. */
  readonly stream: string | undefined;
  readonly identity: string | undefined;
  /** Arrival, ms since 1970; the timestamp of the record if it states none. */
  readonly received: number;
  /** The value was cut: it is no longer complete. */
  readonly isTruncated: boolean;
  /** Its sender declared it as a possible repeat. */
  readonly isResent: boolean;
  readonly headers: RecordHeaders;
}

const MSGPACK = 'application/msgpack';
/** Times with as many digits as `fb-received` has until the year 2286. */
const TIME = /^\d{13}$/;

/** Reads the headers of a dead letter. Never throws: any producer may write to a topic. */
export function deadLetterIn(record: ConsumedRecord): DeadLetter {
  const headers = recordHeaders(record.headers);
  const text = (name: string) => lastHeader(headers, name);
  const received = text(RECEIVED_HEADER) ?? '';
  return {
    offset: Number(record.offset),
    value: record.value,
    isMsgpack: text(CONTENT_TYPE_HEADER) === MSGPACK,
    isWhole: !hasHeader(headers, DEAD_LETTER_HEADERS.index),
    code: text(DEAD_LETTER_HEADERS.code) ?? '',
    stream: text(STREAM_HEADER),
    identity: text('fb-identity'),
    received: TIME.test(received) ? Number(received) : Number(record.timestamp),
    isTruncated: hasHeader(headers, DEAD_LETTER_HEADERS.truncated),
    isResent: hasHeader(headers, RESENT_HEADER),
    headers,
  };
}
