/** A stage under load: faults, checks and measurements of a scenario. */

import { MIB } from '../../src/config/limits.ts';
import { SETTINGS } from '../../src/config/settings.ts';
import { eventIn, readableValue } from '../../src/kafka/record-value.ts';
import { type Failover, partitionsOf, timedRecords } from '../../testing/failover.ts';
import type { Gateway } from '../../testing/gateway.ts';
import type { Reconciliation } from '../../testing/ledger.ts';
import type { Lifetime } from '../../testing/lifetime.ts';
import { recordsOf, recordsWith, violationsOf } from '../../testing/load.ts';
import type { TopicRecord } from '../../testing/topic.ts';
import { until } from '../../testing/wait.ts';
import { atRest, produceErrors, untilStored, Watch } from '../../testing/watch.ts';
import type { Figure } from '../result.ts';
import type { Account, Measurements, Step } from './outcome.ts';
import type { Setup } from './setup.ts';
import { openStage, type Stage } from './stage.ts';
import { machineRate, Traffic } from './traffic.ts';
import type { Evidence, Observations } from './verify.ts';

const WATCH_MS = 250;
/** Memory of a worker beyond its buffer, as in docs/benchmarks.md. */
const OVERHEAD_BYTES = 100 * MIB;
/** Bound of the recovery from any fault. */
const RECOVERY_MS_MAX = 30_000;
/** Bound from a known leader to the first acknowledgement. */
const FIRST_ACK_MS_MAX = 2_000;

export class World implements Lifetime {
  readonly stage: Stage;
  readonly traffic: Traffic;
  readonly eventsPerSecond: number;
  readonly schedule: Step[] = [];
  readonly problems: string[] = [];
  measurements: Measurements | undefined;
  readonly #setup: Setup;
  readonly #log: (line: string) => void;
  readonly #lifetime: Lifetime;
  readonly #figures = new Map<string, Figure>();
  readonly #failovers: Failover[] = [];
  /** Watch of each running gateway. */
  readonly #watches = new Map<Gateway, Watch>();
  readonly #seen: Observations[] = [];
  #mayLosePlain = false;
  readonly #sinceMs = performance.now();

  private constructor(
    lifetime: Lifetime,
    stage: Stage,
    traffic: Traffic,
    setup: Setup,
    eventsPerSecond: number,
    log: (line: string) => void,
  ) {
    this.#lifetime = lifetime;
    this.stage = stage;
    this.traffic = traffic;
    this.#setup = setup;
    this.eventsPerSecond = eventsPerSecond;
    this.#log = log;
    for (const gateway of stage.gateways) this.watch(gateway);
  }

  /** Starts everything including the load, and waits until events are stored. */
  static async open(lifetime: Lifetime, setup: Setup, log: (line: string) => void): Promise<World> {
    const stage = await openStage(lifetime, setup);
    const eventsPerSecond = machineRate() * (setup.rate ?? 1);
    const { wsUrl, httpUrl, access } = stage.endpoint;
    const traffic = await Traffic.open(lifetime, {
      wsUrl,
      httpUrl,
      eventsPerSecond,
      access,
      hasMarks: setup.headers === true,
      ...(setup.msgBytes === undefined ? {} : { msgBytes: setup.msgBytes }),
    });
    const world = new World(lifetime, stage, traffic, setup, eventsPerSecond, log);
    await untilStored(world.gateway, eventsPerSecond / stage.gateways.length);
    return world;
  }

  after(end: () => unknown): void {
    this.#lifetime.after(end);
  }

  /** The first gateway. */
  get gateway(): Gateway {
    return this.stage.gateways[0]!;
  }

