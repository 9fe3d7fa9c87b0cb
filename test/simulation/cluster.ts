/**
 * A model of a Kafka cluster with one topic that is recreated, and others that stay: brokers,
 * their copies of the partitions, and a controller that elects leaders from the ISR. Records on the
 * whole ISR are never lost; records only on the leader are lost when it is deposed.
 */

import type { SeededRandom } from '../../testing/random.ts';
import { Broker } from './broker.ts';
import type { VirtualClock } from './clock.ts';
import type { Faults } from './faults.ts';
import { type Incarnation, Partition } from './partition.ts';
import type { Report } from './report.ts';

const BROKERS = [1, 2, 3];
/** Ids of further topics begin here. */
const OTHER_IDS = 2_000;

function newPartitions(count: number, isr: readonly number[]): Partition[] {
  return Array.from(
    { length: count },
    (_, index) => new Partition(index, BROKERS, isr[index % isr.length]!, isr),
  );
}

export interface ClusterOptions {
  readonly topic: string;
  readonly partitions: number;
  /** Further topics and their partition counts. */
  readonly others?: readonly { readonly name: string; readonly partitions: number }[];
  /** Another topic, to which brokers reject all writes. */
  readonly rejected?: { readonly name: string; readonly partitions: number };
  /** Initial epoch of producer ids. */
  readonly firstEpoch: () => number;
  readonly clock: VirtualClock;
  readonly random: SeededRandom;
  readonly faults: Faults;
  readonly report: Report;
  readonly note: (line: () => string) => void;
  /** Called with the partition count when the topic is deleted and recreated. */
  readonly recreated?: (partitions: number) => void;
  /** Called when the last broker knows: the former topic accepts no further writes. */
  readonly adopted?: () => void;
}

export class Cluster {
  readonly topic: string;
  readonly rejected: ClusterOptions['rejected'];
  readonly clock: VirtualClock;
  readonly faults: Faults;
  readonly report: Report;
  readonly note: (line: () => string) => void;
  readonly brokers: ReadonlyMap<number, Broker>;
  readonly #random: SeededRandom;
  readonly #firstEpoch: () => number;
  /** Brokers with an expired session. */
  readonly #fenced = new Set<number>();
  readonly #recreated: ClusterOptions['recreated'];
  readonly #adopted: ClusterOptions['adopted'];
  /** Incarnations of the topic, the current one last. */
  readonly incarnations: Incarnation[] = [];
  /** Topics that are never recreated, by name. */
  readonly others: ReadonlyMap<string, Incarnation>;
  #producerIds = 4_000;

  constructor({ partitions, topic, clock, random, faults, report, note, ...rest }: ClusterOptions) {
    this.topic = topic;
    this.rejected = rest.rejected;
    this.clock = clock;
    this.faults = faults;
    this.report = report;
    this.note = note;
    this.#random = random;
    this.#firstEpoch = rest.firstEpoch;
    this.#recreated = rest.recreated;
    this.#adopted = rest.adopted;
    this.#create(partitions, BROKERS);
    const others = (rest.others ?? []).map(({ name, partitions: count }, index) => {
      const id = OTHER_IDS + index;
      return [name, { id, bornAtMs: 0, partitions: newPartitions(count, BROKERS) }] as const;
    });
    this.others = new Map(others);
    this.brokers = new Map(BROKERS.map((id) => [id, new Broker(id, this)]));
  }

  /** Partitions of the current topic. */
  get partitions(): readonly Partition[] {
    return this.topicNow.partitions;
  }

  /** Partitions of all current topics. */
  get allPartitions(): readonly Partition[] {
    const others = [...this.others.values()].flatMap(({ partitions }) => partitions);
    return [...this.partitions, ...others];
  }

  /** Returns all incarnations of a topic, the current one last. */
  incarnationsOf(topic: string): readonly Incarnation[] {
    if (topic === this.topic) return this.incarnations;
    const other = this.others.get(topic);
    return other === undefined ? [] : [other];
  }

  get topicNow(): Incarnation {
    return this.incarnations.at(-1)!;
  }

  /**
   * Deletes the topic and recreates it with `count` partitions. Brokers learn of both one by one;
   * for `missingMs` they know no topic.
   */
  recreate(count: number, missingMs: number): void {
    const registered = BROKERS.filter((id) => !this.#fenced.has(id));
    this.note(
      () => `the topic is created again, ${count} partitions for ${this.partitions.length}`,
    );
    this.#recreated?.(count);
    this.#create(count, registered.length > 0 ? registered : BROKERS);
    const topic = this.topicNow;
    if (registered.length === 0) for (const partition of topic.partitions) partition.leader = -1;
    for (const broker of this.#random.shuffled(this.brokers.values())) {
      const ms = this.faults.newsMs();
      const isNews = () =>
        broker.health === 'up' && this.topicNow === topic && !broker.knows(topic);
      if (missingMs > 0) this.clock.after(ms, () => isNews() && broker.adopt(undefined));
      this.clock.after(ms + missingMs, () => {
        if (isNews()) this.#announce(broker);
      });
    }
  }

  #create(count: number, isr: readonly number[]): void {
    const partitions = newPartitions(count, isr);
    const id = this.incarnations.length + 1;
    this.incarnations.push({ id, bornAtMs: this.clock.nowMs, partitions });
  }

