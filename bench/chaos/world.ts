/** A stage under load, and what a scenario does to it, sees of it, and says of it. */

import { SETTINGS } from '../../src/config/config.ts';
import { MIB } from '../../src/config/limits.ts';
import { type Failover, partitionsOf, timedRecords } from '../../testing/failover.ts';
import type { Gateway } from '../../testing/gateway.ts';
import type { Verdict } from '../../testing/ledger.ts';
import type { Lifetime } from '../../testing/lifetime.ts';
import { recordsOf, recordsWith, violationsOf } from '../../testing/load.ts';
import type { TopicRecord } from '../../testing/topic.ts';
import { until } from '../../testing/wait.ts';
import { atRest, produceErrors, untilStored, Watch } from '../../testing/watch.ts';
import type { Figure } from '../result.ts';
import type { Evidence, Seen } from './judge.ts';
import type { Account, Measurements, Step } from './outcome.ts';
import type { Setup } from './setup.ts';
import { openStage, type Stage } from './stage.ts';
import { machineRate, Traffic } from './traffic.ts';

const WATCH_MS = 250;
/** Beyond its budget, as in docs/benchmarks.md. */
const BESIDE_BUDGET_BYTES = 100 * MIB;
/** What no fault may take longer to be over. */
const RECOVERY_MS_MAX = 30_000;
/** From a leader that is known to the first acknowledgement. */
const FIRST_ACK_MS_MAX = 2_000;

export class World implements Lifetime {
  readonly stage: Stage;
  readonly traffic: Traffic;
  readonly eventsPerSecond: number;
  readonly schedule: Step[] = [];
  readonly problems: string[] = [];
  measurements: Measurements | undefined;
  readonly #setup: Setup;
  readonly #say: (line: string) => void;
  readonly #lifetime: Lifetime;
  readonly #figures = new Map<string, Figure>();
  readonly #failovers: Failover[] = [];
  /** Of each gateway that runs. */
  readonly #watches = new Map<Gateway, Watch>();
  readonly #seen: Seen[] = [];
  #died = false;
  readonly #sinceMs = performance.now();

  private constructor(
    lifetime: Lifetime,
    stage: Stage,
    traffic: Traffic,
    setup: Setup,
    eventsPerSecond: number,
    say: (line: string) => void,
  ) {
    this.#lifetime = lifetime;
    this.stage = stage;
    this.traffic = traffic;
    this.#setup = setup;
    this.eventsPerSecond = eventsPerSecond;
    this.#say = say;
    for (const gateway of stage.gateways) this.watch(gateway);
  }

  /** Starts everything, the load too, and waits until events are stored. */
  static async open(lifetime: Lifetime, setup: Setup, say: (line: string) => void): Promise<World> {
    const stage = await openStage(lifetime, setup);
    const eventsPerSecond = machineRate() * (setup.rate ?? 1);
    const { wsUrl, httpUrl, access } = stage.door;
    const traffic = await Traffic.open(lifetime, {
      wsUrl,
      httpUrl,
      eventsPerSecond,
      access,
      ...(setup.msgBytes === undefined ? {} : { msgBytes: setup.msgBytes }),
    });
    const world = new World(lifetime, stage, traffic, setup, eventsPerSecond, say);
    await untilStored(world.gateway, eventsPerSecond / stage.gateways.length);
    return world;
  }

  after(end: () => unknown): void {
    this.#lifetime.after(end);
  }

  /** The first one. */
  get gateway(): Gateway {
    return this.stage.gateways[0]!;
  }

