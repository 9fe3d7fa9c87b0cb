import { LIMITS } from '../../config/limits.ts';
import type { Budget } from '../accumulator/budget.ts';
import type { Leader, Partition } from '../accumulator/topic.ts';
import type { Faults } from '../faults.ts';
import type { Compressor } from './compressor.ts';
import type { Outcome } from './error-table.ts';
import type { Lane } from './lane.ts';
import type { Address, CreateLink, LinkError } from './link.ts';
import { ProduceConnection } from './produce-connection.ts';
import { RoundRobin } from './round-robin.ts';

/** A response waits for its slowest partition, so healthy and troubled lanes share no requests. */
type Route = 'healthy' | 'troubled';
const ROUTES: readonly Route[] = ['healthy', 'troubled'];

/** Callbacks of a broker into the producer. */
export interface BrokerListener {
  /** Whether the partition has a batch that is due. */
  isDue(partition: Partition, nowMs: number): boolean;
  /** Makes a batch the lane's head. @returns whether the head may be sent now */
  makeReady(partition: Partition, nowMs: number): boolean;
  /** The head of the partition's lane is being sent. */
  sending(partition: Partition, nowMs: number): void;
  /** Requests that had to wait may be sent now. */
  ready(): void;
  /** A connection was lost or could not be opened; leaders may have changed. */
  lost(broker: Broker, error: LinkError): void;
  /** An attempt of one partition has ended. */
  settled(partition: Partition, outcome: Outcome): void;
  /** A request ended after `ms`. */
  finished(ms: number): void;
}

export interface BrokerOptions {
  readonly createLink: CreateLink;
  readonly faults: Faults;
  readonly budget: Budget;
  /** Undefined = batches are sent uncompressed. */
  readonly compressor?: Compressor | undefined;
}

/**
 * Returns the largest request per broker. Each broker may have one request in flight on either
 * route; the copies of all of them together take up to a quarter of the budget.
 */
export function requestBytesMax(budget: Budget, brokers: number): number {
  return Math.floor(budget.limitBytes / 4 / copiesOfRequests(1, brokers));
}

/**
 * Returns the bytes of all copies if every connection has a request of `requestBytes` in flight.
 */
export function copiesOfRequests(requestBytes: number, brokers: number): number {
  return requestBytes * LIMITS.requestCopies * ROUTES.length * Math.max(1, brokers);
}

/**
 * One broker: the partitions that it leads, and two connections to it. One carries first attempts
 * of healthy lanes; the other, opened on demand, carries troubled lanes.
 */
export class Broker implements Leader {
  readonly id: number;
  readonly address: Address;
  /** Partitions that it leads, of all topics. */
  partitions: readonly Partition[] = [];
  readonly #options: BrokerOptions;
  readonly #listener: BrokerListener;
  readonly #connections: Record<Route, ProduceConnection>;
  readonly #roundRobins = { healthy: new RoundRobin(), troubled: new RoundRobin() };
  #mutedUntilMs = 0;
  #sentAtMs = 0;

  constructor(id: number, address: Address, options: BrokerOptions, listener: BrokerListener) {
    this.id = id;
    this.address = address;
    this.#options = options;
    this.#listener = listener;
    this.#connections = { healthy: this.#createConnection(), troubled: this.#createConnection() };
  }

  /** Time of the last request, on the monotonic clock. */
  get sentAtMs(): number {
    return this.#sentAtMs;
  }

  /** End of the broker's throttle time, on the monotonic clock; nothing is sent before. */
  get mutedUntilMs(): number {
    return this.#mutedUntilMs;
  }

  /** Sends due batches in requests of up to `maxBytes`, and connects where needed. */
  sendDue(maxBytes: number, nowMs: number): void {
    if (nowMs < this.#mutedUntilMs) return;
    for (const route of ROUTES) {
      const connection = this.#connections[route];
      if (connection.idle) this.#sendOn(route, maxBytes, nowMs);
      else if (route === 'healthy' || this.partitions.some(({ lane }) => lane.troubled))
        connection.connect();
    }
  }

  /** Connected, idle or waiting for a response. */
  get connected(): boolean {
    return this.#connections.healthy.connected;
  }

  stop(): void {
    for (const route of ROUTES) this.#connections[route].stop();
  }

  /**
   * A request costs more than its contents: when one partition is due, all partitions send their
   * batches, and are due together from then on.
   */
  #sendOn(route: Route, maxBytes: number, nowMs: number): void {
    const onRoute = ({ lane }: Partition) => routeOf(lane) === route;
    const due = (each: Partition) => onRoute(each) && this.#listener.isDue(each, nowMs);
    if (!this.partitions.some(due)) return;
    if (this.#options.compressor !== undefined && !this.#allCompressed(route, nowMs)) return;
    const chosen = this.#roundRobins[route].choose(
      this.partitions,
      maxBytes,
      (each) => onRoute(each) && this.#listener.makeReady(each, nowMs),
    );
    if (chosen.length === 0) return;
    this.#sentAtMs = nowMs;
    for (const partition of chosen) this.#listener.sending(partition, nowMs);
    void this.#connections[route].send(chosen, nowMs);
  }

  /**
   * Compresses batches that may be sent. @returns false while some are not done: they are sent
   * together, since otherwise each lane would have a request of its own
   */
  #allCompressed(route: Route, nowMs: number): boolean {
    const partitions = this.partitions.filter(({ lane }) => routeOf(lane) === route);
    for (const partition of partitions) this.#listener.makeReady(partition, nowMs);
    return !partitions.some(({ lane }) => lane.compressing);
  }

  #createConnection(): ProduceConnection {
    const { createLink, budget } = this.#options;
    const listener = this.#listener;
    return new ProduceConnection(this.address, createLink, {
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

function routeOf(lane: Lane): Route {
  return lane.troubled ? 'troubled' : 'healthy';
}
