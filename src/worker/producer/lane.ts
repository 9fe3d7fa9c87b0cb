/**
 * One topic-partition of one worker: sends its batches one after the other. The *head* is the batch
 * being sent. Pure code: no network, no clock, no timers; the producer drives it with events and
 * times. ARCHITECTURE.md shows its states.
 *
 * Invariant: at most one batch is in flight, and the sequence advances only when it is stored. One
 * attempt without a definite answer makes the fate of a batch *unknown*, and no later rejection
 * changes that. An unknown batch is sent again with identical bytes until it is stored. If the
 * broker can no longer accept it, it is given up: the lane moves to a new epoch, and the senders
 * get `timeout`.
 */
import assert from 'node:assert/strict';
import { backoffMs } from '../../common/backoff.ts';
import type { LaneStateName, ProduceErrorClass } from '../../metrics/labels.ts';
import type { RecordBatch } from '../accumulator/batch.ts';
import { type Outcome, UNKNOWN_TOPIC_OR_PARTITION } from './error-table.ts';

const SEQUENCE_SPAN = 2 ** 31;
const EPOCH_MAX = 32_767;
const BACKOFF_MS = {
  fast: { first: 20, last: 200 },
  // Up to 5 s with jitter: restored permissions take effect within that time.
  slow: { first: 1_000, last: 4_000 },
} as const;
/** Unanswered attempts after which a batch is sent alone; a broker that dies leaves one. */
const UNANSWERED_TOGETHER_MAX = 2;
type Pace = keyof typeof BACKOFF_MS;

/** Consequence of an attempt: the action of the producer on the batch. */
export type Settlement =
  | { readonly do: 'stored'; readonly batch: RecordBatch; readonly class?: ProduceErrorClass }
  /** The batch stays at the head and is sent again at `notBeforeMs`. */
  | {
      readonly do: 'retry';
      readonly class: ProduceErrorClass;
      readonly refresh: boolean;
      readonly reset?: Reset;
    }
  /** Halve it and pass the second half to {@link Lane.halved}. */
  | { readonly do: 'split'; readonly batch: RecordBatch; readonly class: 'poison' }
  /** Its only record is rejected for good. */
  | {
      readonly do: 'reject';
      readonly batch: RecordBatch;
      readonly class: 'poison';
      readonly code: 'too_large' | 'rejected_by_kafka';
    }
  /** Possibly stored, which can no longer be determined: `timeout`, never sent again. */
  | {
      readonly do: 'giveUp';
      readonly batch: RecordBatch;
      readonly class: ProduceErrorClass;
      readonly reset: Reset;
    };

/** Reset of a lane: next epoch, or a new producer id after the last epoch. */
export type Reset = 'epoch' | 'producer_id';

/** Random numbers in [0, 1) for the jitter of retries. */
export type Random = () => number;

/** Batches of a lane whose partition was removed. */
export interface UnfinishedBatches {
  /** Batches without a record in Kafka. */
  readonly unsent: readonly RecordBatch[];
  /** Possibly stored before the partition was removed: never sent again. */
  readonly lost: RecordBatch | undefined;
}

export class Lane {
  readonly #random: Random;
  #producerId: bigint | undefined;
  #epoch = 0;
  #nextSequence = 0;
  #head: RecordBatch | undefined;
  /** Batches split off the head; sent before all that are queued. */
  readonly #rest: RecordBatch[] = [];
  #sealed = false;
  #attempts = 0;
  /** Retries of the head, by pace: each pace has its own back-off. */
  #retries = { fast: 0, slow: 0 };
  /** Consecutive attempts of the head without a response. */
  #unanswered = 0;
  #troubled = false;
  #unknown = false;
  /** Every attempt that left the batch unknown got UNKNOWN_TOPIC_OR_PARTITION. */
  #partitionAbsent = true;
  /** The head got CORRUPT_MESSAGE once. */
  #corrupt = false;
  #inFlight = false;
  #compressing = false;
  #notBeforeMs = 0;
  /** End of the back-off, whatever {@link hold} says. */
  #backoffEndMs = 0;

  constructor(random: Random = Math.random) {
    this.#random = random;
  }

