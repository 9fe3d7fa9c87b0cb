/**
 * One topic-partition of one worker, and the fate of the batch at its head. Pure code: no network,
 * no clock, no timers; who drives it says what happened and when.
 * ARCHITECTURE.md draws its states.
 *
 * One invariant rules it: one batch is in flight, and the sequence moves only when it is stored.
 * Fate
 * belongs to the batch: one
 * attempt without a definite answer makes it *unknown*, and no later refusal takes that back. An
 * unknown batch goes out again with identical bytes until it is stored; where the broker will never
 * take it any more, it is given up behind a new epoch, its senders told `timeout`.
 */
import assert from 'node:assert/strict';
import { backoffMs } from '../../common/backoff.ts';
import type { LaneStateName, ProduceErrorClass } from '../../metrics/catalogue.ts';
import type { RecordBatch } from '../accumulator/batch.ts';
import { type Outcome, UNKNOWN_TOPIC_OR_PARTITION } from './error-table.ts';

const SEQUENCE_SPAN = 2 ** 31;
const EPOCH_MAX = 32_767;
const BACKOFF_MS = {
  fast: { first: 20, last: 200 },
  // With the spread below, up to 5 s: what was withdrawn and granted again flows soon.
  slow: { first: 1_000, last: 4_000 },
} as const;
/** A broker that dies leaves one attempt unanswered: that is no reason to send apart. */
const UNANSWERED_TOGETHER_MAX = 2;
type Pace = keyof typeof BACKOFF_MS;

/** What came of an attempt; what the driver has to do with the batch. */
export type Verdict =
  | { readonly do: 'stored'; readonly batch: RecordBatch; readonly class?: ProduceErrorClass }
  /** The batch stays at the head and goes out again at `notBeforeMs`. */
  | {
      readonly do: 'retry';
      readonly class: ProduceErrorClass;
      readonly refresh: boolean;
      readonly reset?: Reset;
    }
  /** Halve it and give the second half to {@link Lane.halved}. */
  | { readonly do: 'split'; readonly batch: RecordBatch; readonly class: 'poison' }
  /** Its only record is refused for good. */
  | {
      readonly do: 'refuse';
      readonly batch: RecordBatch;
      readonly class: 'poison';
      readonly code: 'too_large' | 'rejected_by_kafka';
    }
  /** It may be stored or not, and cannot be found out: told `timeout`, never sent again. */
  | {
      readonly do: 'giveUp';
      readonly batch: RecordBatch;
      readonly class: ProduceErrorClass;
      readonly reset: Reset;
    };

/** How a lane began anew: with the next epoch, or, at the last one, with a new producer id. */
export type Reset = 'epoch' | 'producer_id';

/** Random numbers in [0, 1) for the spread of retries. */
export type Random = () => number;

/** The batches of a lane whose partition is gone. */
export interface Remains {
  /** No record of them is in Kafka. */
  readonly unsent: readonly RecordBatch[];
  /** May have been stored before the partition went: never sent again. */
  readonly lost: RecordBatch | undefined;
}

