/** Encodings of the load client's events: text or MessagePack. */
import { encode } from '@msgpack/msgpack';

/** A frame's payload, encoded once, and the positions of its variable parts. */
export interface EncodedFrame {
  /** WebSocket opcode with the FIN bit. */
  readonly firstByte: number;
  readonly payload: Buffer;
  /** Start of each event. */
  readonly eventsAt: readonly number[];
  /** Offset of the timestamp in an event. */
  readonly timeIn: number;
  /** Writes the timestamp. @param digits 13 digits */
  writeTime(into: Buffer, at: number, digits: Uint8Array): void;
}

const WHOLE_TEXT = 0x81;
const WHOLE_BINARY = 0x82;
const UPPER = 2 ** 32;
const ZERO = 0x30;

/**
 * Encodes a frame with `count` copies of the JSON object `event`.
 * @param time its field `timestamp`, of 13 digits
 */
export function encodeFrame(
  encoding: 'json' | 'msgpack',
  event: string,
  time: string,
  count: number,
): EncodedFrame {
  return encoding === 'json' ? writeText(event, time, count) : writeMsgpack(event, time, count);
}

function writeText(event: string, time: string, count: number): EncodedFrame {
  const events = new Array<string>(count).fill(event).join(',');
  const first = count === 1 ? 0 : 1;
  return {
    firstByte: WHOLE_TEXT,
    payload: Buffer.from(count === 1 ? events : `[${events}]`),
    eventsAt: Array.from({ length: count }, (_, index) => first + index * (event.length + 1)),
    timeIn: event.indexOf(time),
    writeTime: (into, at, digits) => into.set(digits, at),
  };
}

function writeMsgpack(event: string, time: string, count: number): EncodedFrame {
  const value: unknown = JSON.parse(event);
  const alone = Buffer.from(encode(value));
  const payload = Buffer.from(encode(count === 1 ? value : new Array(count).fill(value)));
  const first = payload.length - count * alone.length;
  return {
    firstByte: WHOLE_BINARY,
    payload,
    eventsAt: Array.from({ length: count }, (_, index) => first + index * alone.length),
    timeIn: alone.indexOf(uint64(Number(time))),
    writeTime: (into, at, digits) => {
      let milliseconds = 0;
      for (const digit of digits) milliseconds = milliseconds * 10 + digit - ZERO;
      writeUint64(milliseconds, into, at);
    },
  };
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
