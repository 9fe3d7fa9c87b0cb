/** Decompression for kafkajs, which itself supports only gzip. */
import { createRequire } from 'node:module';
import type * as Kafkajs from 'kafkajs';
import { type Codec, type CodecName, loadCodec } from '../../kafka/compression/codecs.ts';

// Through `import`, kafkajs hides these two.
const { CompressionCodecs, CompressionTypes } = createRequire(import.meta.url)(
  'kafkajs',
) as typeof Kafkajs;

/** Registers the other codecs of Forebay for every consumer of this process. */
export function registerCodecs(): void {
  CompressionCodecs[CompressionTypes.Snappy] = () => readWith('snappy');
  CompressionCodecs[CompressionTypes.LZ4] = () => readWith('lz4');
  CompressionCodecs[CompressionTypes.ZSTD] = () => readWith('zstd');
}

/** A batch that this process cannot decompress. */
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
