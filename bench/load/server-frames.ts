/** Low-cost parser for the frames of a `forebay.v1` server, mostly acks. */
import type { Credit, NackError } from '../../testing/protocol.ts';

/** Callbacks for the frames of one connection. */
export interface ServerFrameListener {
  hello(credit: Credit): void;
  ack(frame: number): void;
  nack(frame: number, errors: readonly NackError[]): void;
  credit(credit: Credit): void;
  /** The payload has to be sent back. */
  ping(payload: Buffer): void;
  /** The server sent goaway or a close frame. */
  ended(why: string): void;
}

const OPCODE = { text: 1, close: 8, ping: 9 } as const;
const ACK = Buffer.from('{"ack":');
const [ZERO, NINE] = [0x30, 0x39];

export class ServerFrames {
  readonly #listener: ServerFrameListener;
  /** Incomplete frame. */
  #rest: Buffer | undefined;

  constructor(listener: ServerFrameListener) {
    this.#listener = listener;
  }

  /** @param chunk may be reused by the caller afterwards */
  push(chunk: Buffer): void {
    const bytes = this.#rest === undefined ? chunk : Buffer.concat([this.#rest, chunk]);
    this.#rest = undefined;
    let at = 0;
    while (at < bytes.length) {
      const start = startOf(bytes, at);
      const end = start === undefined ? undefined : start + lengthOf(bytes, at);
      if (end === undefined || end > bytes.length) {
        this.#rest = Buffer.from(bytes.subarray(at));
        return;
      }
      this.#frame(bytes[at]! & 0x0f, bytes, start!, end);
      at = end;
    }
  }

  #frame(opcode: number, bytes: Buffer, start: number, end: number): void {
    if (opcode === OPCODE.text) {
      const ack = ackIn(bytes, start, end);
      if (ack !== undefined) this.#listener.ack(ack);
      else this.#text(bytes.toString('utf8', start, end));
    } else if (opcode === OPCODE.ping) this.#listener.ping(Buffer.from(bytes.subarray(start, end)));
    else if (opcode === OPCODE.close) {
      const reason = bytes.toString('utf8', start + 2, end);
      this.#listener.ended(`close ${bytes.readUInt16BE(start)} ${reason}`);
    }
  }

  #text(text: string): void {
    const frame = JSON.parse(text) as {
      hello?: { credit: Credit };
      nack?: number;
      errors?: NackError[];
      credit?: Credit;
      goaway?: { reason: string };
    };
    if (frame.hello !== undefined) this.#listener.hello(frame.hello.credit);
    if (frame.nack !== undefined) this.#listener.nack(frame.nack, frame.errors ?? []);
    if (frame.credit !== undefined) this.#listener.credit(frame.credit);
    if (frame.goaway !== undefined) this.#listener.ended(`goaway ${frame.goaway.reason}`);
  }
}

/** Returns the start of the payload; undefined if it has not arrived. */
function startOf(bytes: Buffer, at: number): number | undefined {
  if (at + 2 > bytes.length) return undefined;
  const length = bytes[at + 1]!;
  const start = at + (length < 126 ? 2 : length === 126 ? 4 : 10);
  return start > bytes.length ? undefined : start;
}

function lengthOf(bytes: Buffer, at: number): number {
  const length = bytes[at + 1]!;
  if (length < 126) return length;
  return length === 126 ? bytes.readUInt16BE(at + 2) : Number(bytes.readBigUInt64BE(at + 2));
}

/** Returns the number of `{"ack":42}`; undefined for any other text. */
function ackIn(bytes: Buffer, start: number, end: number): number | undefined {
  if (end - start <= ACK.length) return undefined;
  for (let index = 0; index < ACK.length; index++) {
    if (bytes[start + index] !== ACK[index]) return undefined;
  }
  let number = 0;
  for (let at = start + ACK.length; at < end - 1; at++) {
    const digit = bytes[at]!;
    if (digit < ZERO || digit > NINE) return undefined;
    number = number * 10 + digit - ZERO;
  }
  return number;
}
