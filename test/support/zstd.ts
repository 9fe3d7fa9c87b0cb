/** zstd by node:zlib, from Node.js 22.15 on. */
import zlib from 'node:zlib';

interface Zstd {
  readonly zstdCompressSync?: (bytes: Buffer, options?: object) => Buffer;
}
const zstd = zlib as unknown as Zstd;

export const HAS_ZSTD = zstd.zstdCompressSync !== undefined;
/** For a test's option `skip`. */
export const NEEDS_ZSTD = !HAS_ZSTD && 'needs Node.js 22.15';

export function zstdCompressSync(bytes: Buffer, options?: object): Buffer {
  return zstd.zstdCompressSync!(bytes, options);
}
