/**
 * Ability to store events, the time since it was lost, and the reason: for the readiness of the
 * instance and the log lines about outages. Called per attempt of a batch, not per event.
 * Invariant: it observes the producer and changes nothing in it.
 */
import { LIMITS } from '../../config/limits.ts';
import type { Delivery } from '../../ipc.ts';
import { formatBrokerAddress } from '../../kafka/broker-address.ts';
import type { Partition, Topic } from '../accumulator/topic.ts';
import type { Faults } from '../faults.ts';
import type { Broker } from './broker.ts';
import { reasonFor } from './connection-errors.ts';
import { errorName, type Outcome, outcomeOf } from './error-table.ts';
import type { Settlement } from './lane.ts';
import { reportLeaderless } from './leaderless.ts';
import type { Address, LinkError } from './link.ts';
import type { TopicListener } from './topic-listener.ts';

const NO_TOPIC = 'the topic does not exist';
const NO_LEADER = 'a partition has no leader';
const NO_ANSWER = 'Kafka does not answer';

/** Subject of a broker's error that prevents events of a topic from being stored. */
type Subject = 'topic' | 'leaders';

/** State of one topic. */
interface TopicState {
  /** Since the start, its events could be sent to a leader. */
  reached: boolean;
  /** Time since which no leader of the topic is usable, monotonic clock; undefined = one is. */
  unreachableSinceMs: number | undefined;
}

/** State of one partition. */
interface PartitionState {
  /** Time at which a batch was last stored or rejected. */
  movedAtMs: number;
  /** Arrival of the first event that expired unsent since the partition was usable. */
  expiredSinceMs: number | undefined;
  /** Kafka's error for the last attempt, while it is retried. */
  attemptReason: string | undefined;
}

export class Health {
  readonly #topics = new Map<Topic, TopicState>();
  readonly #partitions = new WeakMap<Partition, PartitionState>();
  readonly #listener: TopicListener;
  readonly #faults: Faults;
  readonly #bootstrap: ReadonlySet<string>;
  /** Since the start, events of each required topic could be sent to a leader. */
  #reached = false;
  /** Since the start, some topic was known. */
  #topicKnown = false;
  /** Credentials were accepted before, here or in another worker. */
  #authenticated = false;
  #leaderConnected = false;
  #storedAtMs = Number.NEGATIVE_INFINITY;
  /** Partitions whose last attempt Kafka rejected by ACL or policy. */
  readonly #rejectedPartitions = new Set<Partition>();
  #producerIdsRejected = false;
  #reportedRejected = false;
  /** Latest failures by broker address; one value would alternate between brokers. */
  readonly #connections = new Map<string, string>();
  /** Latest broker errors, by subject and topic, or `producer id`. */
  readonly #answers = new Map<string, string>();

  constructor(
    topics: readonly Topic[],
    listener: TopicListener,
    faults: Faults,
    bootstrap: readonly Address[],
  ) {
    for (const topic of topics) this.add(topic);
    this.#listener = listener;
    this.#faults = faults;
    this.#bootstrap = new Set(bootstrap.map(formatBrokerAddress));
  }

  /** Begins to observe a topic. */
  add(topic: Topic): void {
    this.#topics.set(topic, { reached: false, unreachableSinceMs: performance.now() });
  }

  /** Forgets a topic without events. */
  remove(topic: Topic): void {
    this.#topics.delete(topic);
    for (const subject of ['topic', 'leaders'] as const)
      this.#answers.delete(about(subject, topic));
    for (const partition of topic.partitions) this.#rejectedPartitions.delete(partition);
    this.#producerIdsChanged();
    this.#reportRejected();
  }

