/**
 * Ability to store events, the time since it was lost, and the reason: for the readiness of the
 * instance and its lines about outages. Called per attempt of a batch, not per event.
 */

import { LIMITS } from '../../config/limits.ts';
import type { Delivery } from '../../ipc.ts';
import { formatBrokerAddress } from '../../kafka/broker-address.ts';
import type { Partition, Topic } from '../accumulator/topic.ts';
import type { Faults } from '../faults.ts';
import type { Broker } from './broker.ts';
import { reasonFor } from './connection-errors.ts';
import { errorName, type Outcome, outcomeOf } from './error-table.ts';
import type { Verdict } from './lane.ts';
import type { Address, LinkError } from './link.ts';
import type { TopicListener } from './topic-listener.ts';

const NO_TOPIC = 'the topic does not exist';
const NO_LEADER = 'a partition has no leader';
const NO_ANSWER = 'Kafka does not answer';

/** Subject of an answer about a topic that keeps its events from being stored. */
type Subject = 'topic' | 'leaders';
/** Numbers of partitions that a line of the log names. */
const NUMBERS_LOGGED = 20;

/** State of one topic. */
interface TopicMarks {
  /** Its events could be sent to a leader since the start. */
  reached: boolean;
  /**
   * Time since which no leader can be sent its events, by the monotonic clock; undefined = one can.
   */
  unreachableSinceMs: number | undefined;
}

/** State of one partition. */
interface PartitionMarks {
  /** When a batch was last stored or refused. */
  movedAtMs: number;
  /** Arrival of the first event that expired unsent since the partition was usable. */
  expiredSinceMs: number | undefined;
  /** Kafka's answer to the last attempt while it is retried. */
  attemptReason: string | undefined;
}

export class Health {
  readonly #topics: ReadonlyMap<Topic, TopicMarks>;
  readonly #partitions = new WeakMap<Partition, PartitionMarks>();
  readonly #listener: TopicListener;
  readonly #faults: Faults;
  readonly #bootstrap: ReadonlySet<string>;
  /** Events of each topic could be sent to a leader since the start. */
  #reached = false;
  /** Some topic was known since the start. */
  #topicKnown = false;
  /** Credentials were accepted before, here or in another worker. */
  #everWorked = false;
  #leaderConnected = false;
  #storedAtMs = Number.NEGATIVE_INFINITY;
  /** Those whose last attempt Kafka refused by rights or policy. */
  readonly #refusedPartitions = new Set<Partition>();
  #producerIdsRefused = false;
  #toldRefused = false;
  /** Latest failures by broker address. Kept apart, or brokers asked in turn alternate. */
  readonly #connections = new Map<string, string>();
  /** By subject: of a topic, or `producer id`. */
  readonly #answers = new Map<string, string>();

  constructor(
    topics: readonly Topic[],
    listener: TopicListener,
    faults: Faults,
    bootstrap: readonly Address[],
  ) {
    const unreachableSinceMs = performance.now();
    this.#topics = new Map(topics.map((topic) => [topic, { reached: false, unreachableSinceMs }]));
    this.#listener = listener;
    this.#faults = faults;
    this.#bootstrap = new Set(bootstrap.map(formatBrokerAddress));
  }

  /** Credentials were accepted, here or in another worker: rejected ones no longer end it. */
  hasWorked(): void {
    this.#everWorked = true;
  }

  /** A broker answered a metadata request. */
  answered(address: Address): void {
    this.#connections.delete(formatBrokerAddress(address));
  }

