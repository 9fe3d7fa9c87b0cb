import { LIMITS } from '../../config/limits.ts';
import type { RecordBatch, RecordReader } from '../accumulator/batch.ts';
import type { Budget } from '../accumulator/budget.ts';
import { type RecordSlice, readHeaders } from '../accumulator/records.ts';

/** A record as the response to its body shows it. */
export interface StoredRecord {
  /** Number of its event in the body. */
  readonly event: number;
  /** Undefined without a stream file. */
  readonly stream: string | undefined;
  /** Null = not chosen yet, of an event in a dry run. */
  readonly partition: number | null;
  /** ms since 1970 */
  readonly timestamp: number;
  /** Null = none. */
  readonly key: string | null;
  /** In the order of the record. */
  readonly headers: Readonly<Record<string, string>>;
}

/**
 * The records of the first stored events of a body, bounded by `LIMITS.shownRecords`. Charged to the
 * budget, even above its limit, until {@link release}.
 */
export class StoredRecords implements RecordReader {
  readonly #budget: Pick<Budget, 'forceCharge' | 'release'>;
  /** By event. */
  readonly #records: StoredRecord[] = [];
  /** Memory of each. */
  readonly #bytes: number[] = [];
  #chargedBytes = 0;
  /** This event and later ones are left out: the others are the same in any order of results. */
  #end = Number.POSITIVE_INFINITY;

  constructor(budget: Pick<Budget, 'forceCharge' | 'release'>) {
    this.#budget = budget;
  }

  /** The records so far. */
  get all(): readonly StoredRecord[] {
    return this.#records;
  }

  reads(event: number): boolean {
    return event < this.#end;
  }

  read(
    batch: RecordBatch,
    slices: readonly RecordSlice[],
    from: number,
    to: number,
    stream: string | undefined,
  ): void {
    for (let index = from; index < to; index++) {
      const event = batch.events[index]!;
      if (!this.reads(event)) continue;
      const slice = slices[index]!;
      const { contentStart, end, valueBytes } = slice;
      this.add(recordOf(event, batch, slice, stream), end - contentStart - valueBytes);
    }
  }

  /** Frees the memory. Nothing may be read afterwards. */
  release(): void {
    this.#budget.release(this.#chargedBytes);
    this.#chargedBytes = 0;
  }

  /** Adds a record. @param contentBytes of its key and headers */
  add(record: StoredRecord, contentBytes: number): void {
    const next = this.#records.findIndex(({ event }) => event > record.event);
    const at = next < 0 ? this.#records.length : next;
    const bytes = contentBytes + LIMITS.shownRecords.overheadBytes;
    this.#records.splice(at, 0, record);
    this.#bytes.splice(at, 0, bytes);
    this.#charge(bytes);
    const { count, bytes: bytesMax } = LIMITS.shownRecords;
    while (this.#records.length > count || this.#chargedBytes > bytesMax) {
      this.#end = this.#records.pop()!.event;
      this.#charge(-this.#bytes.pop()!);
    }
  }

  #charge(bytes: number): void {
    if (bytes > 0) this.#budget.forceCharge(bytes);
    else this.#budget.release(-bytes);
    this.#chargedBytes += bytes;
  }
}

function recordOf(
  event: number,
  batch: RecordBatch,
  slice: RecordSlice,
  stream: string | undefined,
): StoredRecord {
  const { buffer, partition, firstTimestamp } = batch;
  const { keyStart, keyBytes, timestampDelta } = slice;
  return {
    event,
    stream,
    partition: partition.number,
    timestamp: firstTimestamp + timestampDelta,
    key: keyBytes < 0 ? null : buffer.toString('utf8', keyStart, keyStart + keyBytes),
    headers: Object.fromEntries(readHeaders(buffer, slice)),
  };
}
