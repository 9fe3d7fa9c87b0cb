/**
 * One broker's copy of one partition, with the idempotence rules of Kafka 4.1 (ProducerStateEntry,
 * ProducerAppendInfo): the last five batches of a producer, its epoch, and no state = any sequence.
 * Left out: transactions, the expiry of producers, records that are deleted.
 */
import type { BatchView } from './wire.ts';

const SEQUENCE_SPAN = 2 ** 31;
/** Batches of a producer that a broker remembers. */
const REMEMBERED = 5;

export const OUT_OF_ORDER_SEQUENCE = 45;
export const INVALID_PRODUCER_EPOCH = 47;

interface ProducerState {
  epoch: number;
  /** The newest last. */
  batches: { sequence: number; records: number; end: number }[];
}

/** A broker's decision on a batch. */
export type Decision =
  | { readonly do: 'append' }
  /** The log has it already; `end` is the log's length after it. */
  | { readonly do: 'repeat'; readonly end: number }
  | { readonly do: 'refuse'; readonly code: number };

export class Replica {
  readonly log: BatchView[] = [];
  #producers = new Map<number, ProducerState>();

  decide({ producerId, epoch, sequence, records }: BatchView): Decision {
    const state = this.#producers.get(producerId);
    if (state === undefined) return { do: 'append' };
    if (epoch === state.epoch) {
      const same = state.batches.find(
        (batch) => batch.sequence === sequence && batch.records === records,
      );
      if (same !== undefined) return { do: 'repeat', end: same.end };
      const last = state.batches.at(-1)!;
      const expected = (last.sequence + last.records) % SEQUENCE_SPAN;
      if (sequence === expected) return { do: 'append' };
      return { do: 'refuse', code: OUT_OF_ORDER_SEQUENCE };
    }
    if (epoch < state.epoch) return { do: 'refuse', code: INVALID_PRODUCER_EPOCH };
    if (sequence === 0) return { do: 'append' };
    return { do: 'refuse', code: OUT_OF_ORDER_SEQUENCE };
  }

  /** @returns the length of the log after the append */
  append(batch: BatchView): number {
    const end = this.log.push(batch);
    this.#remember(batch, end);
    return end;
  }

  /** Makes this log equal to the log of `leader`. @returns number of batches truncated */
  follow(leader: Replica): number {
    // Logs with a common entry have a common prefix.
    let common = Math.min(this.log.length, leader.log.length);
    while (common > 0 && this.log[common - 1] !== leader.log[common - 1]) common--;
    const lost = this.log.length - common;
    if (lost > 0) {
      this.log.length = common;
      this.#producers = new Map();
      for (const [index, batch] of this.log.entries()) this.#remember(batch, index + 1);
    }
    for (let at = common; at < leader.log.length; at++) this.append(leader.log[at]!);
    return lost;
  }

  #remember({ producerId, epoch, sequence, records }: BatchView, end: number): void {
    let state = this.#producers.get(producerId);
    if (state === undefined || state.epoch !== epoch) {
      state = { epoch, batches: [] };
      this.#producers.set(producerId, state);
    }
    state.batches.push({ sequence, records, end });
    if (state.batches.length > REMEMBERED) state.batches.shift();
  }
}
