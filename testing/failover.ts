/** Duration of a broker failover: from a new leader to the first acknowledgement. */
import { Kafka, logLevel } from 'kafkajs';
import { eventIn, readableValue } from '../src/kafka/record-value.ts';
import { Ledger } from './ledger.ts';
import type { TopicRecord } from './topic.ts';
import { until } from './wait.ts';

/** Ledger with times: ms of `performance.now()` by event. */
export class TimedLedger extends Ledger {
  readonly sentMs = new Map<string, number>();
  readonly acknowledgedMs = new Map<string, number>();

  override sent(...send: Parameters<Ledger['sent']>): void {
    super.sent(...send);
    const [id, attempt = 1] = send;
    this.sentMs.set(`${id}#${attempt}`, performance.now());
  }

  override acknowledged(id: string, attempt: number): void {
    super.acknowledged(id, attempt);
    this.acknowledgedMs.set(`${id}#${attempt}`, performance.now());
  }
}

/** Returns the topic's partitions according to these brokers: leaders and in-sync replicas. */
export async function partitionsOf(brokers: readonly string[], topic: string) {
  const kafka = new Kafka({
    brokers: [...brokers],
    logLevel: logLevel.NOTHING,
    connectionTimeout: 500,
    requestTimeout: 1_000,
    retry: { retries: 0 },
  });
  const admin = kafka.admin();
  try {
    await admin.connect();
    const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
    return topics[0]!.partitions;
  } finally {
    await admin.disconnect();
  }
}

/** Partitions that have just lost their leader. */
export class Failover {
  readonly #partitions: readonly number[];
  readonly #sinceMs = performance.now();
  #ledMs = Number.NaN;

  constructor(partitions: readonly number[]) {
    this.#partitions = partitions;
  }

  /** Time from the fault to new leaders of all. */
  get leaderlessMs(): number {
    return Math.round(this.#ledMs - this.#sinceMs);
  }

  /** Waits until one of the living brokers reports other leaders for all partitions. */
  async untilLed(living: readonly string[], topic: string, lost: number): Promise<void> {
    const led = async () => {
      // Queries one broker: kafkajs would try others for a long time.
      const partitions = await partitionsOf(living.slice(0, 1), topic);
      return partitions
        .filter(({ partitionId }) => this.#partitions.includes(partitionId))
        .every(({ leader }) => leader !== lost && leader >= 0);
    };
    await until(led, { everyMs: 50, what: 'new leaders' });
    this.#ledMs = performance.now();
  }

  /**
   * Returns, per partition, the ms from the new leader to the first acknowledgement of an event
   * sent after the fault; negative if the gateway learned of the leader before the test.
   */
  firstAcknowledgements(records: readonly TimedRecord[]): number[] {
    const first = new Map(this.#partitions.map((partition) => [partition, Number.MAX_VALUE]));
    for (const { partition, sentMs, acknowledgedMs } of records) {
      const before = first.get(partition);
      if (before === undefined || sentMs < this.#sinceMs) continue;
      first.set(partition, Math.min(before, acknowledgedMs));
    }
    return [...first.values()].map((ms) => Math.round(ms - this.#ledMs));
  }
}

/** An acknowledged record, and its time. */
export interface TimedRecord {
  readonly id: string;
  readonly partition: number;
  readonly sentMs: number;
  readonly acknowledgedMs: number;
}

/** Returns the acknowledged records. */
export function timedRecords(ledger: TimedLedger, records: readonly TopicRecord[]): TimedRecord[] {
  return records.flatMap((record) => {
    const { partition } = record;
    const { id, attempt = 1 } = eventIn(readableValue(record)) as { id: string; attempt?: number };
    const sentMs = ledger.sentMs.get(`${id}#${attempt}`) ?? 0;
    const acknowledgedMs = ledger.acknowledgedMs.get(`${id}#${attempt}`);
    return acknowledgedMs === undefined ? [] : [{ id, partition, sentMs, acknowledgedMs }];
  });
}
