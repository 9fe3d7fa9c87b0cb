/**
 * What kafkajs hears of a socket. It throws inside its data listener for a response whose length
 * cannot be, which would end the process: so it gets data only while lengths make sense.
 */
import type { Socket } from 'node:net';
import { LIMITS } from '../config/limits.ts';

const LENGTH_BYTES = 4;
/** A response has at least its correlation id. */
const RESPONSE_BYTES_MIN = 4;

export interface ResponseGuard {
  /** Longest response that is believed; default `LIMITS.responseBytes`. */
  readonly maxBytes?: number;
  /** Takes data that kafkajs is not to hear. @returns false for what it is to hear */
  take?(chunk: Buffer): boolean;
  /** Ends the connection: no broker sends this, or kafkajs has failed on it. */
  refused(chunk: Buffer): void;
}

/** Guards the data listeners that are added to the socket from now on. */
export function guardResponses(socket: Socket, { maxBytes, take, refused }: ResponseGuard): void {
  const lengths = new LengthCheck(maxBytes);
  const on = socket.on.bind(socket) as (event: string, listener: object) => Socket;
  const guarded = (event: string, listener: (chunk: Buffer) => void): Socket => {
    if (event !== 'data') return on(event, listener);
    return on('data', (chunk: Buffer) => {
      if (!lengths.accept(chunk)) return refused(chunk);
      if (take?.(chunk)) return;
      try {
        listener(chunk);
      } catch {
        refused(chunk);
      }
    });
  };
  socket.on = guarded as typeof socket.on;
}

/** Follows the length prefixes of a stream of responses. */
export class LengthCheck {
  readonly #maxBytes: number;
  #prefix = 0;
  #prefixBytes = 0;
  #rest = 0;

  constructor(maxBytes: number = LIMITS.responseBytes) {
    this.#maxBytes = maxBytes;
  }

  /** @returns false when a response's length is none that a broker sends */
  accept(chunk: Buffer): boolean {
    let at = 0;
    while (at < chunk.length) {
      if (this.#rest > 0) {
        const step = Math.min(this.#rest, chunk.length - at);
        this.#rest -= step;
        at += step;
        continue;
      }
      this.#prefix = (this.#prefix << 8) | chunk[at++]!;
      if (++this.#prefixBytes < LENGTH_BYTES) continue;
      if (this.#prefix < RESPONSE_BYTES_MIN || this.#prefix > this.#maxBytes) return false;
      this.#rest = this.#prefix;
      this.#prefix = 0;
      this.#prefixBytes = 0;
    }
    return true;
  }
}
