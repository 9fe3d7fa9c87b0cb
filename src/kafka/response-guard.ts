/**
 * Filter for the data that kafkajs receives from a socket. It throws inside its data listener for a
 * response of impossible length, which would end the process: it gets data only while lengths are
 * valid.
 */
import type { Socket } from 'node:net';
import { LIMITS } from '../config/limits.ts';

const LENGTH_BYTES = 4;
/** A response has at least a correlation id. */
const RESPONSE_BYTES_MIN = 4;

export interface ResponseGuard {
  /** Longest valid response; default `LIMITS.responseBytes`. */
  readonly maxBytes?: number;
  /** Intercepts data before kafkajs. @returns false for data that kafkajs receives */
  take?(chunk: Buffer): boolean;
  /** Closes the connection: no broker sends this, or kafkajs threw on it. */
  refused(chunk: Buffer): void;
}

/** Guards data listeners that are added to the socket afterwards. */
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

/** Tracks the length prefixes of a stream of responses. */
export class LengthCheck {
  readonly #maxBytes: number;
  #prefix = 0;
  #prefixBytes = 0;
  #rest = 0;

  constructor(maxBytes: number = LIMITS.responseBytes) {
    this.#maxBytes = maxBytes;
  }

  /** @returns false if no broker sends a response of this length */
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
