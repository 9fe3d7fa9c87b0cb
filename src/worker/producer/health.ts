/**
 * Ability to store events, the time since it was lost, and the reason: for the readiness of the
 * instance and its lines about outages. Called per attempt of a batch, not per event.
 */

import { LIMITS } from '../../config/limits.ts';
import type { Delivery } from '../../ipc.ts';
import { formatBrokerAddress } from '../../kafka/broker-address.ts';
import type { PartitionQueue } from '../accumulator/queue.ts';
import type { Faults } from '../faults.ts';
import type { Broker } from './broker.ts';
import { reasonFor } from './connection-errors.ts';
import { errorName, type Outcome, outcomeOf } from './error-table.ts';
import type { Lane, Verdict } from './lane.ts';
import type { Address, LinkError } from './link.ts';
import type { TopicListener } from './topic-listener.ts';

const NO_TOPIC = 'the topic does not exist';
const NO_LEADER = 'a partition has no leader';
const NO_ANSWER = 'Kafka does not answer';

/** Subject of an answer of Kafka that keeps events from being stored. */
type Subject = 'topic' | 'leaders' | 'producer id';

export class Health {
  readonly #listener: TopicListener;
  readonly #faults: Faults;
  readonly #bootstrap: ReadonlySet<string>;
  /** Events could be sent to a leader since the start. */
  #reached = false;
  #topicKnown = false;
  #topicMissing = false;
  /** Credentials were accepted before, here or in another worker. */
  #everWorked = false;
  #leaderConnected = false;
  /** Time since which no leader can be sent events, by the monotonic clock; undefined = one can. */
  #unreachableSinceMs: number | undefined = performance.now();
  #storedAtMs = Number.NEGATIVE_INFINITY;
  /** When a batch of the partition was last stored or refused, by partition. */
  readonly #movedAtMs: number[] = [];
  /** Arrival of the first event that expired unsent since the partition was usable. */
  readonly #expiredSinceMs: (number | undefined)[] = [];
  /** Kafka's answer to the last attempt of the partition, while it is retried. */
  readonly #attemptReasons: (string | undefined)[] = [];
  /** Lanes whose last attempt Kafka refused by rights or policy. */
  readonly #refusedLanes = new Set<Lane>();
  #producerIdsRefused = false;
  #toldRefused = false;
  /** Latest failures by broker address. Kept apart, or brokers asked in turn alternate. */
  readonly #connections = new Map<string, string>();
  readonly #answers = new Map<Subject, string>();

  constructor(listener: TopicListener, faults: Faults, bootstrap: readonly Address[]) {
    this.#listener = listener;
    this.#faults = faults;
    this.#bootstrap = new Set(bootstrap.map(formatBrokerAddress));
  }

