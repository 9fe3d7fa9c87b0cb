/**
 * Ability to store events, the time since it was lost, and the reason: for the readiness of the
 * instance and its lines about outages. Called per attempt of a batch, not per event.
 */
import { formatBrokerAddress } from '../../broker-address.ts';
import { LIMITS } from '../../limits.ts';
import type { Delivery } from '../../messages.ts';
import type { PartitionQueue } from '../accumulator/queue.ts';
import type { Faults } from '../faults.ts';
import type { Broker } from './broker.ts';
import { errorName, type Outcome } from './error-table.ts';
import type { Lane, Verdict } from './lane.ts';
import type { Address, LinkError } from './link.ts';
import { reasonFor } from './reasons.ts';
import type { TopicListener } from './topic-listener.ts';

export const NO_TOPIC = 'the topic does not exist';

export class Health {
  readonly #listener: TopicListener;
  readonly #faults: Faults;
  readonly #bootstrap: ReadonlySet<string>;
  /** A leader was connected since the start. */
  #reached = false;
  #topicKnown = false;
  #topicMissing = false;
  /** Credentials were accepted before, here or in another worker. */
  #everWorked = false;
  /** Since when no leader is connected, by the monotonic clock; undefined = one is. */
  #unreachableSinceMs: number | undefined = performance.now();
  #storedAtMs = Number.NEGATIVE_INFINITY;
  /** When a batch of the partition was last stored or refused, by partition. */
  readonly #movedAtMs: number[] = [];
  /** Lanes whose last attempt Kafka refused by rights or policy. */
  readonly #refusedLanes = new Set<Lane>();
  #reason = 'Kafka was not reached yet';

  constructor(listener: TopicListener, faults: Faults, bootstrap: readonly Address[]) {
    this.#listener = listener;
    this.#faults = faults;
    this.#bootstrap = new Set(bootstrap.map(formatBrokerAddress));
  }

  /** The last answer about the topic was that there is none. */
  get topicMissing(): boolean {
    return this.#topicMissing;
  }

  /** Credentials were accepted: refused ones are news. */
  hasWorked(): void {
    this.#everWorked = true;
  }

  topicKnown(): void {
    this.#everWorked = true;
    this.#topicMissing = false;
    if (this.#topicKnown) return;
    this.#topicKnown = true;
    this.unreachable('no leader of the topic is connected yet');
  }

  topicIsMissing(): void {
    this.#topicMissing = true;
    this.#reason = NO_TOPIC;
    this.#listener.topicMissing();
  }

  /** Metadata or a leader could not be asked. */
  unreachable(why: string): void {
    this.#reason = why;
    if (!this.#reached) this.#listener.unreachable(why);
  }

  /** A connection for metadata or records failed, or could not be opened. */
  connectionFailed(address: Address, error: LinkError, broker?: Broker): void {
    const { why, message } = error;
    if (why === 'configuration' && !this.#everWorked) return this.#listener.loginRefused(message);
    const at = formatBrokerAddress(address);
    const hint = reasonFor(error);
    const isLeader = broker !== undefined && broker.lanes.length > 0;
    if (isLeader && !this.#reached) {
      const advertised = this.#bootstrap.has(at) ? '' : ' (see the broker’s advertised.listeners)';
      this.unreachable(`no leader of the topic is connected: ${hint}${advertised}`);
    } else if (isLeader || !this.#topicKnown) this.unreachable(hint);
    const fields = { address: at, broker: broker?.id, why, error: message, hint };
    if (why === 'configuration') {
      this.#faults.error(at, fields, 'the brokers refuse our credentials');
    } else this.#faults.warn(`${at} ${hint}`, fields, 'broker connection failed');
  }

  /** Looks which leaders are connected; to be called whenever that may have changed. */
  lookAtLeaders(brokers: ReadonlyMap<number, Broker>, nowMs: number): void {
    const isConnected = ({ lanes, connected }: Broker) => lanes.length > 0 && connected;
    const connected = !this.#topicMissing && [...brokers.values()].some(isConnected);
    if (!connected) {
      this.#unreachableSinceMs ??= nowMs;
      return;
    }
    this.#unreachableSinceMs = undefined;
    if (this.#reached) return;
    this.#reached = true;
    this.#listener.reached();
  }

  /** An attempt has ended; by now its batch is counted where it is. */
  settled(lane: Lane, outcome: Outcome, verdict: Verdict, nowMs: number): void {
    if (verdict.do === 'stored') this.#storedAtMs = nowMs;
    if (verdict.do !== 'retry') this.#movedAtMs[lane.partition] = nowMs;
    else if (outcome.errorCode !== undefined) {
      this.#reason = `Kafka answers ${errorName(outcome.errorCode)}`;
    }
    const before = this.#refusedLanes.size;
    if (verdict.class === 'refused_by_policy') this.#refusedLanes.add(lane);
    else this.#refusedLanes.delete(lane);
    const refused = this.#refusedLanes.size > 0;
    if (before > 0 !== refused) this.#listener.refusedByPolicy(refused);
  }

  /**
   * Measures the ability to store events. A partition is stuck while events wait for it and none
   * moves: not while its queue moves slowly, nor while its broker has asked for a pause.
   */
  delivery(
    lanes: readonly Lane[],
    queues: readonly PartitionQueue[],
    leaderOf: (partition: number) => Broker | undefined,
    nowMs: number,
  ): Delivery {
    let stuckMs = 0;
    let stuckPartitions = 0;
    for (const lane of lanes) {
      const { partition } = lane;
      const oldest = lane.oldest ?? queues[partition]!.oldest;
      if (oldest === undefined) continue;
      const movedAtMs = this.#movedAtMs[partition] ?? 0;
      const mutedUntilMs = leaderOf(partition)?.mutedUntilMs ?? 0;
      const forMs = nowMs - Math.max(oldest.openedAtMs, movedAtMs, mutedUntilMs);
      if (forMs >= LIMITS.outage.totalMs) stuckPartitions++;
      stuckMs = Math.max(stuckMs, forMs);
    }
    return {
      unreachableMs: this.#unreachableSinceMs === undefined ? 0 : nowMs - this.#unreachableSinceMs,
      stuckMs,
      stuckPartitions,
      partitions: lanes.length,
      storedAgoMs: nowMs - this.#storedAtMs,
      reason: this.#reason,
    };
  }
}
