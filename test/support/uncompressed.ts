import { CODECS, type Codec, loadCodec } from '../../src/kafka/compression/codecs.ts';
import { BATCH_HEADER_BYTES } from '../../src/worker/accumulator/records.ts';

const ATTRIBUTES_AT = 21;
const CODEC_MASK = 7;

let codecs: Map<number, Codec> | undefined;

/** Returns the codecs that this Node.js version has. */
export function availableCodecs(): Codec[] {
  return CODECS.flatMap((name) => {
    try {
      return [loadCodec(name)];
    } catch {
      return [];
    }
  });
}

/** Returns the codec number of a sealed batch; 0 = not compressed. */
export function codecOf(batch: Buffer): number {
  return batch.readInt16BE(ATTRIBUTES_AT) & CODEC_MASK;
}

/** Returns a sealed batch with its records decompressed, and the same header. */
export function uncompressed(batch: Buffer): Buffer {
  const id = codecOf(batch);
  if (id === 0) return batch;
  codecs ??= new Map(availableCodecs().map((codec) => [codec.id, codec]));
  const codec = codecs.get(id);
  if (codec === undefined) throw new Error(`a batch of codec ${id}`);
  const records = codec.decompress(batch.subarray(BATCH_HEADER_BYTES));
  return Buffer.concat([batch.subarray(0, BATCH_HEADER_BYTES), records]);
}