export class Lane {
  readonly #random: Random;
  #producerId: bigint | undefined;
  #epoch = 0;
  #nextSequence = 0;
  #head: RecordBatch | undefined;
  /** Batches cut off the head by a split: they go before everything that waits. */
  readonly #rest: RecordBatch[] = [];
  #sealed = false;
  #attempts = 0;
  /** Retries of the head, by how fast they follow: each kind has a back-off of its own. */
  #retries = { fast: 0, slow: 0 };
  /** Attempts of the head in a row that nobody answered. */
  #unanswered = 0;
  #troubled = false;
  #unknown = false;
  /** Each attempt that left the batch unknown was answered that there is no such partition. */
  #absent = true;
  #corrupt = false;
  #inFlight = false;
  #compressing = false;
  #notBeforeMs = 0;
  /** The same without {@link hold}. */
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
  /** The head is being compressed: it is neither sent nor let go meanwhile. */
  get compressing(): boolean {
    return this.#compressing;
  }
  /** Some attempt left no definite answer. */
  get unknown(): boolean {
    return this.#unknown;
  }
  /**
   * From a retry until a batch is stored on its first attempt: such a lane travels apart from the
   * healthy ones, so that it does not hold them again and again.
   */
  get troubled(): boolean {
    return this.#troubled;
  }
  /**
   * Nobody answered the head's last attempts: perhaps it is what keeps the broker from answering,
   * so no other lane's batch shares its request.
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
  /** Earliest time of the next attempt, ms of the monotonic clock. */
  get notBeforeMs(): number {
    return this.#notBeforeMs;
  }
  /** Where producer id, epoch and sequence stand; for logs and tests. */
  get position(): { producerId: bigint | undefined; epoch: number; nextSequence: number } {
    return { producerId: this.#producerId, epoch: this.#epoch, nextSequence: this.#nextSequence };
  }

  /** The batch that waits longest. */
  get oldest(): RecordBatch | undefined {
    return this.#head ?? this.#rest[0];
  }

  /** Nothing is at the head and nothing was cut off it. */
  get idle(): boolean {
    return this.#head === undefined && this.#rest.length === 0;
  }

  get state(): LaneStateName {
    if (this.#inFlight) return 'in_flight';
    if (this.#unknown) return 'unknown';
    if (this.#attempts > 0) return 'retrying';
    return this.idle ? 'empty' : 'filling';
  }

  /** Whether an attempt may go out now, if there is a batch. */
  mayContinue(nowMs: number): boolean {
    if (this.#inFlight || this.#compressing) return false;
    return this.#producerId !== undefined && nowMs >= this.#notBeforeMs;
  }

  /** A fresh producer id: sequence and epoch begin at what the broker gave. */
  setProducerId(producerId: bigint, epoch: number, nextSequence = 0): void {
    assert(this.#producerId === undefined, 'a lane keeps its producer id');
    assert(!this.#inFlight && !this.#sealed, 'nothing was sealed without a producer id');
    assert(producerId >= 0n && epoch >= 0, 'the broker gave a producer id');
    this.#producerId = producerId;
    this.#epoch = epoch;
    this.#nextSequence = nextSequence;
  }

  /** Takes a batch that was cut off before, if there is one. @returns whether there is a head */
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
    this.#forgetAttempts();
  }

  /** The head is taken to be compressed, until {@link endCompression}. */
  beginCompression(): void {
    const { head } = this;
    assert(head?.mayCompress && !this.#inFlight && !this.#sealed, 'it may be compressed');
    this.#compressing = true;
  }

  endCompression(): void {
    assert(this.#compressing && !this.#head?.mayCompress, 'its compression is over');
    this.#compressing = false;
  }

  /** An attempt goes out; the first one seals the head. @returns the bytes, the same each time */
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

  /** The attempt in flight ended so. */
  settle(outcome: Outcome, nowMs: number, wallMs: number): Verdict {
    assert(this.#inFlight && this.#head !== undefined, 'an outcome belongs to an attempt');
    this.#inFlight = false;
    this.#unanswered = isAnswer(outcome) ? 0 : this.#unanswered + 1;
    switch (outcome.kind) {
      case 'stored':
        return this.#stored(outcome.class);
      case 'retry':
        if (!outcome.definite) this.#unknown = true;
        if (!outcome.definite && outcome.errorCode !== UNKNOWN_TOPIC_OR_PARTITION) {
          this.#absent = false;
        }
        return this.#retry(outcome.class, nowMs, outcome.slow === true ? 'slow' : 'fast');
      case 'restamp':
        if (this.#unknown) return this.#giveUp('timestamp');
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

  /** The head is not retried before `untilMs`, or {@link proceed}. */
  hold(untilMs: number): void {
    this.#notBeforeMs = Math.max(this.#notBeforeMs, untilMs);
  }

  /** What was held is retried when its back-off is over. */
  proceed(): void {
    this.#notBeforeMs = Math.min(this.#notBeforeMs, this.#backoffEndMs);
  }

  /** The driver has halved the head as told; `rest` is its second half. */
  halved(rest: RecordBatch): void {
    const first = this.#head;
    assert(first !== undefined && !this.#inFlight && !this.#unknown, 'it may be split');
    this.#rest.unshift(rest);
    this.#head = undefined;
    this.start(first);
  }

  /** Lets the head go that was never sent: its deadline has passed. */
  dropUnsent(): RecordBatch {
    const head = this.#head;
    assert(head !== undefined && this.#attempts === 0 && !this.#inFlight, 'it was never sent');
    assert(!this.#compressing, 'nobody reads its memory');
    this.#clear();
    return head;
  }

  /**
   * The topic was created again, and brokers have no state of the producer: the lane goes on at
   * once
   * and, unless the fate of a batch is open, with a new epoch, which fences copies of older
   * batches.
   */
  renew(): Reset | undefined {
    this.#retries = { fast: 0, slow: 0 };
    this.#notBeforeMs = 0;
    if (this.#inFlight || this.#unknown || this.#producerId === undefined) return undefined;
    this.#sealed = false;
    return this.#raiseEpoch();
  }

  /**
   * The topic was created again without this partition. A head in flight stays until
   * {@link endAttempt}: its socket reads its memory.
   *
   * An unknown head of which every open attempt was answered UNKNOWN_TOPIC_OR_PARTITION counts as
   * unsent: had it been appended all the same, then to a partition that went with the old topic.
   */
  end(): Remains {
    const head = this.#head;
    const unsent = this.#rest.splice(0);
    this.#compressing = false;
    if (head === undefined || this.#inFlight) return { unsent, lost: undefined };
    const isLost = this.#unknown && !this.#absent;
    if (!isLost) unsent.unshift(head);
    this.#clear();
    return { unsent, lost: isLost ? head : undefined };
  }

  /** The attempt in flight of an ended lane is over, and no other follows. */
  endAttempt(): RecordBatch {
    assert(this.#inFlight && this.#head !== undefined, 'an attempt was in flight');
    this.#inFlight = false;
    return this.#clear();
  }

  /** Calls `visit` with the head and what was cut off it. */
  walk(visit: (batch: RecordBatch) => void): void {
    if (this.#head !== undefined) visit(this.#head);
    for (const batch of this.#rest) visit(batch);
  }

  #stored(errorClass: ProduceErrorClass | undefined): Verdict {
    this.#troubled = this.#attempts > 1;
    const batch = this.#clear();
    this.#nextSequence = (this.#nextSequence + batch.records) % SEQUENCE_SPAN;
    return { do: 'stored', batch, ...(errorClass !== undefined && { class: errorClass }) };
  }

  #retry(errorClass: ProduceErrorClass, nowMs: number, pace: Pace): Verdict & { do: 'retry' } {
    this.#troubled = true;
    const pauseMs = backoffMs(BACKOFF_MS[pace], ++this.#retries[pace]);
    this.#notBeforeMs = nowMs + pauseMs * (0.75 + this.#random() / 2);
    this.#backoffEndMs = this.#notBeforeMs;
    return { do: 'retry', class: errorClass, refresh: errorClass !== 'timestamp' };
  }

  #poison(code: 'too_large' | 'rejected_by_kafka'): Verdict {
    // An earlier attempt may have been appended: neither refused nor split, but given up behind a
    // new epoch, which fences whatever is still on its way.
    if (this.#unknown) return this.#giveUp('poison');
    const batch = this.#head!;
    if (batch.records > 1) return { do: 'split', batch, class: 'poison' };
    this.#clear();
    return { do: 'refuse', batch, code, class: 'poison' };
  }

  #outOfSequence(nowMs: number): Verdict {
    if (this.#unknown) return this.#giveUp('sequence');
    this.#sealed = false;
    const reset = this.#raiseEpoch();
    return { ...this.#retry('sequence', nowMs, 'fast'), reset };
  }

  #giveUp(errorClass: ProduceErrorClass): Verdict {
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
    this.#forgetAttempts();
    this.#notBeforeMs = 0;
    return batch;
  }

  #forgetAttempts(): void {
    this.#sealed = false;
    this.#attempts = 0;
    this.#retries = { fast: 0, slow: 0 };
    this.#unanswered = 0;
    this.#unknown = false;
    this.#absent = true;
    this.#corrupt = false;
  }
}

function isAnswer(outcome: Outcome): boolean {
  if (outcome.kind !== 'retry') return true;
  return outcome.class !== 'connection' && outcome.class !== 'request_timeout';
}