  /** Time since the load started. */
  get seconds(): number {
    return (performance.now() - this.#sinceMs) / 1000;
  }

  /** Adds a step to the schedule. */
  logStep(what: string): void {
    const seconds = Math.round(this.seconds * 10) / 10;
    this.schedule.push({ seconds, what });
    this.#log(`${seconds.toFixed(1).padStart(7)} s  ${what}`);
  }

  /** Adds a problem unless `kept`. */
  check(kept: boolean, problem: string): void {
    if (!kept) this.problems.push(problem);
  }

  /** Adds a value to a figure. */
  measured(name: string, unit: string, value: number, goal?: Figure['goal']): void {
    const values = [...(this.#figures.get(name)?.values ?? []), value];
    this.#figures.set(name, { name, unit, values, ...(goal === undefined ? {} : { goal }) });
  }

  /** Waits until new events are acknowledged, and measures the time. @throws after 30 s */
  async recovers(after: string, goal?: Figure['goal']): Promise<void> {
    const ms = await this.traffic.untilAcknowledged(RECOVERY_MS_MAX);
    this.measured(`first acknowledgement after ${after}`, 'ms', Math.round(ms), goal);
  }

  /** Registers a failover; its first acknowledgements are determined from the topic at the end. */
  failedOver(failover: Failover): void {
    this.#failovers.push(failover);
    this.measured('partitions without a leader', 'ms', failover.leaderlessMs);
  }

  /** Waits until all replicas are in sync, so that one may fail again. */
  async untilInSync(): Promise<void> {
    const { cluster, topic } = this.stage;
    const inSync = async () =>
      (await partitionsOf(cluster.brokers, topic)).every(({ isr }) => isr.length === 3);
    await until(inSync, { deadlineMs: 60_000, everyMs: 100, what: 'all replicas in sync' });
  }

  /** Injects a fault that must cause produce errors. @throws if it does not */
  async inject<T>(fault: () => Promise<T>): Promise<T> {
    const before = await this.#produceErrors();
    const result = await fault();
    const failing = async () => (await this.#produceErrors()) > before;
    await until(failing, { deadlineMs: 5_000, everyMs: 50, what: 'produce errors' });
    return result;
  }

  async #produceErrors(): Promise<number> {
    const errors = await Promise.all(this.stage.gateways.map(produceErrors));
    return errors.reduce((sum, count) => sum + count, 0);
  }

  watch(gateway: Gateway): void {
    const everyMs = this.#setup.watchMs ?? WATCH_MS;
    this.#watches.set(gateway, new Watch(this.#lifetime, gateway, everyMs));
  }

  /** Stops watching a gateway; call it before the gateway ends, since its counters are lost. */
  async unwatch(gateway: Gateway): Promise<void> {
    this.#mayLosePlain = true;
    const watch = this.#watches.get(gateway);
    if (watch === undefined) return;
    this.#watches.delete(gateway);
    await watch.stop();
    this.#seen.push(observationsOf(watch));
  }

  /** Allows plain events to be lost with a connection, a process or a topic. */
  mayLosePlain(): void {
    this.#mayLosePlain = true;
  }

  /** Ends the load, and reconciles the ledger with the topic. */
  async balance(): Promise<{ account: Account; evidence: Evidence; figures: Figure[] }> {
    const { stage, traffic } = this;
    await traffic.settle();
    let dropped = 0;
    for (const [gateway, watch] of this.#watches) {
      const metrics = await atRest(gateway);
      await watch.stop();
      const seen = observationsOf(watch);
      const unaccounted = [...seen.unaccounted, ...metrics.unaccounted];
      this.#seen.push({ ...seen, unaccounted });
      dropped += metrics.value('forebay_events_dropped_total');
      const restarts = metrics.value('forebay_worker_restarts_total');
      this.measured('worker restarts', '', restarts);
    }
    const records = await recordsOf({ brokers: stage.cluster.brokers, topic: stage.topic });
    const timed = timedRecords(traffic.ledger, records);
    for (const failover of this.#failovers) {
      for (const ms of failover.firstAcknowledgements(timed)) {
        this.measured('new leader to first acknowledgement', 'ms', ms, {
          most: FIRST_ACK_MS_MAX,
        });
      }
    }
    const account = accountOf(traffic.ledger.reconcile(records), records);
    const settled = traffic.clients.reduce((sum, client) => sum + client.acknowledgedEvents, 0);
    const residentBytesMax = Math.max(...this.#seen.map((seen) => seen.residentBytesMax));
    this.measured('maximum acknowledgement latency', 's', traffic.ledger.longestMs / 1000);
    this.measured('maximum worker RSS', 'MiB', residentBytesMax / MIB);
    const { env, residentMib } = this.#setup;
    const bufferBytes = Number(env?.FOREBAY_BUFFER_BYTES) || SETTINGS.bufferBytes.defaultValue();
    const usualBytes = bufferBytes + OVERHEAD_BYTES;
    const evidence: Evidence = {
      account,
      seen: this.#seen,
      residentBytesBound: residentMib === undefined ? usualBytes : residentMib * MIB,
      violations: violationsOf(traffic.clients),
      unsettled: traffic.sentBy('acknowledged') - settled,
      plainMayBeLost: this.#mayLosePlain,
      plain: {
        sent: traffic.sentBy('plain'),
        stored: recordsWith('p-', records).length,
        dropped,
      },
    };
    return { account, evidence, figures: [...this.#figures.values()] };
  }
}

function observationsOf(watch: Watch): Observations {
  return {
    decreases: watch.decreases(),
    unaccounted: watch.unaccounted(),
    unanswered: watch.failed,
    residentBytesMax: watch.residentBytesMax,
  };
}

/** @param records duplicates among them are retries of clients */
function accountOf(verdict: Reconciliation, records: readonly TopicRecord[]): Account {
  const ids = new Set(records.map(idOf));
  const {
    clean: _,
    missing,
    doubled,
    phantom,
    refusedStored,
    wrongKey,
    disordered,
    unmarked,
    wrongMark,
    ...figures
  } = verdict;
  const lists = {
    ...{ missing, doubled, phantom, refusedStored, wrongKey, disordered },
    ...{ unmarked, wrongMark },
  };
  const counts = Object.fromEntries(
    Object.entries(lists).map(([name, list]) => [name, list.length]),
  ) as Record<keyof typeof lists, number>;
  return { ...figures, ...counts, repeated: records.length - ids.size };
}

function idOf(record: TopicRecord): string {
  return (eventIn(readableValue(record)) as { id: string }).id;
}