  /** @param allLed every partition has a leader */
  topicKnown(topic: Topic, allLed: boolean): void {
    this.#everWorked = true;
    this.#answers.delete(about('topic', topic));
    const leaders = about('leaders', topic);
    if (allLed) this.#answers.delete(leaders);
    else this.#answers.set(leaders, this.#named(topic, NO_LEADER));
    if (!this.#topicKnown) this.#connections.clear();
    this.#topicKnown = true;
    this.#tellWhy();
  }

  topicIsMissing(topic: Topic): void {
    this.#answers.set(about('topic', topic), this.#named(topic, NO_TOPIC));
    this.#tellWhy();
    this.#listener.topicMissing(topic);
  }

  /** A broker answered with an error for the topic. */
  topicFailed(topic: Topic, why: string): void {
    this.#answers.set(about('topic', topic), this.#named(topic, why));
    this.#tellWhy();
  }

  /** The topic was deleted and created again, without some of its partitions perhaps. */
  topicRecreated(topic: Topic, removed: readonly Partition[]): void {
    for (const partition of [...topic.partitions, ...removed]) {
      this.#refusedPartitions.delete(partition);
    }
    this.#tellRefused();
    this.#listener.topicRecreated(topic);
  }

  /** A broker answered with an error instead of a producer id. */
  producerIdFailed(errorCode: number): void {
    this.#answers.set('producer id', `Kafka answers ${errorName(errorCode)} for a producer id`);
    const outcome = outcomeOf(errorCode);
    this.#producerIdsRefused = 'class' in outcome && outcome.class === 'refused_by_policy';
    this.#tellRefused();
    this.#tellWhy();
  }

  /** A broker gave a producer id, or no partition needs one any more. */
  producerIdsGiven(): void {
    this.#answers.delete('producer id');
    this.#producerIdsRefused = false;
    this.#tellRefused();
  }

  /** A connection for metadata or records failed, or could not be opened. */
  connectionFailed(address: Address, error: LinkError, broker?: Broker): void {
    const { why, message } = error;
    if (why === 'configuration' && !this.#everWorked) return this.#listener.loginRefused(message);
    const at = formatBrokerAddress(address);
    const hint = reasonFor(error);
    const isLeader = broker !== undefined && broker.partitions.length > 0;
    if (isLeader || !this.#topicKnown) {
      const advertised = isLeader && !this.#reached && !this.#bootstrap.has(at);
      const where = advertised ? ' (see the broker’s advertised.listeners)' : '';
      this.#connections.set(at, `${hint}${where}`);
      this.#tellWhy();
    }
    const fields = { address: at, broker: broker?.id, why, error: message, hint };
    if (why === 'configuration') {
      this.#faults.error(at, fields, 'Kafka authentication failed');
    } else this.#faults.warn(`${at} ${hint}`, fields, 'broker connection failed');
  }

  /**
   * Finds the leaders that can be sent events: connected, and with a producer id for a partition.
   * Called whenever that may have changed.
   */
  lookAtLeaders(brokers: ReadonlyMap<number, Broker>, nowMs: number): void {
    const leaders = [...brokers.values()].filter(({ partitions }) => partitions.length > 0);
    if (this.#topicKnown) this.#forgetConnections(leaders);
    this.#leaderConnected = leaders.some((broker) => broker.connected);
    for (const [topic, marks] of this.#topics) {
      const usable = topic.partitions.filter(isUsable);
      for (const partition of usable) this.#marksOf(partition).expiredSinceMs = undefined;
      if (topic.state === 'missing' || usable.length === 0) marks.unreachableSinceMs ??= nowMs;
      else {
        marks.unreachableSinceMs = undefined;
        marks.reached = true;
      }
    }
    if (this.#reached || ![...this.#topics.values()].every(({ reached }) => reached)) return;
    this.#reached = true;
    this.#listener.reached();
  }

  /** A batch of the partition expired before it was sent. */
  expired(partition: Partition, openedAtMs: number): void {
    this.#marksOf(partition).expiredSinceMs ??= openedAtMs;
  }

  /** An attempt has ended; by now its batch is counted where it is. */
  settled(partition: Partition, outcome: Outcome, verdict: Verdict, nowMs: number): void {
    if (verdict.do === 'stored') this.#storedAtMs = nowMs;
    const marks = this.#marksOf(partition);
    const { errorCode } = outcome;
    const failed = verdict.do === 'retry' && errorCode !== undefined;
    marks.attemptReason = failed ? `Kafka answers ${errorName(errorCode)}` : undefined;
    if (verdict.do !== 'retry') {
      marks.movedAtMs = nowMs;
      marks.expiredSinceMs = undefined;
    }
    if (verdict.class === 'refused_by_policy') this.#refusedPartitions.add(partition);
    else this.#refusedPartitions.delete(partition);
    this.#tellRefused();
  }

  /**
   * Counts the partitions that have had no leader for `LIMITS.leaderlessMs`, whether events wait for
   * them or not, and reports them.
   */
  leaderless(nowMs: number): number {
    let count = 0;
    for (const topic of this.#topics.keys()) {
      const without = topic.partitions.filter(({ leaderlessSinceMs = nowMs }) => {
        return nowMs - leaderlessSinceMs >= LIMITS.leaderlessMs;
      });
      if (without.length === 0) continue;
      count += without.length;
      const numbers = without.slice(0, NUMBERS_LOGGED).map(({ number }) => number);
      const fields = { topic: topic.name, partitions: without.length, numbers };
      this.#faults.warn(topic.name, fields, 'partitions have no leader');
    }
    return count;
  }

  /**
   * Measures the ability to store events. A partition is stuck while events wait for it and none
   * moves: not while its queue moves slowly, nor while its broker has asked for a pause. After
   * events expired unsent it stays stuck until it is usable, or the outage would end with the wait.
   */
  delivery(nowMs: number): Delivery {
    let stuckMs = 0;
    let unansweredMs = 0;
    let stuckPartitions = 0;
    let partitions = 0;
    let unreachableMs = Number.POSITIVE_INFINITY;
    let worst: Partition | undefined;
    for (const [topic, { unreachableSinceMs = nowMs }] of this.#topics) {
      unreachableMs = Math.min(unreachableMs, nowMs - unreachableSinceMs);
      partitions += topic.partitions.length;
      for (const partition of topic.partitions) {
        const forMs = nowMs - this.#stuckSinceMs(partition, nowMs);
        if (forMs >= LIMITS.outage.totalMs) stuckPartitions++;
        if (forMs > stuckMs) {
          stuckMs = forMs;
          worst = partition;
        }
        if (isUsable(partition) || partition.lane.attempts > 0) {
          unansweredMs = Math.max(unansweredMs, forMs);
        }
      }
    }
    const stuck = unreachableMs === 0 && stuckMs >= LIMITS.outage.totalMs ? worst : undefined;
    return {
      unreachableMs,
      stuckMs,
      unansweredMs,
      stuckPartitions,
      partitions,
      storedAgoMs: nowMs - this.#storedAtMs,
      reason: stuck ? this.#whyStuck(stuck) : this.#why(),
    };
  }

  /** @returns `nowMs` when it is not stuck */
  #stuckSinceMs(partition: Partition, nowMs: number): number {
    const { lane, queue, leader } = partition;
    const marks = this.#partitions.get(partition);
    const expiredSinceMs = marks?.expiredSinceMs ?? nowMs;
    const oldest = lane.oldest ?? queue.oldest;
    if (oldest === undefined) return expiredSinceMs;
    const mutedUntilMs = leader?.mutedUntilMs ?? 0;
    const movedAtMs = marks?.movedAtMs ?? 0;
    return Math.min(expiredSinceMs, Math.max(oldest.openedAtMs, movedAtMs, mutedUntilMs));
  }

  #marksOf(partition: Partition): PartitionMarks {
    let marks = this.#partitions.get(partition);
    if (marks === undefined) {
      marks = { movedAtMs: 0, expiredSinceMs: undefined, attemptReason: undefined };
      this.#partitions.set(partition, marks);
    }
    return marks;
  }

  #whyStuck(partition: Partition): string {
    const { lane, leader } = partition;
    if (leader === undefined) return NO_LEADER;
    if (!leader.connected) {
      const why = this.#connections.get(formatBrokerAddress(leader.address));
      return why ?? 'a leader is not connected';
    }
    if (lane.needsProducerId) return this.#answers.get('producer id') ?? NO_ANSWER;
    return this.#partitions.get(partition)?.attemptReason ?? NO_ANSWER;
  }

  /** The reason why no leader can be sent events. */
  #why(): string {
    const parts = [...this.#answers.values()];
    if (!this.#topicKnown || !(this.#leaderConnected || this.#someMissing)) {
      const hints = [...new Set(this.#connections.values())].sort().join('; ');
      const where = this.#topicKnown ? 'no leader of the topic is connected: ' : '';
      if (hints !== '') parts.push(`${where}${hints}`);
    }
    if (parts.length > 0) return parts.join('; ');
    if (!this.#topicKnown) return 'Kafka was not reached yet';
    return this.#leaderConnected
      ? 'no producer id was given yet'
      : 'no leader of the topic is connected yet';
  }

  get #someMissing(): boolean {
    return [...this.#topics.keys()].some(({ state }) => state === 'missing');
  }

  /** Names the topic where there are several. */
  #named(topic: Topic, why: string): string {
    return this.#topics.size > 1 ? `${topic.name}: ${why}` : why;
  }

  #tellWhy(): void {
    if (!this.#reached) this.#listener.unreachable(this.#why());
  }

  #tellRefused(): void {
    const refused = this.#producerIdsRefused || this.#refusedPartitions.size > 0;
    if (refused === this.#toldRefused) return;
    this.#toldRefused = refused;
    this.#listener.refusedByPolicy(refused);
  }

  /** Drops failures of brokers that are connected, or no longer lead. */
  #forgetConnections(leaders: readonly Broker[]): void {
    if (this.#connections.size === 0) return;
    const away = leaders.filter(({ connected }) => !connected);
    const addresses = new Set(away.map(({ address }) => formatBrokerAddress(address)));
    for (const at of this.#connections.keys()) {
      if (!addresses.has(at)) this.#connections.delete(at);
    }
  }
}

function about(subject: Subject, topic: Topic): string {
  return `${subject} ${topic.name}`;
}

/** Whether events of the partition can be sent now. */
function isUsable({ lane, leader }: Partition): boolean {
  return leader?.connected === true && !lane.needsProducerId;
}
