/** kafkajs knows gzip by itself; the other codecs that a topic may hold are given to it here. */
import { createRequire } from 'node:module';
import type * as Kafkajs from 'kafkajs';
import { type Codec, type CodecName, loadCodec } from '../../kafka/compression/codecs.ts';

// As a module of its own kind kafkajs hides these two from `import`.
const { CompressionCodecs, CompressionTypes } = createRequire(import.meta.url)(
  'kafkajs',
) as typeof Kafkajs;

/** Lets every consumer of this process read what Forebay may have written. */
export function registerCodecs(): void {
  CompressionCodecs[CompressionTypes.Snappy] = () => readWith('snappy');
  CompressionCodecs[CompressionTypes.LZ4] = () => readWith('lz4');
  CompressionCodecs[CompressionTypes.ZSTD] = () => readWith('zstd');
}

/** A batch that this process has no way to read. */
export class CodecError extends Error {
  override readonly name = 'CodecError';
}

function readWith(name: CodecName): { decompress(bytes: Buffer): Promise<Buffer> } {
  const codec = load(name);
  return { decompress: async (bytes) => codec.decompress(bytes) };
}

function load(name: CodecName): Codec {
  try {
    return loadCodec(name);
  } catch (error) {
    throw new CodecError((error as Error).message);
  }
}
