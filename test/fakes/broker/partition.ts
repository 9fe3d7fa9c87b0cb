import { ProducerStates } from './producer-states.ts';
import { headerOf, isWhole, valuesIn } from './record-batch.ts';

const CORRUPT_MESSAGE = 2;
const MESSAGE_TOO_LARGE = 10;

interface StoredBatch {
  readonly baseOffset: number;
  readonly nextOffset: number;
  readonly bytes: Buffer;
}

/** One partition: its leader and its log, which all brokers of a cluster share. */
export class Partition {
  readonly index: number;
  /** Broker id; -1 = no leader. */
  leader: number;
  readonly #maxMessageBytes: number;
  readonly #producers = new ProducerStates();
  readonly #batches: StoredBatch[] = [];

  constructor(index: number, leader: number, maxMessageBytes: number) {
    this.index = index;
    this.leader = leader;
    this.#maxMessageBytes = maxMessageBytes;
  }

  get highWatermark(): number {
    return this.#batches.at(-1)?.nextOffset ?? 0;
  }

  /** Values of the records in the log, in order. */
  get values(): string[] {
    return this.#batches.flatMap(({ bytes }) => valuesIn(bytes));
  }

  /** Appends a batch if it is valid. @returns Kafka's error code */
  append(batch: Buffer): number {
    if (!isWhole(batch)) return CORRUPT_MESSAGE;
    if (batch.length > this.#maxMessageBytes) return MESSAGE_TOO_LARGE;
    const header = headerOf(batch);
    const admission = this.#producers.admit(header);
    if (typeof admission === 'number') return admission;
    if (admission === 'repeat') return 0;
    const baseOffset = this.highWatermark;
    const bytes = Buffer.from(batch);
    bytes.writeBigInt64BE(BigInt(baseOffset), 0); // outside of what the checksum covers
    this.#batches.push({ baseOffset, nextOffset: baseOffset + header.records, bytes });
    return 0;
  }

  /** Returns whole batches from the one with `offset` on: at least one, up to `maxBytes`. */
  read(offset: number, maxBytes: number): Buffer {
    const chosen: Buffer[] = [];
    let length = 0;
    for (const { nextOffset, bytes } of this.#batches) {
      if (nextOffset <= offset) continue;
      length += bytes.length;
      if (chosen.length > 0 && length > maxBytes) break;
      chosen.push(bytes);
    }
    return Buffer.concat(chosen);
  }
}
