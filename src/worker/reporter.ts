import { LIMITS } from '../limits.ts';
import type { ToPrimary, WorkerStatus } from '../messages.ts';
import { type Counters, cell } from '../metrics/counters.ts';
import type { Budget } from './accumulator/budget.ts';
import type { Acknowledger } from './acknowledger/acknowledger.ts';
import type { Producer } from './producer/producer.ts';

const IN_FLIGHT = cell('forebay_events_in_flight');
const BUFFER = cell('forebay_buffer_bytes');
const BUFFER_LIMIT = cell('forebay_buffer_limit_bytes');
const OLDEST = cell('forebay_buffer_oldest_seconds');
const RESIDENT = cell('forebay_worker_resident_bytes');
const CPU = cell('forebay_worker_cpu_seconds_total');

/** Sends the worker's numbers and its fitness to the primary: once a second, and on a change. */
export class Reporter {
  readonly #counters: Counters;
  readonly #budget: Budget;
  readonly #producer: Producer;
  readonly #acknowledger: Acknowledger;
  readonly #tell: (message: ToPrimary) => Promise<void>;
  #timer: NodeJS.Timeout | undefined;
  #listening = false;
  #topicKnown = false;
  #refusedByPolicy = false;
  #kafka = 'Kafka was not reached yet';

  constructor(
    counters: Counters,
    budget: Budget,
    producer: Producer,
    acknowledger: Acknowledger,
    tell: (message: ToPrimary) => Promise<void>,
  ) {
    this.#counters = counters;
    this.#budget = budget;
    this.#producer = producer;
    this.#acknowledger = acknowledger;
    this.#tell = tell;
  }

  /** Reports from now on. */
  start(): void {
    this.#timer = setInterval(() => this.#report(), LIMITS.snapshotIntervalMs);
    this.#report();
  }

  /** The port is open. */
  listens(): void {
    this.#listening = true;
    if (this.#timer !== undefined) this.#report();
  }

  topicKnown(): void {
    if (this.#topicKnown) return;
    this.#topicKnown = true;
    this.#report();
  }

  /** Why the topic is not known, for people. */
  kafka(why: string): void {
    if (why === this.#kafka) return;
    this.#kafka = why;
    if (!this.#topicKnown) this.#report();
  }

  /** Kafka refuses what is written, or no longer. */
  refusedByPolicy(refused: boolean): void {
    this.#refusedByPolicy = refused;
    this.#report();
  }

  /** Reports for the last time. @returns events that are not settled */
  stop(): number {
    clearInterval(this.#timer);
    return this.#report();
  }

  /** @returns events in flight */
  #report(): number {
    const inFlight = this.#measure();
    // The array is copied on its way: it goes on counting here.
    const values = this.#counters.values;
    void this.#tell({ type: 'snapshot', values, status: this.#status() });
    return inFlight;
  }

  #status(): WorkerStatus {
    return {
      listening: this.#listening,
      topicKnown: this.#topicKnown,
      kafka: this.#kafka,
      refusedByPolicy: this.#refusedByPolicy,
      bufferedBytes: this.#budget.eventBytes,
      bufferLimitBytes: this.#budget.eventLimitBytes,
    };
  }

  /** Counts what is there by walking it, not by what came and went: else a leak would not show. */
  #measure(): number {
    let inFlight = 0;
    let oldestMs = Number.POSITIVE_INFINITY;
    this.#producer.walk((batch) => {
      oldestMs = Math.min(oldestMs, batch.openedAtMs);
      if (!batch.answered) inFlight += batch.records;
    });
    inFlight -= this.#acknowledger.lateEvents;
    const ageMs = oldestMs === Number.POSITIVE_INFINITY ? 0 : performance.now() - oldestMs;
    const { user, system } = process.cpuUsage();
    const counters = this.#counters;
    counters.set(IN_FLIGHT, inFlight);
    counters.set(BUFFER, this.#budget.usedBytes);
    counters.set(BUFFER_LIMIT, this.#budget.limitBytes);
    counters.set(OLDEST, ageMs / 1000);
    const bytes = residentBytes();
    if (bytes !== undefined) counters.set(RESIDENT, bytes);
    counters.set(CPU, (user + system) / 1e6);
    this.#producer.countLanes();
    return inFlight;
  }
}

/** Undefined when it cannot be read: Node.js opens a file for it, and there may be none left. */
function residentBytes(): number | undefined {
  try {
    return process.memoryUsage.rss();
  } catch {
    return undefined;
  }
}