  /** Without a partition that needs a producer id, no failure to get one counts. */
  #producerIdsChanged(): void {
    for (const { partitions } of this.#topics.keys()) {
      if (partitions.some(({ lane }) => lane.needsProducerId)) return;
    }
    this.producerIdsGiven();
  }

  /**
   * Records that credentials were accepted, here or in another worker: rejected ones no longer end
   * the worker.
   */
  authenticated(): void {
    this.#authenticated = true;
  }

  /** A broker answered a metadata request. */
  answered(address: Address): void {
    this.#connections.delete(formatBrokerAddress(address));
  }

  /** @param allLed every partition has a leader */
  topicKnown(topic: Topic, allLed: boolean): void {
    this.#authenticated = true;
    this.#answers.delete(about('topic', topic));
    const leaders = about('leaders', topic);
    if (allLed) this.#answers.delete(leaders);
    else this.#answers.set(leaders, this.#named(topic, NO_LEADER));
    if (!this.#topicKnown) this.#connections.clear();
    this.#topicKnown = true;
    this.#reportReason();
  }

  topicMissing(topic: Topic): void {
    this.#answers.set(about('topic', topic), this.#named(topic, NO_TOPIC));
    this.#reportReason();
    this.#listener.topicMissing(topic);
  }

  /** A broker returned an error for the topic. */
  topicFailed(topic: Topic, why: string): void {
    this.#answers.set(about('topic', topic), this.#named(topic, why));
    this.#reportReason();
  }

  /** The topic was deleted and created again, possibly without some of its partitions. */
  topicRecreated(topic: Topic, removed: readonly Partition[]): void {
    for (const partition of [...topic.partitions, ...removed]) {
      this.#rejectedPartitions.delete(partition);
    }
    this.#producerIdsChanged();
    this.#reportRejected();
    this.#listener.topicRecreated(topic);
  }

  /** A broker returned an error instead of a producer id. */
  producerIdFailed(errorCode: number): void {
    this.#answers.set('producer id', `Kafka answers ${errorName(errorCode)} for a producer id`);
    const outcome = outcomeOf(errorCode);
    this.#producerIdsRejected = 'class' in outcome && outcome.class === 'refused_by_policy';
    this.#reportRejected();
    this.#reportReason();
  }

  /** A broker returned a producer id, or no partition needs one any longer. */
  producerIdsGiven(): void {
    this.#answers.delete('producer id');
    this.#producerIdsRejected = false;
    this.#reportRejected();
  }

  /** A connection for metadata or records failed, or could not be opened. */
  connectionFailed(address: Address, error: LinkError, broker?: Broker): void {
    const { why, message } = error;
    if (why === 'configuration' && !this.#authenticated)
      return this.#listener.authenticationFailed(message);
    const at = formatBrokerAddress(address);
    const hint = reasonFor(error);
    const isLeader = broker !== undefined && broker.partitions.length > 0;
    if (isLeader || !this.#topicKnown) {
      const advertised = isLeader && !this.#reached && !this.#bootstrap.has(at);
      const where = advertised ? ' (see the broker’s advertised.listeners)' : '';
      this.#connections.set(at, `${hint}${where}`);
      this.#reportReason();
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
  leadersChanged(brokers: ReadonlyMap<number, Broker>, nowMs: number): void {
    const leaders = [...brokers.values()].filter(({ partitions }) => partitions.length > 0);
    if (this.#topicKnown) this.#forgetConnections(leaders);
    this.#leaderConnected = leaders.some((broker) => broker.connected);
    for (const [topic, state] of this.#topics) {
      const usable = topic.partitions.filter(isUsable);
      for (const partition of usable) this.#stateOf(partition).expiredSinceMs = undefined;
      if (topic.state === 'missing' || usable.length === 0) state.unreachableSinceMs ??= nowMs;
      else {
        state.unreachableSinceMs = undefined;
        state.reached = true;
      }
    }
    const isReached = ([topic, { reached }]: [Topic, TopicState]) => reached || !topic.required;
    if (this.#reached || ![...this.#topics].every(isReached)) return;
    this.#reached = true;
    this.#listener.reached();
  }

  /** A batch of the partition expired before it was sent. */
  expired(partition: Partition, openedAtMs: number): void {
    this.#stateOf(partition).expiredSinceMs ??= openedAtMs;
  }

  /** An attempt has ended; its batch is already counted under its new state. */
  settled(partition: Partition, outcome: Outcome, settlement: Settlement, nowMs: number): void {
    if (settlement.do === 'stored') this.#storedAtMs = nowMs;
    const state = this.#stateOf(partition);
    const { errorCode } = outcome;
    const failed = settlement.do === 'retry' && errorCode !== undefined;
    state.attemptReason = failed ? `Kafka answers ${errorName(errorCode)}` : undefined;
    if (settlement.do !== 'retry') {
      state.movedAtMs = nowMs;
      state.expiredSinceMs = undefined;
    }
    const isRejected = settlement.class === 'refused_by_policy' && partition.topic.required;
    if (isRejected) this.#rejectedPartitions.add(partition);
    else this.#rejectedPartitions.delete(partition);
    this.#reportRejected();
  }

  /**
   * See {@link reportLeaderless}. A required topic that a reload has added counts as one partition
   * while it does not exist.
   */
  leaderless(nowMs: number): number {
    let absent = 0;
    for (const [{ required, partitions }, { unreachableSinceMs = nowMs }] of this.#topics) {
      const isAbsent = required && partitions.length === 0;
      if (isAbsent && nowMs - unreachableSinceMs >= LIMITS.leaderlessMs) absent++;
    }
    const leaderless = reportLeaderless(this.#topics.keys(), this.#faults, nowMs);
    return this.#reached ? leaderless + absent : leaderless;
  }

  /**
   * Measures the ability to store events. A partition is stuck while events wait for it and none
   * makes progress; a slow queue or a throttled broker does not count. After events expired unsent
   * it stays stuck until it is usable, or the outage would end with the wait.
   */
  delivery(nowMs: number): Delivery {
    let stuckMs = 0;
    let unansweredMs = 0;
    let stuckPartitions = 0;
    let partitions = 0;
    let unreachableMs = Number.POSITIVE_INFINITY;
    let worst: Partition | undefined;
    for (const [topic, { unreachableSinceMs = nowMs }] of this.#topics) {
      // Without them, every event is stored.
      if (topic.hasDeadLetters) continue;
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
      reason: stuck ? this.#stuckReason(stuck) : this.#reason(),
    };
  }

  /** @returns `nowMs` when the partition is not stuck */
  #stuckSinceMs(partition: Partition, nowMs: number): number {
    const { lane, queue, leader } = partition;
    const state = this.#partitions.get(partition);
    const expiredSinceMs = state?.expiredSinceMs ?? nowMs;
    const oldest = lane.oldest ?? (queue.isHeld ? undefined : queue.oldest);
    if (oldest === undefined) return expiredSinceMs;
    const mutedUntilMs = leader?.mutedUntilMs ?? 0;
    const movedAtMs = state?.movedAtMs ?? 0;
    return Math.min(expiredSinceMs, Math.max(oldest.openedAtMs, movedAtMs, mutedUntilMs));
  }

  #stateOf(partition: Partition): PartitionState {
    let state = this.#partitions.get(partition);
    if (state === undefined) {
      state = { movedAtMs: 0, expiredSinceMs: undefined, attemptReason: undefined };
      this.#partitions.set(partition, state);
    }
    return state;
  }

  #stuckReason(partition: Partition): string {
    const { lane, leader } = partition;
    if (leader === undefined) return NO_LEADER;
    if (!leader.connected) {
      const why = this.#connections.get(formatBrokerAddress(leader.address));
      return why ?? 'a leader is not connected';
    }
    if (lane.needsProducerId) return this.#answers.get('producer id') ?? NO_ANSWER;
    return this.#partitions.get(partition)?.attemptReason ?? NO_ANSWER;
  }

  /** Returns the reason why no leader can be sent events. */
  #reason(): string {
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

  /** Prefixes the topic where there are several. */
  #named(topic: Topic, why: string): string {
    return this.#topics.size > 1 ? `${topic.name}: ${why}` : why;
  }

  #reportReason(): void {
    if (!this.#reached) this.#listener.unreachable(this.#reason());
  }

  #reportRejected(): void {
    const refused = this.#producerIdsRejected || this.#rejectedPartitions.size > 0;
    if (refused === this.#reportedRejected) return;
    this.#reportedRejected = refused;
    this.#listener.refusedByPolicy(refused);
  }

  /** Drops failures of brokers that are connected, or lead no partition. */
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
