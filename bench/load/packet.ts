import { type Written, write } from './encoding.ts';
import type { LoadShape } from './messages.ts';

/** The part of a load's shape that its bytes show. */
export type PacketShape = Pick<
  LoadShape,
  'run' | 'eventsPerFrame' | 'framesPerPacket' | 'eventBytes' | 'encoding'
>;

/**
 * What one connection sends, as bytes that are made once. Of each event only the digits of its
 * number and of the time change:
 *
 *   81 fe 00 8c  00 00 00 00  {"id":"r1-00007-00000042","clientId":"client-00007","timestamp":…
 *   text, mask   the mask: 0                        ^ number                        time ^
 *
 * A mask of 0 is as legal as any other, and leaves the bytes as they are.
 */
export class Packet {
  /** Payload bytes of one frame. */
  readonly frameBytes: number;
  readonly #bytes: Buffer;
  readonly #written: Written;
  /** Where the events' numbers stand, and their times. */
  readonly #numbersAt: number[] = [];
  readonly #timesAt: number[] = [];

  /** @throws RangeError when `eventBytes` does not hold the fields */
  constructor(shape: PacketShape, connection: number) {
    const { encoding = 'json', eventsPerFrame, framesPerPacket } = shape;
    const written = write(encoding, eventOf(shape, connection), TIME, eventsPerFrame);
    const { payload, eventsAt, timeIn } = written;
    this.#written = written;
    this.frameBytes = payload.length;
    const head = headOf(written.firstByte, payload.length);
    const frame = Buffer.concat([head, payload]);
    this.#bytes = Buffer.concat(Array.from({ length: framesPerPacket }, () => frame));
    const numberIn = payload.indexOf(NUMBER) - eventsAt[0]!;
    for (let frames = 0; frames < framesPerPacket; frames++) {
      for (const eventAt of eventsAt) {
        const at = frames * frame.length + head.length + eventAt;
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
      this.#written.writeTime(into, at + this.#timesAt[index]!, time);
    }
  }
}

const ZERO = 0x30;
const NUMBER = '00000000';
const TIME = '1000000000000';
export const CONNECTION_DIGITS = 5;
export const NUMBER_DIGITS = NUMBER.length;

/** Run, connection and number of an event: what its record is told by. */
export function idOf(run: string, connection: number, event: number): string {
  const name = String(connection).padStart(CONNECTION_DIGITS, '0');
  return `${run}-${name}-${String(event).padStart(NUMBER.length, '0')}`;
}

/** An event with number 0; its `id` comes first, where a reader finds it quickly. */
function eventOf({ run, eventBytes }: PacketShape, connection: number): string {
  const name = String(connection).padStart(CONNECTION_DIGITS, '0');
  const start = `{"id":"${idOf(run, connection, 0)}","clientId":"client-${name}"`;
  const fields = `${start},"timestamp":${TIME},"msg":"`;
  const filling = eventBytes - fields.length - 2;
  if (filling < 0) throw new RangeError(`an event takes more than ${eventBytes} bytes`);
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