  /** `broker` learns of the current topic. */
  #announce(broker: Broker): void {
    broker.adopt(this.topicNow);
    for (const partition of this.partitions) {
      broker.learn(partition, partition.leader, partition.epoch);
      this.replicate(partition);
    }
    if ([...this.brokers.values()].every((each) => each.knows(this.topicNow))) this.#adopted?.();
  }

  isRegistered(broker: number): boolean {
    return !this.#fenced.has(broker);
  }

  producerId(): { errorCode: number; producerId: number; epoch: number } {
    const errorCode = this.faults.producerIdError();
    if (errorCode !== 0) return { errorCode, producerId: -1, epoch: -1 };
    return { errorCode, producerId: this.#producerIds++, epoch: this.#firstEpoch() };
  }

  /** Schedules fetches of the followers of `partition`. */
  replicate(partition: Partition): void {
    for (const broker of this.brokers.values()) {
      this.clock.after(this.faults.replicationMs(), () => {
        if (broker.health === 'up') broker.fetch(partition);
      });
    }
  }

  /** `follower` has caught up with `leader` and may rejoin the ISR. */
  caughtUp(partition: Partition, leader: number, follower: number): void {
    if (partition.leader !== leader || partition.isr.has(follower) || partition.isrHeld) return;
    if (this.#fenced.has(follower)) return;
    if (this.brokers.get(leader)!.view(partition).epoch !== partition.epoch) return;
    const { log } = partition.replica(leader);
    if (partition.replica(follower).log.length < log.length) return;
    partition.isr.add(follower);
    this.note(() => `ISR of p${partition.index} has ${follower} again`);
  }

  /** Moves the leadership to another replica of the ISR. */
  moveLeader(partition: Partition): void {
    const others = [...partition.isr].filter(
      (id) => id !== partition.leader && !this.#fenced.has(id),
    );
    if (partition.leader < 0 || others.length === 0) return;
    this.report.count('leader move');
    this.#elect(partition, this.#random.pick(others));
  }

  /** Shrinks the ISR to the leader: its followers are too slow. `held`: they do not rejoin yet. */
  shrinkIsr(partition: Partition, held: boolean): void {
    partition.isrHeld = held;
    if (!held) return this.replicate(partition);
    if (partition.leader < 0) return;
    partition.isr = new Set([partition.leader]);
    this.note(() => `ISR of p${partition.index} shrinks to ${partition.leader}`);
    this.brokers.get(partition.leader)!.isrChanged(partition);
  }

  /** Expires the session of `broker` if it is still silent. */
  expireSession(broker: Broker): void {
    if (broker.health === 'up' || this.#fenced.has(broker.id)) return;
    this.note(() => `the session of broker ${broker.id} ends`);
    this.#fenced.add(broker.id);
    for (const partition of this.allPartitions) {
      const { isr, leader } = partition;
      const heirs = this.#random.shuffled(isr).filter((id) => !this.#fenced.has(id));
      if (leader === broker.id) {
        if (heirs.length === 0) this.#elect(partition, -1);
        else {
          this.report.count('leader move');
          this.#elect(partition, heirs[0]!);
        }
      }
      if (heirs.length === 0) continue;
      partition.isr.delete(broker.id);
      if (partition.leader >= 0) this.brokers.get(partition.leader)!.isrChanged(partition);
    }
  }

  /** `broker` runs again and learns what it missed. */
  welcome(broker: Broker): void {
    this.#fenced.delete(broker.id);
    const newsMs = this.faults.newsAfterAbsenceMs();
    const topic = this.topicNow;
    if (!broker.knows(topic)) {
      this.clock.after(newsMs, () => {
        if (broker.health === 'up' && this.topicNow === topic) this.#announce(broker);
      });
    }
    for (const partition of this.allPartitions) {
      if (partition.leader < 0 && partition.isr.has(broker.id)) this.#elect(partition, broker.id);
      this.#tell(broker, partition, newsMs);
      this.replicate(partition);
    }
  }

  #elect(partition: Partition, leader: number): void {
    const before = this.brokers.get(partition.leader);
    if (before !== undefined) before.view(partition).lastIsr = new Set(partition.isr);
    partition.leader = leader;
    partition.epoch++;
    this.note(() => `p${partition.index} is led by ${leader} (${partition.epoch})`);
    for (const broker of this.#random.shuffled(this.brokers.values())) {
      this.#tell(broker, partition);
    }
  }

  #tell(broker: Broker, partition: Partition, ms = this.faults.newsMs()): void {
    this.clock.after(ms, () => {
      if (broker.health === 'up') broker.learn(partition, partition.leader, partition.epoch);
    });
  }
}
