import { bodiesOf, CONNECTION, NUMBER, TIME } from './bodies.ts';
import { encodeFrame } from './encoding.ts';
import type { LoadShape } from './messages.ts';

/** Part of a load's shape that determines its bytes. */
export type PacketShape = Pick<
  LoadShape,
  'run' | 'eventsPerFrame' | 'framesPerPacket' | 'eventBytes' | 'encoding' | 'body'
>;

export const CONNECTION_DIGITS = CONNECTION.length;
export const NUMBER_DIGITS = NUMBER.length;

/** Packets of bodies that vary; a connection sends all of them in turn. */
const VARIANTS = 256;
/** Prime: bodies that follow each other in a frame differ from packet to packet. */
const BODIES_MAX = 509;
/** Distance between the first packets of two connections. */
const STRIDE = 37;

/** All packets of a load, shared by its connections and encoded before it starts. */
export class Packets {
  readonly #packets: readonly Packet[];

  /** @throws RangeError if `eventBytes` is too small for the fields */
  constructor(shape: PacketShape) {
    const { body = 'plain', eventsPerFrame, framesPerPacket } = shape;
    const events = eventsPerFrame * framesPerPacket;
    const count = body === 'plain' ? 1 : VARIANTS;
    const bodies = bodiesOf({ ...shape, body }, Math.min(BODIES_MAX, count * events));
    this.#packets = Array.from({ length: count }, (_, packet) => {
      const own = Array.from({ length: events }, (_, event) => {
        return bodies[(packet * events + event) % bodies.length]!;
      });
      return new Packet(shape, own);
    });
  }

  /** Returns the `nth` packet of a connection. */
  at(connection: number, nth: number): Packet {
    return this.#packets[(connection * STRIDE + nth) % this.#packets.length]!;
  }
}

/**
 * Bytes of a packet, encoded once. Only the digits of an event's connection, number and timestamp
 * change:
 *
 *   81 fe 00 8c  00 00 00 00  {"id":"r1-00007-00000042","clientId":"client-00007","timestamp":…
 *   text, mask   the mask: 0            ^     ^ number                     ^           time ^
 *
 * A mask of 0 is as valid as any other, and leaves the bytes unchanged.
 */
export class Packet {
  /** Payload bytes of its frames. */
  readonly payloadBytes: number;
  readonly #bytes: Buffer;
  readonly #writeTime: (into: Buffer, at: number, digits: Uint8Array) => void;
  /** Positions of connections, and of the events' numbers and timestamps. */
  readonly #connectionsAt: number[] = [];
  readonly #numbersAt: number[] = [];
  readonly #timesAt: number[] = [];

  /** @param events bodies of all its frames */
  constructor(shape: PacketShape, events: readonly string[]) {
    const { encoding = 'json', eventsPerFrame, framesPerPacket, run } = shape;
    const frames = Array.from({ length: framesPerPacket }, (_, index) => {
      const own = events.slice(index * eventsPerFrame, (index + 1) * eventsPerFrame);
      return encodeFrame(encoding, own, TIME);
    });
    const id = `${run}-${CONNECTION}-${NUMBER}`;
    const client = `client-${CONNECTION}`;
    const parts: Buffer[] = [];
    let length = 0;
    for (const { firstByte, payload, eventsAt, keysAt, time } of frames) {
      const head = headOf(firstByte, payload.length);
      const start = length + head.length;
      for (const at of [...keysAt, ...eventsAt]) {
        const clientAt = start + payload.indexOf(client, at) + client.length;
        this.#connectionsAt.push(clientAt - CONNECTION_DIGITS);
      }
      for (const eventAt of eventsAt) {
        const idAt = start + payload.indexOf(id, eventAt) + run.length + 1;
        this.#connectionsAt.push(idAt);
        this.#numbersAt.push(idAt + CONNECTION_DIGITS + 1);
        this.#timesAt.push(start + payload.indexOf(time, eventAt));
      }
      parts.push(head, payload);
      length = start + payload.length;
    }
    this.#bytes = Buffer.concat(parts);
    this.#writeTime = frames[0]!.writeTime;
    this.payloadBytes = frames.reduce((sum, { payload }) => sum + payload.length, 0);
  }

  get length(): number {
    return this.#bytes.length;
  }

  /**
   * Writes the packet with the events `first`, `first + 1`, … of a connection.
   * @param time 13 digits
   */
  write(into: Buffer, at: number, connection: number, first: number, time: Uint8Array): void {
    into.set(this.#bytes, at);
    for (const position of this.#connectionsAt) {
      writeDigits(connection, into, at + position + CONNECTION_DIGITS);
    }
    for (let index = 0; index < this.#numbersAt.length; index++) {
      writeDigits(first + index, into, at + this.#numbersAt[index]! + NUMBER_DIGITS);
      this.#writeTime(into, at + this.#timesAt[index]!, time);
    }
  }
}

const ZERO = 0x30;

/** Writes a number over zeros, with its last digit before `end`. */
function writeDigits(number: number, into: Buffer, end: number): void {
  for (let rest = number, digit = end - 1; rest > 0; digit--) {
    into[digit] = ZERO + (rest % 10);
    rest = Math.floor(rest / 10);
  }
}

/** Returns the id of an event from run, connection and number; it identifies the record. */
export function idOf(run: string, connection: number, event: number): string {
  const name = String(connection).padStart(CONNECTION_DIGITS, '0');
  return `${run}-${name}-${String(event).padStart(NUMBER_DIGITS, '0')}`;
}

const MASKED = 0x80;
const MASK_BYTES = 4;

function headOf(firstByte: number, length: number): Buffer {
  const mask = new Array<number>(MASK_BYTES).fill(0);
  if (length < 126) return Buffer.from([firstByte, MASKED | length, ...mask]);
  if (length < 65_536) {
    const head = Buffer.alloc(4 + MASK_BYTES);
    head.set([firstByte, MASKED | 126]);
    head.writeUInt16BE(length, 2);
    return head;
  }
  const head = Buffer.alloc(10 + MASK_BYTES);
  head.set([firstByte, MASKED | 127]);
  head.writeBigUInt64BE(BigInt(length), 2);
  return head;
}
