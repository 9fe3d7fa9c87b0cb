/** Bodies with a Content-Encoding: decompressed on threads, up to the bound of every body. */
import type { Transform } from 'node:stream';
import zlib from 'node:zlib';
import { LIMITS, MIB } from '../../limits.ts';
import { type Answer, errorAnswer, requestError } from './answers.ts';
import { type FrameFault, zstdFrames } from './zstd-frames.ts';

export type Encoding = 'gzip' | 'deflate' | 'br' | 'zstd';

type Stream = Transform & { readonly bytesWritten: number };

/** Members of zlib from Node.js 22.15 on, missing in the types of Node.js 20. */
interface Zstd {
  readonly createZstdDecompress?: (options: object) => Stream;
  readonly constants: { readonly ZSTD_d_windowLogMax: number };
}
const { createZstdDecompress, constants } = zlib as unknown as Zstd;

/** The encodings that this Node.js can decompress. */
export const ENCODINGS: readonly Encoding[] = [
  'gzip',
  'deflate',
  'br',
  ...(createZstdDecompress === undefined ? [] : (['zstd'] as const)),
];

const OPTIONS = { chunkSize: LIMITS.inflateChunkBytes };

const FAULTS: Readonly<Record<FrameFault, Answer>> = {
  bad_encoding: requestError('bad_encoding'),
  too_large: errorAnswer(
    413,
    'too_large',
    `decompressed, a body may have ${LIMITS.bodyBytes} bytes`,
  ),
  too_many_frames: errorAnswer(
    413,
    'too_large',
    `a zstd body may have ${LIMITS.bodyEvents} frames`,
  ),
  window_too_large: errorAnswer(
    400,
    'bad_encoding',
    `a zstd window may have ${LIMITS.zstdWindowBytes / MIB} MiB: compress at a lower level`,
  ),
};

/** The decompressed body, or the answer that rejects it. */
export type Inflated = Buffer | Answer;

/**
 * Decompresses a few bodies at a time: batches and files are worked on by the same threads. Senders
 * of those that wait have their turns one after the other.
 */
export class Inflater {
  /** What starts each, by sender; the sender whose turn is next is the first. */
  readonly #waiting = new Map<string, (() => void)[]>();
  #running = 0;

  /** Calls `done` once, later. `body` must stay as it is until then. */
  inflate(
    sender: string,
    encoding: Encoding,
    body: Buffer,
    done: (inflated: Inflated) => void,
  ): void {
    const start = () => {
      this.#running++;
      decompress(encoding, body, (inflated) => {
        this.#running--;
        this.#startNext();
        done(inflated);
      });
    };
    if (this.#running < LIMITS.inflating) return start();
    const others = this.#waiting.get(sender);
    if (others === undefined) this.#waiting.set(sender, [start]);
    else others.push(start);
  }

  #startNext(): void {
    for (const [sender, starts] of this.#waiting) {
      this.#waiting.delete(sender);
      const start = starts.shift()!;
      if (starts.length > 0) this.#waiting.set(sender, starts);
      return start();
    }
  }
}

/** Stops as soon as the output passes the bound. */
function decompress(encoding: Encoding, body: Buffer, done: (inflated: Inflated) => void): void {
  const parts = encoding === 'zstd' ? zstdFrames(body) : [body];
  if (!Array.isArray(parts)) {
    setImmediate(done, FAULTS[parts]);
    return;
  }
  const stream = streamOf(encoding, body);
  const chunks: Buffer[] = [];
  let bytes = 0;
  let over = false;
  const end = (inflated: Inflated) => {
    if (over) return;
    over = true;
    stream.destroy();
    done(inflated);
  };
  stream.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > LIMITS.bodyBytes) end(FAULTS.too_large);
    else chunks.push(chunk);
  });
  stream.on('error', () => end(FAULTS.bad_encoding));
  const partBytes = parts.reduce((sum, part) => sum + part.length, 0);
  // Bytes after the end of the data are not read, and are no error to zlib.
  stream.on('end', () => {
    const isWhole = stream.bytesWritten === partBytes;
    end(isWhole ? Buffer.concat(chunks, bytes) : FAULTS.bad_encoding);
  });
  // zlib's decoder of zstd stops after the first frame of a write.
  for (const part of parts) stream.write(part);
  stream.end();
}

function streamOf(encoding: Encoding, body: Buffer): Stream {
  switch (encoding) {
    case 'gzip':
      return zlib.createGunzip(OPTIONS);
    case 'deflate':
      return isZlib(body) ? zlib.createInflate(OPTIONS) : zlib.createInflateRaw(OPTIONS);
    case 'br':
      return zlib.createBrotliDecompress(OPTIONS);
    case 'zstd': {
      const params = { [constants.ZSTD_d_windowLogMax]: Math.log2(LIMITS.zstdWindowBytes) };
      return createZstdDecompress!({ ...OPTIONS, params });
    }
  }
}

/**
 * Returns whether data has zlib's header. RFC 9110 requires it for `deflate`; many clients send raw
 * data, where this first byte would be a stored block with padding that no encoder writes.
 */
function isZlib(body: Buffer): boolean {
  return (body[0]! & 0x0f) === 0x08;
}
