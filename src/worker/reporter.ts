import { LIMITS } from '../config/limits.ts';
import type { ToPrimary, Waiting, WorkerStatus } from '../ipc.ts';
import { type Counters, cell } from '../metrics/counters.ts';
import { NO_STREAM_CELLS } from '../metrics/slots.ts';
import type { Budget } from './accumulator/budget.ts';
import type { Topic } from './accumulator/topic.ts';
import type { Acknowledger } from './acknowledger/acknowledger.ts';
import type { KeyOutcomes } from './acknowledger/key-outcomes.ts';
import type { LoopLag } from './loop-lag.ts';
import type { InputMemory } from './overload/input-memory.ts';
import type { MemoryLimit } from './overload/memory-limit.ts';
import type { EventProducer } from './producer/event-producer.ts';
import { residentBytes } from './resident-memory.ts';
import type { ViolationRecorder } from './violation-recorder.ts';

const IN_FLIGHT = cell('forebay_events_in_flight');
const DEAD_LETTERS = cell('forebay_dead_letters_in_flight');
const BUFFER = cell('forebay_buffer_bytes');
const BUFFER_LIMIT = cell('forebay_buffer_limit_bytes');
const INPUT = cell('forebay_input_bytes');
const INPUT_LIMIT = cell('forebay_input_limit_bytes');
const MEMORY_SHORT = cell('forebay_memory_short');
const OLDEST = cell('forebay_buffer_oldest_seconds');
const LAG = cell('forebay_event_loop_lag_seconds');
const RESIDENT = cell('forebay_worker_resident_bytes');
const CPU = cell('forebay_worker_cpu_seconds_total');

/** Sources of the reported values. */
export interface ReporterParts {
  readonly budget: Budget;
  readonly topics: readonly Topic[];
  readonly producer: EventProducer;
  readonly acknowledger: Acknowledger;
  readonly lag: Pick<LoopLag, 'takeSeconds'>;
  readonly input: Pick<InputMemory, 'bytes' | 'limitBytes'>;
  readonly memory: Pick<MemoryLimit, 'exceeded'>;
  readonly violations: Pick<ViolationRecorder, 'take'>;
  readonly keyOutcomes: Pick<KeyOutcomes, 'take'>;
}

/** Sends the worker's metrics and status to the primary: once a second, and on changes. */
export class Reporter {
  readonly #counters: Counters;
  readonly #parts: ReporterParts;
  readonly #send: (message: ToPrimary) => Promise<void>;
  #timer: NodeJS.Timeout | undefined;
  #listening = false;
  #kafkaReached = false;
  /** Reasons why required topics were not created, by topic. */
  readonly #topicCreation = new Map<string, string>();
  #refusedByPolicy = false;
  #kafka = 'Kafka was not reached yet';

  constructor(
    counters: Counters,
    parts: ReporterParts,
    send: (message: ToPrimary) => Promise<void>,
  ) {
    this.#counters = counters;
    this.#parts = parts;
    this.#send = send;
  }

