/** Outcomes that the producer reports for batches, checked against the brokers' logs. */
import type { EventCode } from '../../src/common/errors.ts';
import type { RecordBatch } from '../../src/worker/accumulator/batch.ts';
import { BATCH_HEADER_BYTES } from '../../src/worker/accumulator/records.ts';
import type { DeliveryListener } from '../../src/worker/producer/delivery-listener.ts';
import type { Cluster } from './cluster.ts';
import { nameIn } from './events.ts';
import type { Incarnation } from './partition.ts';
import type { Report } from './report.ts';
import { topicName as topicNameOf, topicOfId } from './streams.ts';
import { type BatchView, plainValuesIn, valuesIn } from './wire.ts';

/** Number of last batches of a log that include a batch just confirmed. */
const LAST_BATCHES = 12;

type Fate = 'overdue' | 'stored' | 'stored late' | 'timeout' | 'refused';

export class Fates implements DeliveryListener {
  readonly #outcomes: DeliveryListener;
  readonly #cluster: Cluster;
  readonly #report: Report;
  readonly #fates = new Map<string, Fate>();
  readonly #unfenced = new Set<string>();
  /** Topics of events whose streams move, by name. */
  readonly #movedTo = new Map<string, string>();
  /** Number of events reported as stored. */
  stores = 0;

  constructor(outcomes: DeliveryListener, cluster: Cluster, report: Report) {
    this.#outcomes = outcomes;
    this.#cluster = cluster;
    this.#report = report;
  }

  stored(batch: RecordBatch): void {
    const report = this.#report;
    report.count('batch stored');
    const names = namesIn(batch);
    this.stores += names.length;
    report.demand(
      this.#isInKafka(batch),
      `${names[0]} … is reported as stored, and is not in Kafka`,
    );
    for (const name of names) {
      const before = this.#fates.get(name);
      report.demand(
        before === undefined || before === 'overdue',
        `${name} is stored after ${before}`,
      );
      report.demand(batch.answered === (before === 'overdue'), `${name}: answered is wrong`);
      this.#fates.set(name, before === undefined ? 'stored' : 'stored late');
    }
    this.#outcomes.stored(batch);
  }

  rejected(batch: RecordBatch, code: EventCode): void {
    const report = this.#report;
    if (code === 'timeout') report.count('given up');
    else report.count(code === 'kafka_unavailable' ? 'dropped unsent' : 'refused for good');
    if (code === 'kafka_unavailable' && batch.compressed !== undefined) {
      report.count('unsent after compression');
    }
    for (const name of namesIn(batch)) {
      const before = this.#fates.get(name);
      report.demand(
        before === undefined || before === 'overdue',
        `${name} is rejected with ${code} after ${before}`,
      );
      this.#fates.set(name, code === 'timeout' ? 'timeout' : 'refused');
    }
    this.#outcomes.rejected(batch, code);
  }

  overdue(batch: RecordBatch): void {
    this.#report.count('overdue');
    for (const name of namesIn(batch)) {
      const before = this.#fates.get(name);
      this.#report.demand(before === undefined, `${name} is overdue after ${before}`);
      this.#fates.set(name, 'overdue');
    }
    this.#outcomes.overdue(batch);
  }

  /**
   * The lane abandoned these and has a new producer id: a copy in flight may be stored after
   * younger events. Kafka cannot prevent that; their senders received `timeout`.
   */
  unfenced(names: readonly string[]): void {
    for (const name of names) this.#unfenced.add(name);
  }

  /** The stream of an event had this topic when its frame began. */
  movedTo(name: string, topic: string): void {
    this.#movedTo.set(name, topic);
  }

  isUnfenced(text: string): boolean {
    return this.#unfenced.has(nameIn(text));
  }

  /**
   * Checks at rest: the logs hold each event reported as stored once, and the current topic holds
   * no rejected event.
   */
  check(): void {
    const report = this.#report;
    const stored = new Set<string>();
    const cluster = this.#cluster;
    for (const name of [cluster.topic, ...cluster.others.keys()]) {
      for (const topic of cluster.incarnationsOf(name)) this.#checkTopic(name, topic, stored);
    }
    for (const [name, fate] of this.#fates) {
      report.demand(fate !== 'overdue', `${name} was overdue and left so`);
      if (fate === 'stored' || fate === 'stored late') {
        report.demand(stored.has(name), `${name} is ${fate} and missing`);
      }
    }
  }

  #checkTopic(topicName: string, topic: Incarnation, stored: Set<string>): void {
    const report = this.#report;
    const names = topic.partitions.flatMap(({ log }) => log.flatMap(valuesIn).map(nameIn));
    const inTopic = new Set<string>();
    for (const name of names) {
      report.demand(!inTopic.has(name), `${name} is stored twice`);
      const ownTopic = this.#movedTo.get(name) ?? topicNameOf(topicOfId(name));
      report.demand(
        ownTopic === topicName,
        `${name} is in ${topicName}, and the topic of its stream is ${ownTopic}`,
      );
      inTopic.add(name);
      stored.add(name);
      const fate = this.#fates.get(name);
      report.demand(fate !== undefined, `${name} is stored, without a reported outcome`);
      const isRefused =
        fate === 'refused' && topic === this.#cluster.incarnationsOf(topicName).at(-1);
      report.demand(!isRefused, `${name} is rejected and stored`);
    }
  }

  /** Returns whether all in-sync replicas of some partition have the records of `batch`. */
  #isInKafka(batch: RecordBatch): boolean {
    const records = batch.bytes.subarray(BATCH_HEADER_BYTES);
    const has = (log: readonly BatchView[]) =>
      log.slice(-LAST_BATCHES).some(({ bytes }) => {
        return records.equals(bytes.subarray(BATCH_HEADER_BYTES));
      });
    const topics = this.#cluster.incarnationsOf(batch.partition.topic.name);
    const partitions = topics.flatMap((topic) => topic.partitions);
    return partitions.some((partition) =>
      [...partition.isr].every((broker) => has(partition.replica(broker).log)),
    );
  }
}

/** Returns `id#attempt` of each event. */
export function namesIn({ buffer, records }: RecordBatch): string[] {
  return plainValuesIn(buffer, records).map(nameIn);
}