  /** Since the load began. */
  get seconds(): number {
    return (performance.now() - this.#sinceMs) / 1000;
  }

  /** Notes what was done now. */
  did(what: string): void {
    const seconds = Math.round(this.seconds * 10) / 10;
    this.schedule.push({ seconds, what });
    this.#say(`${seconds.toFixed(1).padStart(7)} s  ${what}`);
  }

  /** Notes a promise that was not kept. */
  check(kept: boolean, otherwise: string): void {
    if (!kept) this.problems.push(otherwise);
  }

  /** Adds a value to a figure. */
  measured(name: string, unit: string, value: number, goal?: Figure['goal']): void {
    const values = [...(this.#figures.get(name)?.values ?? []), value];
    this.#figures.set(name, { name, unit, values, ...(goal === undefined ? {} : { goal }) });
  }

  /** Waits until what is sent after now is acknowledged, and measures it. @throws after 30 s */
  async recovers(after: string, goal?: Figure['goal']): Promise<void> {
    const ms = await this.traffic.flows(RECOVERY_MS_MAX);
    this.measured(`first acknowledgement after ${after}`, 'ms', Math.round(ms), goal);
  }

  /** Its first acknowledgements are looked for at the end, when the topic is read. */
  failedOver(failover: Failover): void {
    this.#failovers.push(failover);
    this.measured('partitions without a leader', 'ms', failover.leaderlessMs);
  }

  /** Waits until all replicas of the topic are in sync: one may be missed again. */
  async untilInSync(): Promise<void> {
    const { cluster, topic } = this.stage;
    const inSync = async () =>
      (await partitionsOf(cluster.brokers, topic)).every(({ isr }) => isr.length === 3);
    await until(inSync, { deadlineMs: 60_000, everyMs: 100, what: 'all replicas in sync' });
  }

  /** Runs what must be felt by the produce path. @throws when it is not */
  async felt<T>(fault: () => Promise<T>): Promise<T> {
    const before = await this.#produceErrors();
    const result = await fault();
    const felt = async () => (await this.#produceErrors()) > before;
    await until(felt, { deadlineMs: 5_000, everyMs: 50, what: 'the fault to be felt' });
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

  /** Call it before a gateway is ended: its counters go with it. */
  async unwatch(gateway: Gateway): Promise<void> {
    this.#died = true;
    const watch = this.#watches.get(gateway);
    if (watch === undefined) return;
    this.#watches.delete(gateway);
    await watch.stop();
    this.#seen.push(seenBy(watch));
  }

  /** What plain clients have sent may go with a connection, a process or a topic. */
  losesPlain(): void {
    this.#died = true;
  }

  /** Ends the load, and holds the ledger against the topic. */
  async balance(): Promise<{ account: Account; evidence: Evidence; figures: Figure[] }> {
    const { stage, traffic } = this;
    await traffic.settle();
    let dropped = 0;
    for (const [gateway, watch] of this.#watches) {
      const metrics = await atRest(gateway);
      await watch.stop();
      const restless = metrics.value('forebay_events_unaccounted');
      const seen = seenBy(watch);
      const unaccounted = restless === 0 ? seen.unaccounted : [...seen.unaccounted, restless];
      this.#seen.push({ ...seen, unaccounted });
      dropped += metrics.value('forebay_events_dropped_total');
      const restarts = metrics.value('forebay_worker_restarts_total');
      this.measured('workers started again', '', restarts);
    }
    const records = await recordsOf({ brokers: stage.cluster.brokers, topic: stage.topic });
    const timed = timedRecords(traffic.ledger, records);
    for (const failover of this.#failovers) {
      for (const ms of failover.firstAcknowledgements(timed)) {
        this.measured('from a known leader to its first acknowledgement', 'ms', ms, {
          most: FIRST_ACK_MS_MAX,
        });
      }
    }
    const account = accountOf(traffic.ledger.reconcile(records), records);
    const told = traffic.clients.reduce((sum, client) => sum + client.acknowledgedEvents, 0);
    const residentBytesMax = Math.max(...this.#seen.map((seen) => seen.residentBytesMax));
    this.measured('longest acknowledgement', 's', traffic.ledger.longestMs / 1000);
    this.measured('largest worker', 'MiB', residentBytesMax / MIB);
    const { env, residentMib } = this.#setup;
    const bufferBytes = Number(env?.FOREBAY_BUFFER_BYTES) || SETTINGS.bufferBytes.defaultValue();
    const usualBytes = bufferBytes + BESIDE_BUDGET_BYTES;
    const evidence: Evidence = {
      account,
      seen: this.#seen,
      residentBytesBound: residentMib === undefined ? usualBytes : residentMib * MIB,
      violations: violationsOf(traffic.clients),
      unheard: traffic.given('acknowledged') - told,
      died: this.#died,
      plain: {
        sent: traffic.given('plain'),
        stored: recordsWith('p-', records).length,
        dropped,
      },
    };
    return { account, evidence, figures: [...this.#figures.values()] };
  }
}

function seenBy(watch: Watch): Seen {
  return {
    falls: watch.falls(),
    unaccounted: watch.unaccounted(),
    unanswered: watch.failed,
    residentBytesMax: watch.residentBytesMax,
  };
}

/** @param records of which each id that stands more than once was sent again by its client */
function accountOf(verdict: Verdict, records: readonly TopicRecord[]): Account {
  const ids = new Set(records.map(({ value }) => idOf(value)));
  const {
    clean: _,
    missing,
    doubled,
    phantom,
    refusedStored,
    wrongKey,
    disordered,
    ...figures
  } = verdict;
  const lists = { missing, doubled, phantom, refusedStored, wrongKey, disordered };
  const counts = Object.fromEntries(
    Object.entries(lists).map(([name, list]) => [name, list.length]),
  ) as Record<keyof typeof lists, number>;
  return { ...figures, ...counts, repeated: records.length - ids.size };
}

function idOf(value: Buffer | null): string {
  return (JSON.parse(String(value)) as { id: string }).id;
}