  /** The last answer about the topic was that there is none. */
  get topicMissing(): boolean {
    return this.#topicMissing;
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
  topicKnown(allLed: boolean): void {
    this.#everWorked = true;
    this.#topicMissing = false;
    this.#answers.delete('topic');
    if (allLed) this.#answers.delete('leaders');
    else this.#answers.set('leaders', NO_LEADER);
    if (!this.#topicKnown) this.#connections.clear();
    this.#topicKnown = true;
    this.#tellWhy();
  }

  topicIsMissing(): void {
    this.#topicMissing = true;
    this.#answers.set('topic', NO_TOPIC);
    this.#tellWhy();
    this.#listener.topicMissing();
  }

  /** A broker answered with an error for the topic. */
  topicFailed(why: string): void {
    this.#answers.set('topic', why);
    this.#tellWhy();
  }

  /** A broker answered with an error instead of a producer id. */
  producerIdFailed(errorCode: number): void {
    this.#answers.set('producer id', `Kafka answers ${errorName(errorCode)} for a producer id`);
    const outcome = outcomeOf(errorCode);
    this.#producerIdsRefused = 'class' in outcome && outcome.class === 'refused_by_policy';
    this.#tellRefused();
    this.#tellWhy();
  }

  producerIdGiven(): void {
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
    const isLeader = broker !== undefined && broker.lanes.length > 0;
    if (isLeader || !this.#topicKnown) {
      const advertised = isLeader && !this.#reached && !this.#bootstrap.has(at);
      const where = advertised ? ' (see the broker’s advertised.listeners)' : '';
      this.#connections.set(at, `${hint}${where}`);
      this.#tellWhy();
    }
    const fields = { address: at, broker: broker?.id, why, error: message, hint };
    if (why === 'configuration') {
      this.#faults.error(at, fields, 'the brokers refuse our credentials');
    } else this.#faults.warn(`${at} ${hint}`, fields, 'broker connection failed');
  }

  /**
   * Finds the leaders that can be sent events: connected, and with a producer id for a lane. Called
   * whenever that may have changed.
   */
  lookAtLeaders(brokers: ReadonlyMap<number, Broker>, nowMs: number): void {
    const leaders = [...brokers.values()].filter(({ lanes }) => lanes.length > 0);
    if (this.#topicKnown) this.#forgetConnections(leaders);
    const connected = leaders.filter((broker) => broker.connected);
    this.#leaderConnected = connected.length > 0;
    const usable = connected.flatMap(({ lanes }) => lanes.filter((lane) => !lane.needsProducerId));
    for (const { partition } of usable) this.#expiredSinceMs[partition] = undefined;
    if (this.#topicMissing || usable.length === 0) {
      this.#unreachableSinceMs ??= nowMs;
      return;
    }
    this.#unreachableSinceMs = undefined;
    if (this.#reached) return;
    this.#reached = true;
    this.#listener.reached();
  }

  /** A batch of the partition expired before it was sent. */
  expired(partition: number, openedAtMs: number): void {
    this.#expiredSinceMs[partition] ??= openedAtMs;
  }

  /** An attempt has ended; by now its batch is counted where it is. */
  settled(lane: Lane, outcome: Outcome, verdict: Verdict, nowMs: number): void {
    if (verdict.do === 'stored') this.#storedAtMs = nowMs;
    const { partition } = lane;
    const { errorCode } = outcome;
    const failed = verdict.do === 'retry' && errorCode !== undefined;
    this.#attemptReasons[partition] = failed ? `Kafka answers ${errorName(errorCode)}` : undefined;
    if (verdict.do !== 'retry') {
      this.#movedAtMs[partition] = nowMs;
      this.#expiredSinceMs[partition] = undefined;
    }
    if (verdict.class === 'refused_by_policy') this.#refusedLanes.add(lane);
    else this.#refusedLanes.delete(lane);
    this.#tellRefused();
  }

  /**
   * Measures the ability to store events. A partition is stuck while events wait for it and none
   * moves: not while its queue moves slowly, nor while its broker has asked for a pause. After
   * events expired unsent it stays stuck until it is usable, or the outage would end with the wait.
   */
  delivery(
    lanes: readonly Lane[],
    queues: readonly PartitionQueue[],
    leaderOf: (partition: number) => Broker | undefined,
    nowMs: number,
  ): Delivery {
    let stuckMs = 0;
    let unansweredMs = 0;
    let stuckPartitions = 0;
    let worst: Lane | undefined;
    for (const lane of lanes) {
      const leader = leaderOf(lane.partition);
      const forMs = nowMs - this.#stuckSinceMs(lane, queues[lane.partition]!, leader, nowMs);
      if (forMs >= LIMITS.outage.totalMs) stuckPartitions++;
      if (forMs > stuckMs) {
        stuckMs = forMs;
        worst = lane;
      }
      const usable = leader?.connected === true && !lane.needsProducerId;
      if (usable || lane.attempts > 0) unansweredMs = Math.max(unansweredMs, forMs);
    }
    const unreachableMs = nowMs - (this.#unreachableSinceMs ?? nowMs);
    const stuck = unreachableMs === 0 && stuckMs >= LIMITS.outage.totalMs ? worst : undefined;
    return {
      unreachableMs,
      stuckMs,
      unansweredMs,
      stuckPartitions,
      partitions: lanes.length,
      storedAgoMs: nowMs - this.#storedAtMs,
      reason: stuck ? this.#whyStuck(stuck, leaderOf(stuck.partition)) : this.#why(),
    };
  }

  /** @returns `nowMs` when it is not stuck */
  #stuckSinceMs(
    lane: Lane,
    queue: PartitionQueue,
    leader: Broker | undefined,
    nowMs: number,
  ): number {
    const { partition } = lane;
    const expiredSinceMs = this.#expiredSinceMs[partition] ?? nowMs;
    const oldest = lane.oldest ?? queue.oldest;
    if (oldest === undefined) return expiredSinceMs;
    const movedAtMs = this.#movedAtMs[partition] ?? 0;
    const mutedUntilMs = leader?.mutedUntilMs ?? 0;
    return Math.min(expiredSinceMs, Math.max(oldest.openedAtMs, movedAtMs, mutedUntilMs));
  }

  #whyStuck(lane: Lane, leader: Broker | undefined): string {
    if (leader === undefined) return NO_LEADER;
    if (!leader.connected) {
      const why = this.#connections.get(formatBrokerAddress(leader.address));
      return why ?? 'a leader is not connected';
    }
    if (lane.needsProducerId) return this.#answers.get('producer id') ?? NO_ANSWER;
    return this.#attemptReasons[lane.partition] ?? NO_ANSWER;
  }

  /** The reason why no leader can be sent events. */
  #why(): string {
    const parts = [...this.#answers.values()];
    if (!this.#topicKnown || !(this.#leaderConnected || this.#topicMissing)) {
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

  #tellWhy(): void {
    if (!this.#reached) this.#listener.unreachable(this.#why());
  }

  #tellRefused(): void {
    const refused = this.#producerIdsRefused || this.#refusedLanes.size > 0;
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
