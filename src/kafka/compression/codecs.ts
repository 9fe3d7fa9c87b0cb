/**
 * Compression codecs for record batches. A codec is loaded on demand; its settings and thresholds
 * come from measurements with `make bench-compression`.
 */
import { createRequire } from 'node:module';
import { promisify } from 'node:util';
import zlib from 'node:zlib';
import { EXIT, StartError } from '../../common/errors.ts';
import { KIB } from '../../config/limits.ts';
import { xerialChunks, xerialFrame } from './xerial.ts';

export const CODECS = ['gzip', 'lz4', 'snappy', 'zstd'] as const;
export type CodecName = (typeof CODECS)[number];

export interface Codec {
  /** Number in the attributes of a batch. */
  readonly id: number;
  /**
   * Size from which a thread compresses: inline, it would block the event loop for more than about
   * 250 µs. Below it, a thread costs more than it saves.
   */
  readonly threadBytes: number;
  compressSync(bytes: Buffer): Buffer;
  compress(bytes: Buffer): Promise<Buffer>;
  decompress(bytes: Buffer): Buffer;
}

/** Level 6, the default, takes three times as long for an eighth fewer bytes. */
const GZIP = { level: 1, memLevel: 9 };
const ZSTD_LEVEL = 1;

/** Used part of lz4-napi. Its frames have independent blocks, the only kind that Kafka reads. */
interface Lz4 {
  compressFrameSync(bytes: Buffer): Buffer;
  compressFrame(bytes: Buffer): Promise<Buffer>;
  decompressFrameSync(bytes: Buffer): Buffer;
}

interface Snappy {
  compressSync(bytes: Buffer, options: typeof SNAPPY): Buffer;
  compress(bytes: Buffer, options: typeof SNAPPY): Promise<Buffer>;
  uncompressSync(bytes: Buffer): Buffer;
}
/** Otherwise each result is a new allocation from the system, with slow page faults. */
const SNAPPY = { copyOutputData: true };

/** Members of zlib since Node.js 22.15. */
interface Zstd {
  readonly zstdCompressSync?: (bytes: Buffer, options: object) => Buffer;
  readonly zstdCompress: (
    bytes: Buffer,
    options: object,
    done: (error: Error | null, compressed: Buffer) => void,
  ) => void;
  readonly zstdDecompressSync: (bytes: Buffer) => Buffer;
  readonly constants: { readonly ZSTD_c_compressionLevel: number };
}

const LOADERS: Readonly<Record<CodecName, () => Codec>> = { gzip, lz4, snappy, zstd };

/** @throws Error if this Node.js or installation lacks the codec */
export function loadCodec(name: CodecName): Codec {
  return LOADERS[name]();
}

/**
 * Returns the codec for KAFKA_COMPRESSION; undefined for `none`.
 * @throws StartError if it is not available
 */
export function configuredCodec(compression: CodecName | 'none'): Codec | undefined {
  if (compression === 'none') return undefined;
  try {
    return loadCodec(compression);
  } catch (error) {
    throw new StartError(`KAFKA_COMPRESSION: ${(error as Error).message}`, EXIT.configuration);
  }
}

function gzip(): Codec {
  const compress = promisify<Buffer, zlib.ZlibOptions, Buffer>(zlib.gzip);
  return {
    id: 1,
    threadBytes: 48 * KIB,
    compressSync: (bytes) => zlib.gzipSync(bytes, GZIP),
    compress: (bytes) => compress(bytes, GZIP),
    decompress: (bytes) => zlib.gunzipSync(bytes),
  };
}

function snappy(): Codec {
  const library = load<Snappy>('snappy', 'snappy');
  return {
    id: 2,
    // A thread takes at least twice the CPU time, and longer.
    threadBytes: 384 * KIB,
    compressSync: (bytes) => xerialFrame(library.compressSync(bytes, SNAPPY)),
    compress: async (bytes) => xerialFrame(await library.compress(bytes, SNAPPY)),
    decompress: (bytes) =>
      Buffer.concat(xerialChunks(bytes).map((chunk) => library.uncompressSync(chunk))),
  };
}

function lz4(): Codec {
  const library = load<Lz4>('lz4', 'lz4-napi');
  return {
    id: 3,
    threadBytes: 128 * KIB,
    compressSync: (bytes) => library.compressFrameSync(bytes),
    compress: (bytes) => library.compressFrame(bytes),
    decompress: (bytes) => library.decompressFrameSync(bytes),
  };
}

function zstd(): Codec {
  const { zstdCompressSync, zstdCompress, zstdDecompressSync, constants } = zlib as unknown as Zstd;
  if (zstdCompressSync === undefined) {
    throw new Error(`zstd needs Node.js 22.15 or later, this is ${process.versions.node}`);
  }
  const options = { params: { [constants.ZSTD_c_compressionLevel]: ZSTD_LEVEL } };
  const compress = promisify<Buffer, object, Buffer>(zstdCompress);
  return {
    id: 4,
    threadBytes: 96 * KIB,
    compressSync: (bytes) => zstdCompressSync(bytes, options),
    compress: (bytes) => compress(bytes, options),
    decompress: (bytes) => zstdDecompressSync(bytes),
  };
}

function load<T>(name: CodecName, npmPackage: string): T {
  try {
    return createRequire(import.meta.url)(npmPackage) as T;
  } catch (error) {
    const [why] = (error as Error).message.split('\n');
    const again = 'run make setup again (npm ci)';
    throw new Error(`${name} needs the npm package ${npmPackage} (${why}); ${again}`);
  }
}
