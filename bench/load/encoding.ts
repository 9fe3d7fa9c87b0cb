/** How the load client writes events: as text, or as MessagePack. */
import { encode } from '@msgpack/msgpack';

/** A frame's payload, made once, and where in it things change. */
export interface Written {
  /** WebSocket's opcode, with the bit of a whole message. */
  readonly firstByte: number;
  readonly payload: Buffer;
  /** Where each of the events begins. */
  readonly eventsAt: readonly number[];
  /** Where the time stands in an event. */
  readonly timeIn: number;
  /** Writes the time there. @param digits 13 of them */
  writeTime(into: Buffer, at: number, digits: Uint8Array): void;
}

const WHOLE_TEXT = 0x81;
const WHOLE_BINARY = 0x82;
const UPPER = 2 ** 32;
const ZERO = 0x30;

/**
 * Writes `count` times the JSON object `event`.
 * @param time its field `timestamp`, of 13 digits
 */
export function write(
  encoding: 'json' | 'msgpack',
  event: string,
  time: string,
  count: number,
): Written {
  return encoding === 'json' ? writeText(event, time, count) : writeMsgpack(event, time, count);
}

function writeText(event: string, time: string, count: number): Written {
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

function writeMsgpack(event: string, time: string, count: number): Written {
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
