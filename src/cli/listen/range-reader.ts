/**
 * Reads a range of a topic to a fixed end, which records that arrive meanwhile do not move.
 * Invariant: every record of the range is passed on once, although reading may be interrupted.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Kafka, KafkaMessage } from 'kafkajs';
import { EXIT, StartError } from '../../common/errors.ts';
import { fetchBounds, obstacleOf, obstacleText, reasonOf, TRANSIENT } from './positions.ts';
import { type Heartbeat, type Positions, TopicReader } from './reader.ts';

/** Offsets of a topic, by partition. */
export interface TopicRange {
  readonly topic: string;
  readonly first: Positions;
  /** Offsets after the last ones. */
  readonly end: Positions;
}

/** Times in milliseconds since 1970: those of the first record, and of the first one after it. */
export interface TimeRange {
  readonly from: 'beginning' | number;
  /** Undefined = the end of the topic at this moment. */
  readonly to: number | undefined;
}

/** Retries of kafkajs for a topic without a leader. */
const LOOKUP_RETRIES = 3;
/** Pause before an attempt to resume, and attempts without progress until it gives up. */
const PAUSE_MS = 1_000;
const ATTEMPTS = 10;
/** Interval of checks whether records are left. */
const STALL_CHECK_MS = 2_000;

/**
 * Looks up the offsets of a range. Its end does not exceed the last stable offset: records of an
 * open transaction are not part of it.
 * @throws errors of kafkajs; see {@link obstacleOf}
 */
export async function fetchRange(
  kafka: Kafka,
  topic: string,
  { from, to }: TimeRange,
): Promise<TopicRange> {
  const sinceMs = from === 'beginning' ? undefined : from;
  const { low, high, since = low } = await fetchBounds(kafka, topic, LOOKUP_RETRIES, sinceMs);
  const until =
    to === undefined ? high : (await fetchBounds(kafka, topic, LOOKUP_RETRIES, to)).since;
  const end = new Map<number, bigint>();
  const first = new Map<number, bigint>();
  for (const [partition, high_] of high) {
    end.set(partition, least(until?.get(partition) ?? high_, high_));
    first.set(partition, least(since.get(partition) ?? high_, high_));
  }
  return { topic, first, end };
}

export interface RangeReaderOptions {
  readonly kafka: Kafka;
  readonly range: TopicRange;
  /**
   * Receives records of one partition in order, all of them in the range; the next ones wait for
   * the promise. An error ends the reading.
   */
  readonly onRecords: (
    partition: number,
    records: readonly KafkaMessage[],
    heartbeat: Heartbeat,
  ) => Promise<void> | void;
  /** Receives lines about interruptions. */
  readonly say: (line: string) => void;
  /** Ends the reading before the end of the range. */
  readonly signal: AbortSignal;
}

export class RangeReader {
  readonly #options: RangeReaderOptions;
  /** Next offsets. */
  readonly #next: Positions;
  /** Partitions with offsets that were not read yet. */
  readonly #open = new Set<number>();
  #reader: TopicReader | undefined;
  #ended: () => void = () => {};
  /** Error of `onRecords`. */
  #thrown: { readonly error: unknown } | undefined;

  constructor(options: RangeReaderOptions) {
    this.#options = options;
    const { first, end } = options.range;
    this.#next = new Map(first);
    for (const [partition, last] of end) {
      if ((first.get(partition) ?? 0n) < last) this.#open.add(partition);
    }
  }

  /** Offsets in the range, at least the number of its records. */
  get size(): number {
    const { first, end } = this.#options.range;
    return distance(first, end);
  }

