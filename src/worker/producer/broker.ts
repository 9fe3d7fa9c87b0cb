import { LIMITS } from '../../config/limits.ts';
import type { Budget } from '../accumulator/budget.ts';
import type { Leader, Partition } from '../accumulator/topic.ts';
import type { Faults } from '../faults.ts';
import type { Compressor } from './compressor.ts';
import type { Outcome } from './error-table.ts';
import type { Lane } from './lane.ts';
import type { Address, CreateLink, LinkError } from './link.ts';
import { Sender } from './produce-connection.ts';
import { Turn } from './round-robin.ts';

/** A request is answered when its slowest partition is: healthy lanes and others travel apart. */
type Way = 'healthy' | 'troubled';
const WAYS: readonly Way[] = ['healthy', 'troubled'];

/** What a broker asks of the producer and tells it. */
export interface BrokerListener {
  /** Whether the partition has something that should go out now. */
  isDue(partition: Partition, nowMs: number): boolean;
  /** Makes a batch the lane's head. @returns whether it has one that may go out now */
  makeReady(partition: Partition, nowMs: number): boolean;
  /** The head of the partition's lane goes out. */
  sending(partition: Partition, nowMs: number): void;
  /** Something may go out that could not before. */
  ready(): void;
  /** A connection was lost or could not be opened: others may lead now. */
  lost(broker: Broker, error: LinkError): void;
  /** One partition's attempt has ended. */
  settled(partition: Partition, outcome: Outcome): void;
  /** A request ended after `ms`. */
  finished(ms: number): void;
}

export interface BrokerOptions {
  readonly createLink: CreateLink;
  readonly faults: Faults;
  readonly budget: Budget;
  /** None = batches go as they are. */
  readonly compressor?: Compressor | undefined;
}

/**
 * The largest request that each of so many brokers may be sent. Each may have one of either way in
 * flight, and the copies of all of them together take a quarter of the budget at the most.
 */
export function requestBytesMax(budget: Budget, brokers: number): number {
  return Math.floor(budget.limitBytes / 4 / copiesOfRequests(1, brokers));
}

/** What the copies of requests of `requestBytes` take when every sender has one in flight. */
export function copiesOfRequests(requestBytes: number, brokers: number): number {
  return requestBytes * LIMITS.requestCopies * WAYS.length * Math.max(1, brokers);
}

/**
 * One broker: the partitions that it leads, and two connections to it. On one go the first
 * attempts of
 * healthy lanes; on the other, opened when it is first needed, lanes in trouble.
 */
export class Broker implements Leader {
  readonly id: number;
  readonly address: Address;
  /** Those that it leads, of all topics. */
  partitions: readonly Partition[] = [];
  readonly #options: BrokerOptions;
  readonly #listener: BrokerListener;
  readonly #senders: Record<Way, Sender>;
  readonly #turns = { healthy: new Turn(), troubled: new Turn() };
  #mutedUntilMs = 0;
  #sentAtMs = 0;

  constructor(id: number, address: Address, options: BrokerOptions, listener: BrokerListener) {
    this.id = id;
    this.address = address;
    this.#options = options;
    this.#listener = listener;
    this.#senders = { healthy: this.#createSender(), troubled: this.#createSender() };
  }

  /** When the last request went out, by the monotonic clock. */
  get sentAtMs(): number {
    return this.#sentAtMs;
  }

  /** Its quota is used up until then, by the monotonic clock: nothing is sent to it before. */
  get mutedUntilMs(): number {
    return this.#mutedUntilMs;
  }

  /** Sends what is due, in requests of at most `maxBytes`, and connects where that is wanted. */
  sendDue(maxBytes: number, nowMs: number): void {
    if (nowMs < this.#mutedUntilMs) return;
    for (const way of WAYS) {
      const sender = this.#senders[way];
      if (sender.idle) this.#sendWay(way, maxBytes, nowMs);
      else if (way === 'healthy' || this.partitions.some(({ lane }) => lane.troubled))
        sender.connect();
    }
  }

  /** It can be sent to, now or when it has answered. */
  get connected(): boolean {
    return this.#senders.healthy.connected;
  }

  stop(): void {
    for (const way of WAYS) this.#senders[way].stop();
  }

  /**
   * A request costs more than what is in it: when something is due, all partitions send what they
   * have,
   * and are due together from then on.
   */
  #sendWay(way: Way, maxBytes: number, nowMs: number): void {
    const goes = ({ lane }: Partition) => wayOf(lane) === way;
    const due = (each: Partition) => goes(each) && this.#listener.isDue(each, nowMs);
    if (!this.partitions.some(due)) return;
    if (this.#options.compressor !== undefined && !this.#allCompressed(way, nowMs)) return;
    const chosen = this.#turns[way].take(
      this.partitions,
      maxBytes,
      (each) => goes(each) && this.#listener.makeReady(each, nowMs),
    );
    if (chosen.length === 0) return;
    this.#sentAtMs = nowMs;
    for (const partition of chosen) this.#listener.sending(partition, nowMs);
    void this.#senders[way].send(chosen, nowMs);
  }

  /**
   * Compresses what may go out. @returns false when some of it is not done: all of it travels
   * together, or each lane that is done first would have a request of its own
   */
  #allCompressed(way: Way, nowMs: number): boolean {
    const partitions = this.partitions.filter(({ lane }) => wayOf(lane) === way);
    for (const partition of partitions) this.#listener.makeReady(partition, nowMs);
    return !partitions.some(({ lane }) => lane.compressing);
  }

  #createSender(): Sender {
    const { createLink, budget } = this.#options;
    const listener = this.#listener;
    return new Sender(this.address, createLink, {
      ready: () => listener.ready(),
      lost: (error) => listener.lost(this, error),
      throttled: (ms) => this.#throttled(ms),
      sending: (bytes) => budget.copies(bytes * LIMITS.requestCopies),
      settled: (partition, outcome) => listener.settled(partition, outcome),
      finished: (bytes, ms) => {
        budget.copies(-bytes * LIMITS.requestCopies);
        listener.finished(ms);
      },
    });
  }

  #throttled(throttleMs: number): void {
    const mutedMs = Math.min(throttleMs, LIMITS.throttleMs);
    this.#mutedUntilMs = Math.max(this.#mutedUntilMs, performance.now() + mutedMs);
    this.#options.faults.warn(
      `${this.id}`,
      { broker: this.id, throttleMs, mutedMs },
      'throttled by a broker quota',
    );
  }
}

function wayOf(lane: Lane): Way {
  return lane.troubled ? 'troubled' : 'healthy';
}
