/** Decompression of bodies with a Content-Encoding, on the thread pool, up to the body limit. */
import type { Transform } from 'node:stream';
import zlib from 'node:zlib';
import { LIMITS, MIB } from '../../../config/limits.ts';
import { errorResponse, type ResponseContent, requestError } from './responses.ts';
import { type FrameFault, zstdFrames } from './zstd-frames.ts';

export type Encoding = 'gzip' | 'deflate' | 'br' | 'zstd';

type Stream = Transform & { readonly bytesWritten: number };

/** Members of zlib since Node.js 22.15. */
interface Zstd {
  readonly createZstdDecompress?: (options: object) => Stream;
  readonly constants: { readonly ZSTD_d_windowLogMax: number };
}
const { createZstdDecompress, constants } = zlib as unknown as Zstd;

/** Encodings that this Node.js version can decompress. */
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
    `a decompressed body may have up to ${LIMITS.bodyBytes} bytes`,
  ),
  too_many_frames: errorResponse(
    413,
    'too_large',
    `a zstd body may have up to ${LIMITS.bodyEvents} frames`,
  ),
  window_too_large: errorResponse(
    400,
    'bad_encoding',
    `a zstd window may have up to ${LIMITS.zstdWindowBytes / MIB} MiB: compress at a lower level`,
  ),
};

/** The decompressed body, or the response that rejects it. */
export type InflateResult = Buffer | ResponseContent;

/** Callbacks of a decompression. */
export interface InflateHandler {
  /** Reports the total output so far. */
  progress(outputBytes: number): void;
  /** Reports the result; called once, asynchronously, unless canceled. */
  done(result: InflateResult): void;
}

/**
 * Decompresses a few bodies at a time: batches and files share the thread pool. Queued senders are
 * served round-robin.
 */
export class Inflater {
  /** Queued starts by sender; the first sender is next. */
  readonly #waiting = new Map<string, (() => void)[]>();
  #running = 0;

  /**
   * Decompresses `body`, which must not change meanwhile.
   * @returns a function that cancels it: `handler` is not called again
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

/** Stops when the output exceeds the limit. @returns a function that cancels it, without `done` */
function decompress(
  encoding: Encoding,
  body: Buffer,
  progress: (outputBytes: number) => void,
  done: (result: InflateResult) => void,
): () => void {
  const parts = encoding === 'zstd' ? zstdFrames(body) : [body];
  if (!Array.isArray(parts)) {
    const immediate = setImmediate(done, FAULTS[parts]);
    return () => clearImmediate(immediate);
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
  // zlib ignores bytes after the end of the data.
  stream.on('end', () => {
    const isWhole = stream.bytesWritten === partBytes;
    end(isWhole ? Buffer.concat(chunks, bytes) : FAULTS.bad_encoding);
  });
  // The zstd decoder of zlib stops after the first frame of a write.
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
 * Returns whether data has a zlib header. RFC 9110 requires one for `deflate`; many clients send
 * raw data, where this first byte would mean a stored block with padding, which no encoder writes.
 */
function isZlib(body: Buffer): boolean {
  return (body[0]! & 0x0f) === 0x08;
}
