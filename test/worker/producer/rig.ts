import { RecordBatch } from '../../../src/worker/accumulator/batch.ts';
import { type Outcome, outcomeOf } from '../../../src/worker/producer/error-table.ts';
import { Lane, type Random, type Settlement } from '../../../src/worker/producer/lane.ts';
import { batchOfValues } from '../../../testing/batches.ts';

export const PRODUCER_ID = 4_001n;
export const WALL_MS = 1_700_000_000_000;

/** A lane, its clock, and the producer's part: sending, splitting. */
export class Rig {
  readonly lane: Lane;
  nowMs = 1_000;

  constructor({
    epoch = 0,
    sequence = 0,
    random = () => 0.5,
  }: { epoch?: number; sequence?: number; random?: Random } = {}) {
    this.lane = new Lane(random);
    this.lane.setProducerId(PRODUCER_ID, epoch, sequence);
  }

  /** Makes a batch of `values` the head. */
  start(...values: string[]): RecordBatch {
    const batch = batchOfValues(values);
    this.lane.start(batch);
    return batch;
  }

  /** Waits for the lane's back-off, and sends. @returns a copy of the bytes */
  send(): Buffer {
    this.nowMs = Math.max(this.nowMs, this.lane.notBeforeMs);
    return Buffer.from(this.lane.send(this.nowMs));
  }

  settle(outcome: Outcome): Settlement {
    return this.lane.settle(outcome, this.nowMs, WALL_MS);
  }

  settleCode(errorCode: number): Settlement {
    return this.settle(outcomeOf(errorCode));
  }

  /** Sends, and the broker answers with `errorCode`. */
  attempt(errorCode: number): Settlement {
    this.send();
    return this.settleCode(errorCode);
  }

  /** Halves the head as a settlement requires. */
  halve(batch: RecordBatch): void {
    const rest = new RecordBatch(Buffer.alloc(batch.buffer.length), batch.partition);
    batch.split(Math.ceil(batch.records / 2), rest);
    this.lane.halved(rest);
  }
}
