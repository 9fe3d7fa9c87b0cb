import { type EncodedFrame, encodeFrame } from './encoding.ts';
import type { LoadShape } from './messages.ts';

/** Part of a load's shape that determines its bytes. */
export type PacketShape = Pick<
  LoadShape,
  'run' | 'eventsPerFrame' | 'framesPerPacket' | 'eventBytes' | 'encoding'
>;

/**
 * Bytes that one connection sends, encoded once. Only the digits of an event's number and timestamp
 * change:
 *
 *   81 fe 00 8c  00 00 00 00  {"id":"r1-00007-00000042","clientId":"client-00007","timestamp":…
 *   text, mask   the mask: 0                        ^ number                        time ^
 *
 * A mask of 0 is as valid as any other, and leaves the bytes unchanged.
 */
export class Packet {
  /** Payload bytes of one frame. */
  readonly frameBytes: number;
  readonly #bytes: Buffer;
  readonly #frame: EncodedFrame;
  /** Positions of the events' numbers and timestamps. */
  readonly #numbersAt: number[] = [];
  readonly #timesAt: number[] = [];

  /** @throws RangeError if `eventBytes` is too small for the fields */
  constructor(shape: PacketShape, connection: number) {
    const { encoding = 'json', eventsPerFrame, framesPerPacket } = shape;
    const frame = encodeFrame(encoding, eventOf(shape, connection), TIME, eventsPerFrame);
    const { payload, eventsAt, timeIn } = frame;
    this.#frame = frame;
    this.frameBytes = payload.length;
    const head = headOf(frame.firstByte, payload.length);
    const bytes = Buffer.concat([head, payload]);
    this.#bytes = Buffer.concat(Array.from({ length: framesPerPacket }, () => bytes));
    const numberIn = payload.indexOf(NUMBER) - eventsAt[0]!;
    for (let frames = 0; frames < framesPerPacket; frames++) {
      for (const eventAt of eventsAt) {
        const at = frames * bytes.length + head.length + eventAt;
        this.#numbersAt.push(at + numberIn);
        this.#timesAt.push(at + timeIn);
      }
    }
  }

  get length(): number {
    return this.#bytes.length;
  }

  /**
   * Writes the packet with the events `first`, `first + 1`, …
   * @param time 13 digits
   */
  write(into: Buffer, at: number, first: number, time: Uint8Array): void {
    into.set(this.#bytes, at);
    for (let index = 0; index < this.#numbersAt.length; index++) {
      let rest = first + index;
      for (let digit = at + this.#numbersAt[index]! + NUMBER.length - 1; rest > 0; digit--) {
        into[digit] = ZERO + (rest % 10);
        rest = Math.floor(rest / 10);
      }
      this.#frame.writeTime(into, at + this.#timesAt[index]!, time);
    }
  }
}

const ZERO = 0x30;
const NUMBER = '00000000';
const TIME = '1000000000000';
export const CONNECTION_DIGITS = 5;
export const NUMBER_DIGITS = NUMBER.length;

/** Returns the id of an event from run, connection and number; it identifies the record. */
export function idOf(run: string, connection: number, event: number): string {
  const name = String(connection).padStart(CONNECTION_DIGITS, '0');
  return `${run}-${name}-${String(event).padStart(NUMBER.length, '0')}`;
}

/** Returns an event with number 0; `id` comes first, where it is found quickly. */
function eventOf({ run, eventBytes }: PacketShape, connection: number): string {
  const name = String(connection).padStart(CONNECTION_DIGITS, '0');
  const start = `{"id":"${idOf(run, connection, 0)}","clientId":"client-${name}"`;
  const fields = `${start},"timestamp":${TIME},"msg":"`;
  const filling = eventBytes - fields.length - 2;
  if (filling < 0) throw new RangeError(`an event does not fit into ${eventBytes} bytes`);
  return `${fields}${'x'.repeat(filling)}"}`;
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
