/**
 * A model of a Kafka cluster with one topic: brokers, their copies of the partitions, and a
 * controller that elects leaders from the ISR. What the ISR has is never lost; what only a leader
 * has is lost when it is deposed.
 */

import type { SeededRandom } from '../../testing/random.ts';
import { Broker } from './broker.ts';
import type { VirtualClock } from './clock.ts';
import type { Faults } from './faults.ts';
import { Partition } from './partition.ts';
import type { Report } from './report.ts';

const BROKERS = [1, 2, 3];

export interface ClusterOptions {
  readonly topic: string;
  readonly partitions: number;
  /** Epoch that producer ids begin with. */
  readonly firstEpoch: () => number;
  readonly clock: VirtualClock;
  readonly random: SeededRandom;
  readonly faults: Faults;
  readonly report: Report;
  readonly note: (line: () => string) => void;
}

export class Cluster {
  readonly topic: string;
  readonly clock: VirtualClock;
  readonly faults: Faults;
  readonly report: Report;
  readonly note: (line: () => string) => void;
  readonly partitions: readonly Partition[];
  readonly brokers: ReadonlyMap<number, Broker>;
  readonly #random: SeededRandom;
  readonly #firstEpoch: () => number;
  /** Brokers whose session has ended. */
  readonly #fenced = new Set<number>();
  #producerIds = 4_000;

  constructor({ partitions, topic, clock, random, faults, report, note, ...rest }: ClusterOptions) {
    this.topic = topic;
    this.clock = clock;
    this.faults = faults;
    this.report = report;
    this.note = note;
    this.#random = random;
    this.#firstEpoch = rest.firstEpoch;
    this.partitions = Array.from(
      { length: partitions },
      (_, index) => new Partition(index, BROKERS, BROKERS[index % BROKERS.length]!),
    );
    this.brokers = new Map(BROKERS.map((id) => [id, new Broker(id, this)]));
  }

  isRegistered(broker: number): boolean {
    return !this.#fenced.has(broker);
  }

  producerId(): { errorCode: number; producerId: number; epoch: number } {
    const errorCode = this.faults.producerIdError();
    if (errorCode !== 0) return { errorCode, producerId: -1, epoch: -1 };
    return { errorCode, producerId: this.#producerIds++, epoch: this.#firstEpoch() };
  }

  /** The followers of `partition` fetch soon. */
  replicate(partition: Partition): void {
    for (const broker of this.brokers.values()) {
      this.clock.after(this.faults.replicationMs(), () => {
        if (broker.health === 'up') broker.fetch(partition);
      });
    }
  }

  /** `follower` has fetched all that `leader` has: it may count again. */
  caughtUp(partition: Partition, leader: number, follower: number): void {
    if (partition.leader !== leader || partition.isr.has(follower) || partition.isrHeld) return;
    if (this.#fenced.has(follower)) return;
    if (this.brokers.get(leader)!.view(partition.index).epoch !== partition.epoch) return;
    const { log } = partition.replica(leader);
    if (partition.replica(follower).log.length < log.length) return;
    partition.isr.add(follower);
    this.note(() => `ISR of p${partition.index} has ${follower} again`);
  }

  /** Gives the leadership to another of the ISR, as a controlled move does. */
  moveLeader(partition: Partition): void {
    const others = [...partition.isr].filter(
      (id) => id !== partition.leader && !this.#fenced.has(id),
    );
    if (partition.leader < 0 || others.length === 0) return;
    this.report.count('leader move');
    this.#elect(partition, this.#random.pick(others));
  }

  /** The leader is alone: its followers are too slow. `held`: they do not come back yet. */
  shrinkIsr(partition: Partition, held: boolean): void {
    partition.isrHeld = held;
    if (!held) return this.replicate(partition);
    if (partition.leader < 0) return;
    partition.isr = new Set([partition.leader]);
    this.note(() => `ISR of p${partition.index} shrinks to ${partition.leader}`);
    this.brokers.get(partition.leader)!.isrChanged(partition);
  }

  /** The session of `broker` ends if it is still silent. */
  expireSession(broker: Broker): void {
    if (broker.health === 'up' || this.#fenced.has(broker.id)) return;
    this.note(() => `the session of broker ${broker.id} ends`);
    this.#fenced.add(broker.id);
    for (const partition of this.partitions) {
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

  /** `broker` runs again and hears what has happened. */
  welcome(broker: Broker): void {
    this.#fenced.delete(broker.id);
    const newsMs = this.faults.newsAfterAbsenceMs();
    for (const partition of this.partitions) {
      if (partition.leader < 0 && partition.isr.has(broker.id)) this.#elect(partition, broker.id);
      this.#tell(broker, partition, newsMs);
      this.replicate(partition);
    }
  }

  #elect(partition: Partition, leader: number): void {
    const before = this.brokers.get(partition.leader);
    if (before !== undefined) before.view(partition.index).lastIsr = new Set(partition.isr);
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