  get head(): RecordBatch | undefined {
    return this.#head;
  }
  get inFlight(): boolean {
    return this.#inFlight;
  }
  /** The head is being compressed: it is neither sent nor released meanwhile. */
  get compressing(): boolean {
    return this.#compressing;
  }
  /** An attempt of the head got no definite answer. */
  get unknown(): boolean {
    return this.#unknown;
  }
  /**
   * True from a retry until a batch is stored on its first attempt: such a lane does not share
   * requests with healthy lanes, so that it does not delay them repeatedly.
   */
  get troubled(): boolean {
    return this.#troubled;
  }
  /**
   * The last attempts of the head got no response. The batch may be the cause, so no other lane's
   * batch shares its request.
   */
  get alone(): boolean {
    return this.#unanswered >= UNANSWERED_TOGETHER_MAX;
  }
  get attempts(): number {
    return this.#attempts;
  }
  get needsProducerId(): boolean {
    return this.#producerId === undefined;
  }
  /** Earliest time of the next attempt, ms on the monotonic clock. */
  get notBeforeMs(): number {
    return this.#notBeforeMs;
  }
  /** Current producer id, epoch and sequence; for logs and tests. */
  get position(): { producerId: bigint | undefined; epoch: number; nextSequence: number } {
    return { producerId: this.#producerId, epoch: this.#epoch, nextSequence: this.#nextSequence };
  }

  /** Oldest batch of the lane; queued batches are newer. */
  get oldest(): RecordBatch | undefined {
    return this.#head ?? this.#rest[0];
  }

  /** The lane has neither a head nor batches split off it. */
  get idle(): boolean {
    return this.#head === undefined && this.#rest.length === 0;
  }

  get state(): LaneStateName {
    if (this.#inFlight) return 'in_flight';
    if (this.#unknown) return 'unknown';
    if (this.#attempts > 0) return 'retrying';
    return this.idle ? 'empty' : 'filling';
  }

  /** Whether an attempt may start now, if there is a batch. */
  mayContinue(nowMs: number): boolean {
    if (this.#inFlight || this.#compressing) return false;
    return this.#producerId !== undefined && nowMs >= this.#notBeforeMs;
  }

  /** Sets a new producer id; epoch and sequence start at the broker's values. */
  setProducerId(producerId: bigint, epoch: number, nextSequence = 0): void {
    assert(this.#producerId === undefined, 'a lane has one producer id');
    assert(!this.#inFlight && !this.#sealed, 'sealing requires a producer id');
    assert(producerId >= 0n && epoch >= 0, 'the broker returned a producer id');
    this.#producerId = producerId;
    this.#epoch = epoch;
    this.#nextSequence = nextSequence;
  }

  /** Makes the next split-off batch the head, if there is one. @returns whether there is a head */
  advance(): boolean {
    if (this.#head === undefined) {
      const next = this.#rest.shift();
      if (next !== undefined) this.start(next);
    }
    return this.#head !== undefined;
  }

  /** Makes `batch` the head. */
  start(batch: RecordBatch): void {
    assert(this.#head === undefined && !this.#inFlight, 'one batch at a time');
    assert(batch.records > 0, 'an empty batch is never sent');
    this.#head = batch;
    this.#resetAttempts();
  }

  /** Marks the head as being compressed, until {@link endCompression}. */
  beginCompression(): void {
    const { head } = this;
    assert(head?.mayCompress && !this.#inFlight && !this.#sealed, 'it may be compressed');
    this.#compressing = true;
  }

  endCompression(): void {
    assert(this.#compressing && !this.#head?.mayCompress, 'its compression is over');
    this.#compressing = false;
  }

  /**
   * Starts an attempt; the first one seals the head. @returns the bytes, identical on each attempt
   */
  send(nowMs: number): Buffer {
    const head = this.#head;
    assert(head !== undefined && this.mayContinue(nowMs), 'nothing may be sent now');
    if (!this.#sealed) {
      assert(!this.#unknown, 'the bytes of an unknown batch are never changed');
      head.seal({
        producerId: this.#producerId!,
        epoch: this.#epoch,
        sequence: this.#nextSequence,
      });
      this.#sealed = true;
    }
    this.#inFlight = true;
    this.#attempts++;
    return head.bytes;
  }

  /** Ends the attempt in flight. */
  settle(outcome: Outcome, nowMs: number, wallMs: number): Settlement {
    assert(this.#inFlight && this.#head !== undefined, 'an attempt is in flight');
    this.#inFlight = false;
    this.#unanswered = isAnswer(outcome) ? 0 : this.#unanswered + 1;
    switch (outcome.kind) {
      case 'stored':
        return this.#stored(outcome.class);
      case 'retry':
        if (!outcome.definite) this.#unknown = true;
        if (!outcome.definite && outcome.errorCode !== UNKNOWN_TOPIC_OR_PARTITION) {
          this.#partitionAbsent = false;
        }
        return this.#retry(outcome.class, nowMs, outcome.slow === true ? 'slow' : 'fast');
      case 'restamp':
        if (this.#unknown) return this.#giveUp('timestamp');
        if (this.#head.hasEventTimes) return this.#poison('rejected_by_kafka');
        this.#head.restamp(wallMs);
        this.#sealed = false;
        return this.#retry(outcome.class, nowMs, 'fast');
      case 'corrupt':
        if (!this.#corrupt) {
          this.#corrupt = true;
          return this.#retry('not_appended', nowMs, 'fast');
        }
        return this.#poison('rejected_by_kafka');
      case 'poison':
        return this.#poison(outcome.code);
      case 'sequence':
        return this.#outOfSequence(nowMs);
    }
  }

  /** Delays the next attempt until `untilMs` or a call of {@link proceed}. */
  hold(untilMs: number): void {
    this.#notBeforeMs = Math.max(this.#notBeforeMs, untilMs);
  }

  /** Ends a {@link hold}; the back-off still applies. */
  proceed(): void {
    this.#notBeforeMs = Math.min(this.#notBeforeMs, this.#backoffEndMs);
  }

  /** Replaces the head by its first half; `rest` is the second half. */
  halved(rest: RecordBatch): void {
    const first = this.#head;
    assert(first !== undefined && !this.#inFlight && !this.#unknown, 'it may be split');
    this.#rest.unshift(rest);
    this.#head = undefined;
    this.start(first);
  }

  /** Removes a head that was never sent and whose deadline has passed. */
  dropUnsent(): RecordBatch {
    const head = this.#head;
    assert(head !== undefined && this.#attempts === 0 && !this.#inFlight, 'it was never sent');
    assert(!this.#compressing, 'no thread reads its memory');
    this.#clear();
    return head;
  }

  /**
   * Resumes after the topic was recreated: brokers have lost their state of the producer. The next
   * attempt is due at once. Unless the fate of a batch is open, it uses a new epoch, which fences
   * copies of older batches.
   */
  renew(): Reset | undefined {
    this.#retries = { fast: 0, slow: 0 };
    this.#notBeforeMs = 0;
    if (this.#inFlight || this.#unknown || this.#producerId === undefined) return undefined;
    this.#sealed = false;
    return this.#raiseEpoch();
  }

  /**
   * Ends the lane after the topic was recreated without this partition. A head in flight stays
   * until {@link endAttempt}, since the socket reads its memory.
   *
   * An unknown head counts as unsent if every attempt that left it unknown got
   * UNKNOWN_TOPIC_OR_PARTITION: even if appended, it went to a partition that was deleted with the
   * old topic.
   */
  end(): UnfinishedBatches {
    const head = this.#head;
    const unsent = this.#rest.splice(0);
    this.#compressing = false;
    if (head === undefined || this.#inFlight) return { unsent, lost: undefined };
    const isLost = this.#unknown && !this.#partitionAbsent;
    if (!isLost) unsent.unshift(head);
    this.#clear();
    return { unsent, lost: isLost ? head : undefined };
  }

  /** Ends the attempt in flight of an ended lane; none follows. */
  endAttempt(): RecordBatch {
    assert(this.#inFlight && this.#head !== undefined, 'an attempt was in flight');
    this.#inFlight = false;
    return this.#clear();
  }

  /** Calls `visit` with the head and the batches split off it. */
  walk(visit: (batch: RecordBatch) => void): void {
    if (this.#head !== undefined) visit(this.#head);
    for (const batch of this.#rest) visit(batch);
  }

  #stored(errorClass: ProduceErrorClass | undefined): Settlement {
    this.#troubled = this.#attempts > 1;
    const batch = this.#clear();
    this.#nextSequence = (this.#nextSequence + batch.records) % SEQUENCE_SPAN;
    return { do: 'stored', batch, ...(errorClass !== undefined && { class: errorClass }) };
  }

  #retry(errorClass: ProduceErrorClass, nowMs: number, pace: Pace): Settlement & { do: 'retry' } {
    this.#troubled = true;
    const pauseMs = backoffMs(BACKOFF_MS[pace], ++this.#retries[pace]);
    this.#notBeforeMs = nowMs + pauseMs * (0.75 + this.#random() / 2);
    this.#backoffEndMs = this.#notBeforeMs;
    return { do: 'retry', class: errorClass, refresh: errorClass !== 'timestamp' };
  }

  #poison(code: 'too_large' | 'rejected_by_kafka'): Settlement {
    // An earlier attempt may have been appended: it is neither rejected nor split, but given up
    // behind a new epoch, which fences copies on the network.
    if (this.#unknown) return this.#giveUp('poison');
    const batch = this.#head!;
    if (batch.records > 1) return { do: 'split', batch, class: 'poison' };
    this.#clear();
    return { do: 'reject', batch, code, class: 'poison' };
  }

  #outOfSequence(nowMs: number): Settlement {
    if (this.#unknown) return this.#giveUp('sequence');
    this.#sealed = false;
    const reset = this.#raiseEpoch();
    return { ...this.#retry('sequence', nowMs, 'fast'), reset };
  }

  #giveUp(errorClass: ProduceErrorClass): Settlement {
    const batch = this.#clear();
    return { do: 'giveUp', batch, class: errorClass, reset: this.#raiseEpoch() };
  }

  #raiseEpoch(): Reset {
    this.#nextSequence = 0;
    if (this.#epoch < EPOCH_MAX) {
      this.#epoch++;
      return 'epoch';
    }
    this.#producerId = undefined;
    return 'producer_id';
  }

  #clear(): RecordBatch {
    const batch = this.#head!;
    this.#head = undefined;
    this.#resetAttempts();
    this.#notBeforeMs = 0;
    return batch;
  }

  #resetAttempts(): void {
    this.#sealed = false;
    this.#attempts = 0;
    this.#retries = { fast: 0, slow: 0 };
    this.#unanswered = 0;
    this.#unknown = false;
    this.#partitionAbsent = true;
    this.#corrupt = false;
  }
}

function isAnswer(outcome: Outcome): boolean {
  if (outcome.kind !== 'retry') return true;
  return outcome.class !== 'connection' && outcome.class !== 'request_timeout';
}
