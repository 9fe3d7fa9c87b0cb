/** Bodies with `Content-Encoding: gzip`: unpacked on threads, and never beyond their bound. */
import { createGunzip } from 'node:zlib';
import { LIMITS } from '../../limits.ts';

/** The body, or why there is none. */
export type Inflated = Buffer | 'too_large' | 'bad_encoding';

/** Bytes that a body of `bytes` may become: what grows more than any text does is an attack. */
export function inflatedBound(bytes: number): number {
  return Math.min(LIMITS.bodyBytes, Math.max(LIMITS.inflateFreeBytes, bytes * LIMITS.inflateRatio));
}

/** Inflates bodies, a few at the same time: the threads are those of compression and of files. */
export class Inflater {
  readonly #waiting: (() => void)[] = [];
  #running = 0;

  /** Calls `done` once, later. `body` must stay as it is until then. */
  inflate(body: Buffer, done: (inflated: Inflated) => void): void {
    const start = () => {
      this.#running++;
      gunzip(body, (inflated) => {
        this.#running--;
        this.#waiting.shift()?.();
        done(inflated);
      });
    };
    if (this.#running < LIMITS.inflating) start();
    else this.#waiting.push(start);
  }
}

/** Counts what comes out, and stops beyond the bound: what is not asked for is not made. */
function gunzip(body: Buffer, done: (inflated: Inflated) => void): void {
  const bound = inflatedBound(body.length);
  const chunks: Buffer[] = [];
  let bytes = 0;
  let over = false;
  const end = (inflated: Inflated) => {
    if (over) return;
    over = true;
    stream.destroy();
    done(inflated);
  };
  const stream = createGunzip({ chunkSize: LIMITS.inflateFreeBytes });
  stream.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > bound) end('too_large');
    else chunks.push(chunk);
  });
  stream.on('error', () => end('bad_encoding'));
  // It takes zeros behind the last member for padding, and reads no further.
  stream.on('end', () => {
    end(stream.bytesWritten === body.length ? Buffer.concat(chunks, bytes) : 'bad_encoding');
  });
  stream.end(body);
}