  /** Offsets of the range that were read. */
  get position(): number {
    const { first, end } = this.#options.range;
    const reached = [...this.#next].map(([partition, next]) => {
      return [partition, least(next, end.get(partition) ?? next)] as const;
    });
    return distance(first, new Map(reached));
  }

  /** Ends {@link read} before the end of the range. */
  end(): void {
    this.#open.clear();
    this.#ended();
  }

  /**
   * Reads to the end of the range, or until `signal` is aborted.
   * @throws StartError (exit code 1) if reading fails, or does so repeatedly without progress; and
   * the error of `onRecords`
   */
  async read(): Promise<void> {
    const { signal, say, range } = this.#options;
    let failures = 0;
    while (this.#open.size > 0 && !signal.aborted) {
      const before = this.position;
      const failure = await this.#readOnce();
      if (this.#thrown !== undefined) throw this.#thrown.error;
      if (failure === undefined) continue;
      failures = this.position > before ? 1 : failures + 1;
      const obstacle = obstacleOf(failure);
      const text = obstacleText(obstacle, range.topic, reasonOf(failure));
      if (!TRANSIENT.has(obstacle) || failures >= ATTEMPTS) throw new StartError(text, EXIT.failed);
      say(`reading interrupted: ${text}`);
      await sleep(PAUSE_MS, undefined, { signal }).catch(() => undefined);
    }
  }

  /** Reads until the end or a failure, and returns the latter. */
  async #readOnce(): Promise<Error | undefined> {
    const { kafka, range, signal } = this.#options;
    const reader = new TopicReader({
      kafka,
      topic: range.topic,
      positions: this.#next,
      partitions: new Set(this.#open),
      onBatch: (partition, records, heartbeat) => this.#pass(partition, records, heartbeat),
      onProgress: (partition) => this.#closeIfRead(partition),
    });
    const ended = new Promise<undefined>((resolve) => {
      this.#ended = () => resolve(undefined);
    });
    signal.addEventListener('abort', this.#ended, { once: true });
    this.#reader = reader;
    const checks = setInterval(() => void this.#closeIfStalled(), STALL_CHECK_MS);
    try {
      return await Promise.race([reader.run(), ended]);
    } finally {
      clearInterval(checks);
      signal.removeEventListener('abort', this.#ended);
      await reader.stop().catch(() => undefined);
      await reader.deleteGroup().catch(() => undefined);
    }
  }

  async #pass(
    partition: number,
    records: readonly KafkaMessage[],
    heartbeat: Heartbeat,
  ): Promise<void> {
    const end = this.#options.range.end.get(partition) ?? 0n;
    const last = records.at(-1);
    const isInside = last !== undefined && BigInt(last.offset) < end;
    const inside = isInside ? records : records.filter(({ offset }) => BigInt(offset) < end);
    if (inside.length === 0) return;
    try {
      await this.#options.onRecords(partition, inside, heartbeat);
    } catch (error) {
      // kafkajs would report it as a failure of Kafka.
      this.#thrown = { error };
      this.end();
    }
  }

  #closeIfRead(partition: number): void {
    const end = this.#options.range.end.get(partition) ?? 0n;
    if ((this.#next.get(partition) ?? 0n) >= end) this.#close(partition);
  }

  #close(partition: number): void {
    if (!this.#open.delete(partition)) return;
    this.#reader?.pause(partition);
    if (this.#open.size === 0) this.#ended();
  }

  /**
   * Closes partitions whose last records of the range do not exist any more: compaction or
   * retention has removed them, and none has arrived since.
   */
  async #closeIfStalled(): Promise<void> {
    const { kafka, range, say } = this.#options;
    const reader = this.#reader;
    if (reader === undefined || !reader.isIdle) return;
    const isReadable = await fetchBounds(kafka, range.topic).then(
      () => true,
      () => false,
    );
    if (!isReadable || reader !== this.#reader || !reader.isIdle) return;
    for (const partition of [...this.#open]) {
      const next = this.#next.get(partition) ?? 0n;
      const end = range.end.get(partition) ?? 0n;
      say(`partition ${partition} of ${range.topic} has no records from ${next} to ${end - 1n}`);
      this.#next.set(partition, end);
      this.#close(partition);
    }
  }
}

function least(a: bigint, b: bigint): bigint {
  return a < b ? a : b;
}

/** Offsets between two positions, of all partitions. */
function distance(from: Positions, to: Positions): number {
  let sum = 0n;
  for (const [partition, end] of to) sum += end - (from.get(partition) ?? end);
  return Number(sum);
}
