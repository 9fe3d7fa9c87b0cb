/** Bodies with a Content-Encoding: decompressed on threads, up to the bound of every body. */
import type { Transform } from 'node:stream';
import zlib from 'node:zlib';
import { LIMITS, MIB } from '../../../config/limits.ts';
import { errorResponse, type ResponseContent, requestError } from './responses.ts';
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

const FAULTS: Readonly<Record<FrameFault, ResponseContent>> = {
  bad_encoding: requestError('bad_encoding'),
  too_large: errorResponse(
    413,
    'too_large',
    `decompressed, a body may have ${LIMITS.bodyBytes} bytes`,
  ),
  too_many_frames: errorResponse(
    413,
    'too_large',
    `a zstd body may have ${LIMITS.bodyEvents} frames`,
  ),
  window_too_large: errorResponse(
    400,
    'bad_encoding',
    `a zstd window may have ${LIMITS.zstdWindowBytes / MIB} MiB: compress at a lower level`,
  ),
};

/** The decompressed body, or the answer that rejects it. */
export type InflateResult = Buffer | ResponseContent;

/** What is heard of a decompression. */
export interface InflateHandler {
  /** Its output has so many bytes so far. */
  progress(outputBytes: number): void;
  /** It is over; called once, later, unless it was canceled. */
  done(result: InflateResult): void;
}

/**
 * Decompresses a few bodies at a time: batches and files are worked on by the same threads. Senders
 * of those that wait have their turns one after the other.
 */
export class Inflater {
  /** What starts each, by sender; the sender whose turn is next is the first. */
  readonly #waiting = new Map<string, (() => void)[]>();
  #running = 0;

  /**
   * Decompresses `body`, which must stay as it is meanwhile.
   * @returns cancels it: `listener` hears nothing more
   */
  inflate(sender: string, encoding: Encoding, body: Buffer, handler: InflateHandler): () => void {
    let stop: (() => void) | undefined;
    const leave = () => {
      this.#running--;
      this.#startNext();
    };
    const start = () => {
      this.#running++;
      stop = decompress(encoding, body, handler.progress, (result) => {
        stop = undefined;
        leave();
        handler.done(result);
      });
    };
    if (this.#running < LIMITS.inflating) start();
    else this.#enqueue(sender, start);
    return () => {
      this.#dequeue(sender, start);
      if (stop === undefined) return;
      stop();
      stop = undefined;
      leave();
    };
  }

  #enqueue(sender: string, start: () => void): void {
    const others = this.#waiting.get(sender);
    if (others === undefined) this.#waiting.set(sender, [start]);
    else others.push(start);
  }

  #dequeue(sender: string, start: () => void): void {
    const starts = this.#waiting.get(sender) ?? [];
    const index = starts.indexOf(start);
    if (index < 0) return;
    starts.splice(index, 1);
    if (starts.length === 0) this.#waiting.delete(sender);
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

/** Stops as soon as the output passes the bound. @returns ends it before, without `done` */
function decompress(
  encoding: Encoding,
  body: Buffer,
  progress: (outputBytes: number) => void,
  done: (result: InflateResult) => void,
): () => void {
  const parts = encoding === 'zstd' ? zstdFrames(body) : [body];
  if (!Array.isArray(parts)) {
    const soon = setImmediate(done, FAULTS[parts]);
    return () => clearImmediate(soon);
  }
  const stream = streamOf(encoding, body);
  const chunks: Buffer[] = [];
  let bytes = 0;
  let ended = false;
  const end = (result: InflateResult) => {
    if (ended) return;
    ended = true;
    stream.destroy();
    done(result);
  };
  stream.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > LIMITS.bodyBytes) end(FAULTS.too_large);
    else {
      chunks.push(chunk);
      progress(bytes);
    }
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
  return () => {
    ended = true;
    stream.destroy();
  };
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
