import type { Codec } from '../../kafka/compression/codecs.ts';
import { type Logger, SampledLog } from '../../logging/logger.ts';
import type { RecordBatch } from '../accumulator/batch.ts';
import type { Budget } from '../accumulator/budget.ts';
import { BATCH_HEADER_BYTES } from '../accumulator/records.ts';

/** Compresses batches before they are sealed: short ones inline, long ones on a thread. */
export class Compressor {
  readonly #codec: Codec;
  readonly #budget: Budget;
  readonly #log: Logger;
  readonly #sampled = new SampledLog();

  constructor(codec: Codec, budget: Budget, log: Logger) {
    this.#codec = codec;
    this.#budget = budget;
    this.#log = log;
  }

  /**
   * Compresses `batch`, once. Until then the batch must neither change nor be released, since a
   * thread reads it. A batch that fails to compress is sent uncompressed.
   * @returns whether it is done; otherwise `done` is called later
   */
  compress(batch: RecordBatch, done: () => void): boolean {
    const records = batch.buffer.subarray(BATCH_HEADER_BYTES, batch.length);
    if (records.length < this.#codec.threadBytes) {
      this.#compressNow(batch, records);
      return true;
    }
    void this.#compressOnThread(batch, records).then(done);
    return false;
  }

  #compressNow(batch: RecordBatch, records: Buffer): void {
    try {
      this.#keep(batch, this.#codec.compressSync(records));
    } catch (error) {
      this.#failed(batch, error);
    }
  }

  async #compressOnThread(batch: RecordBatch, records: Buffer): Promise<void> {
    try {
      this.#keep(batch, await this.#codec.compress(records));
    } catch (error) {
      this.#failed(batch, error);
    }
  }

  /** Charges the copy even beyond the limit: compression helps most under overload. */
  #keep(batch: RecordBatch, compressed: Buffer): void {
    const length = BATCH_HEADER_BYTES + compressed.length;
    if (length >= batch.length) return batch.skipCompression();
    const memory = batch.partition.topic.share ?? this.#budget;
    const buffer = memory.forceAllocate(length);
    compressed.copy(buffer, BATCH_HEADER_BYTES);
    batch.setCompressed({ buffer, length, codec: this.#codec.id });
  }

  #failed(batch: RecordBatch, error: unknown): void {
    batch.skipCompression();
    this.#sampled.line('failed', (held) =>
      this.#log.error(
        { error: String(error), held },
        'batch compression failed, sending uncompressed',
      ),
    );
  }
}
