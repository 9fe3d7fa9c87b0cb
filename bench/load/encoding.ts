/** Encodings of the load client's events: text or MessagePack. */
import { encode } from '@msgpack/msgpack';
import type { Encoding } from './messages.ts';

/** A frame's payload, encoded once. */
export interface EncodedFrame {
  /** WebSocket opcode with the FIN bit. */
  readonly firstByte: number;
  readonly payload: Buffer;
  /** Start of each event. */
  readonly eventsAt: readonly number[];
  /** Start of each key outside of an event; only records have them. */
  readonly keysAt: readonly number[];
  /** Encoded form of the number `time`. */
  readonly time: Buffer;
  /** Writes the timestamp. @param digits 13 digits */
  writeTime(into: Buffer, at: number, digits: Uint8Array): void;
}

const WHOLE_TEXT = 0x81;
const WHOLE_BINARY = 0x82;
const UPPER = 2 ** 32;
const ZERO = 0x30;

/**
 * Encodes a frame or body.
 * @param events JSON objects
 * @param time timestamp in each of them, 13 digits
 */
export function encodeFrame(
  encoding: Encoding,
  events: readonly string[],
  time: string,
): EncodedFrame {
  if (encoding === 'msgpack') return writeMsgpack(events, time);
  return encoding === 'json' ? writeJson(events, time) : writeRecords(events, time);
}

function writeJson(events: readonly string[], time: string): EncodedFrame {
  const [begin, end] = events.length === 1 ? ['', ''] : ['[', ']'];
  const { starts, ...frame } = writeList(begin, events, end, time);
  return { ...frame, eventsAt: starts, keysAt: [] };
}

const KEY = '{"key":';

/** The keys are those of the gateway's default. */
function writeRecords(events: readonly string[], time: string): EncodedFrame {
  const heads = events.map((event) => {
    const { clientId } = JSON.parse(event) as { clientId: string };
    return `${KEY}${JSON.stringify(clientId)},"value":`;
  });
  const records = events.map((event, index) => `${heads[index]}${event}}`);
  const { starts, ...frame } = writeList('{"records":[', records, ']}', time);
  return {
    ...frame,
    eventsAt: starts.map((start, index) => start + Buffer.byteLength(heads[index]!)),
    keysAt: starts.map((start) => start + KEY.length),
  };
}

/** Joins items with commas. @returns the text as a frame, and the start of each item */
function writeList(begin: string, items: readonly string[], end: string, time: string) {
  const parts = items.map((item) => Buffer.from(item));
  return {
    firstByte: WHOLE_TEXT,
    payload: Buffer.from(`${begin}${items.join(',')}${end}`),
    starts: startsOf(parts, begin.length, 1),
    time: Buffer.from(time),
    writeTime: (into: Buffer, at: number, digits: Uint8Array) => into.set(digits, at),
  };
}

function writeMsgpack(events: readonly string[], time: string): EncodedFrame {
  const values = events.map((event) => JSON.parse(event) as unknown);
  const parts = values.map((value) => Buffer.from(encode(value)));
  const payload = Buffer.from(encode(values.length === 1 ? values[0] : values));
  const first = payload.length - parts.reduce((sum, { length }) => sum + length, 0);
  return {
    firstByte: WHOLE_BINARY,
    payload,
    eventsAt: startsOf(parts, first, 0),
    keysAt: [],
    time: uint64(Number(time)),
    writeTime: (into, at, digits) => {
      let milliseconds = 0;
      for (const digit of digits) milliseconds = milliseconds * 10 + digit - ZERO;
      writeUint64(milliseconds, into, at);
    },
  };
}

/** Returns the start of each part, with `between` bytes between them. */
function startsOf(parts: readonly Buffer[], first: number, between: number): number[] {
  let at = first;
  return parts.map(({ length }) => {
    const start = at;
    at += length + between;
    return start;
  });
}

function uint64(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  writeUint64(value, bytes, 0);
  return bytes;
}

function writeUint64(value: number, into: Buffer, at: number): void {
  into.writeUInt32BE(Math.floor(value / UPPER), at);
  into.writeUInt32BE(value % UPPER, at + 4);
}