  /** Sends the first report and starts the timer. */
  start(): void {
    this.#timer = setInterval(() => {
      // Only with periodic reports: one on a change may cover a moment only.
      this.#counters.set(LAG, this.#parts.lag.takeSeconds());
      this.#report();
    }, LIMITS.snapshotIntervalMs);
    this.#report();
  }

  /** The port is open. */
  listens(): void {
    this.#listening = true;
    if (this.#timer !== undefined) this.#report();
  }

  /** A leader is connected and has a partition with a producer id. */
  kafkaReached(): void {
    this.#kafkaReached = true;
    this.#topicCreation.clear();
    this.#report();
  }

  /** Sets the reason why Kafka was not reached yet. */
  kafka(why: string): void {
    if (why === this.#kafka) return;
    this.#kafka = why;
    if (!this.#kafkaReached) this.#report();
  }

  /** Sets the reason why a missing topic was not created; undefined = none any longer. */
  topicCreation(topic: string, why: string | undefined): void {
    if (why === this.#topicCreation.get(topic)) return;
    if (why === undefined) this.#topicCreation.delete(topic);
    else this.#topicCreation.set(topic, why);
    if (!this.#kafkaReached) this.#report();
  }

  /** Kafka rejects writes by ACL or policy; false = no longer. */
  refusedByPolicy(refused: boolean): void {
    this.#refusedByPolicy = refused;
    this.#report();
  }

  /** Sends the last report. @returns events that are not settled */
  stop(): number {
    clearInterval(this.#timer);
    return this.#report();
  }

  /** @returns events in flight */
  #report(): number {
    const nowMs = performance.now();
    const waiting = this.#measure(nowMs);
    // Sending copies the values.
    const metrics = this.#counters.snapshot();
    const violations = this.#parts.violations.take();
    const keyOutcomes = this.#parts.keyOutcomes.take();
    const status = this.#status(waiting, nowMs);
    void this.#send({ type: 'snapshot', metrics, status, violations, keyOutcomes });
    return waiting.events;
  }

  #status(waiting: Waiting, nowMs: number): WorkerStatus {
    return {
      listening: this.#listening,
      kafkaReached: this.#kafkaReached,
      kafka: this.#kafka,
      topicCreation: [...this.#topicCreation.values()][0],
      refusedByPolicy: this.#refusedByPolicy,
      memoryShort: this.#parts.memory.exceeded,
      ...this.#fullestBuffer(),
      delivery: this.#parts.producer.delivery(nowMs),
      leaderlessPartitions: this.#parts.producer.health.leaderless(nowMs),
      waiting,
    };
  }

  /** Returns usage and limit of the fullest share of a required topic, or of the budget. */
  #fullestBuffer(): Pick<WorkerStatus, 'bufferedBytes' | 'bufferLimitBytes'> {
    const { budget, topics } = this.#parts;
    let fullest = { bufferedBytes: 0, bufferLimitBytes: budget.eventLimitBytes };
    for (const { required, share } of topics) {
      if (!required) continue;
      const bufferedBytes = share?.usedBytes ?? budget.eventBytes;
      const bufferLimitBytes = share?.eventLimitBytes ?? budget.eventLimitBytes;
      const isFuller =
        bufferedBytes * fullest.bufferLimitBytes >= fullest.bufferedBytes * bufferLimitBytes;
      if (isFuller) fullest = { bufferedBytes, bufferLimitBytes };
    }
    return fullest;
  }

  /** Counts by walking the batches, not by adding and subtracting: so a leak shows up. */
  #measure(nowMs: number): Waiting {
    const { budget, producer, acknowledger, input, memory } = this.#parts;
    const counters = this.#counters;
    let inFlight = 0;
    let attributedBytes = 0;
    let oldestOpenAtMs = nowMs;
    const addInFlight = (cells: number, events: number) => {
      inFlight += events;
      counters.add(IN_FLIGHT + cells, events);
    };
    counters.clearStreams(IN_FLIGHT);
    counters.clearStreams(DEAD_LETTERS);
    counters.clearStreams(BUFFER);
    counters.clearStreams(OLDEST);
    producer.walk((batch) => {
      const { topic } = batch.partition;
      if (topic.hasDeadLetters) {
        attributedBytes += batch.chargedBytes;
        counters.add(BUFFER + (topic.cells ?? 0), batch.chargedBytes);
        batch.eachStream((cells, letters) => counters.add(DEAD_LETTERS + cells, letters));
        return;
      }
      const eventBytes = batch.chargedBytes / batch.records;
      batch.eachStream((cells, events) => {
        const bytes = Math.floor(events * eventBytes);
        attributedBytes += bytes;
        counters.add(BUFFER + cells, bytes);
        counters.raise(OLDEST + cells, (nowMs - batch.openedAtMs) / 1000);
      });
      if (batch.answered) return;
      batch.eachStream(addInFlight);
      oldestOpenAtMs = Math.min(oldestOpenAtMs, batch.openedAtMs);
    });
    acknowledger.eachLate((cells, events) => addInFlight(cells, -events));
    counters.add(BUFFER + NO_STREAM_CELLS, budget.usedBytes - attributedBytes);
    const { user, system } = process.cpuUsage();
    counters.set(BUFFER_LIMIT, budget.limitBytes);
    counters.set(INPUT, input.bytes);
    counters.set(INPUT_LIMIT, input.limitBytes);
    counters.set(MEMORY_SHORT, memory.exceeded ? 1 : 0);
    const bytes = residentBytes();
    if (bytes !== undefined) counters.set(RESIDENT, bytes);
    counters.set(CPU, (user + system) / 1e6);
    producer.countLanes();
    return { events: inFlight, bytes: budget.eventBytes, oldestMs: nowMs - oldestOpenAtMs };
  }
}
