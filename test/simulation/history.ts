/**
 * One simulated history: a worker, a cluster, clients, and a period of faults. Then the faults end,
 * and everything must settle. The seed decides everything.
 */
import { crc32 } from '@node-rs/crc32';
import type { Logger } from '../../src/logging/logger.ts';
import type { MetricSnapshot } from '../../src/metrics/counters.ts';
import { describeReconciliation, type Reconciliation } from '../../testing/ledger.ts';
import { SeededRandom } from '../../testing/random.ts';
import { AckClient } from './ack-client.ts';
import type { Client, ClientWorld } from './client-world.ts';
import { realTurn, VirtualClock } from './clock.ts';
import { Cluster } from './cluster.ts';
import { type DisasterWorld, endDisasters, planDisasters } from './disasters.ts';
import { EventMaker, type SimEvent } from './events.ts';
import { Fates } from './fates.ts';
import { Faults } from './faults.ts';
import { Gateway } from './gateway.ts';
import { checkMetrics, hook } from './hooks.ts';
import { Origins } from './origins.ts';
import { HttpClient, PlainClient } from './other-clients.ts';
import type { Partition } from './partition.ts';
import { type Plan, planFor } from './plan.ts';
import { Quotas } from './quotas.ts';
import { type Counts, Report } from './report.ts';
import { SentBatches } from './sent-batches.ts';
import { simCodec } from './sim-codec.ts';
import { SimLink } from './sim-link.ts';
import { Destinations, Ledgers, movingName, spareOf, TOPIC, topicName } from './streams.ts';
import { type LogRecord, recordsOf } from './wire.ts';

/** Bound for everything to settle after the last fault: back-offs reach 37 s. */
const PROGRESS_MS = 90_000;
/** Bound for requests of dead connections to arrive. */
const STRAYS_MS = 9_000;

export interface Result {
  readonly seed: number;
  /** Empty = no violation. */
  readonly violations: readonly string[];
  readonly counts: Counts;
  /** Hash of all actions and their times; equal for equal seeds. */
  readonly hash: string;
  readonly steps: number;
  readonly events: number;
}

/**
 * @param print receives the lines of the trace; undefined = no trace
 * @param onNumbers receives the snapshots that the worker sends to the primary
 */
export async function runHistory(
  seed: number,
  print?: (line: string) => void,
  onNumbers?: (metrics: MetricSnapshot) => void,
): Promise<Result> {
  const history = new History(seed, print, onNumbers);
  const onRejection = (error: unknown) => history.report.violation(textOf(error));
  process.on('unhandledRejection', onRejection);
  try {
    await history.run();
  } catch (error) {
    history.report.violation(textOf(error));
  } finally {
    history.close();
    await realTurn();
    process.off('unhandledRejection', onRejection);
  }
  return history.result;
}

function textOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

class History {
  readonly report = new Report((line) => this.note(line));
  readonly #seed: number;
  readonly #print: ((line: string) => void) | undefined;
  readonly #clock = new VirtualClock();
  readonly #random: SeededRandom;
  readonly #plan: Plan;
  readonly #ledgers: Ledgers;
  readonly #links = new Set<SimLink>();
  readonly #clients: Client[] = [];
  readonly #faults: Faults;
  readonly #cluster: Cluster;
  readonly #sent: SentBatches;
  readonly #quotas: Quotas;
  readonly #fates: Fates;
  readonly #origins = new Origins(this.report);
  readonly #gateway: Gateway;
  readonly #undo: (() => void)[] = [];
  /** Records of each partition at the end. */
  readonly #records = new Map<Partition, readonly LogRecord[]>();
  /** Number of times the topic was recreated with another number of partitions. */
  #moves = 0;
  #hash = 0;

  constructor(
    seed: number,
    print: ((line: string) => void) | undefined,
    onNumbers: ((metrics: MetricSnapshot) => void) | undefined,
  ) {
    this.#seed = seed;
    this.#print = print;
    this.#random = new SeededRandom(seed, 'world');
    const plan = planFor(new SeededRandom(seed, 'plan'));
    this.#plan = plan;
    this.note(() => JSON.stringify(plan));
    const others = (plan.streams?.partitions ?? []).map((partitions, index) => {
      return { name: topicName(index + 1), partitions };
    });
    this.#ledgers = new Ledgers(Math.max(1, others.length));
    const [clock, random, report] = [this.#clock, this.#random, this.report];
    const note = (line: () => string) => this.note(line);
    this.#undo.push(clock.install(new SeededRandom(seed, 'src')).restore);
    const unfenced = (names: readonly string[]) => this.#fates.unfenced(names);
    this.#undo.push(hook({ report, firstSequence: plan.firstSequence, note, unfenced }));
    const faults = new Faults(plan.rates, random, report);
    this.#faults = faults;
    const firstEpoch = () => plan.firstEpoch;
    const { partitions } = plan;
    const common = { clock, random, faults, report, note };
    const recreated = (count: number) => {
      this.#ledgers.of(0).topicDeleting();
      if (count !== this.#cluster.partitions.length) this.#moves++;
    };
    const adopted = () => this.#ledgers.of(0).newIncarnation();
    const options = { topic: TOPIC, partitions, others, firstEpoch, recreated, adopted };
    this.#cluster = new Cluster({ ...options, ...common });
    this.#sent = new SentBatches(report);
    this.#quotas = new Quotas(clock, report);
    const codecRandom = new SeededRandom(seed, 'codec');
    const calmFromMs = clock.nowMs + plan.faultsMs;
    const { compression } = plan;
    const codec = compression && simCodec(compression, clock, codecRandom, report, calmFromMs);
    let fates: Fates | undefined;
    this.#gateway = new Gateway({
      plan,
      topic: TOPIC,
      bootstrap: [...this.#cluster.brokers.values()],
      createLink: (address) => this.#createLink(address),
      log: this.#createLog(),
      report,
      codec,
      onNumbers,
      watch: (outcomes) => {
        fates = new Fates(outcomes, this.#cluster, report);
        return fates;
      },
    });
    this.#fates = fates!;
  }

  /** Adds a line to the trace. Its time goes into the hash, its text only to `print`. */
  note(line: () => string): void {
    const { nowMs } = this.#clock;
    this.#hash = (Math.imul(this.#hash, 31) + Math.round(nowMs * 1_000)) | 0;
    this.#print?.(`${nowMs.toFixed(3).padStart(12)} ${line()}`);
  }

  async run(): Promise<void> {
    const plan = this.#plan;
    const world = this.#world;
    this.#gateway.start();
    this.#planClients();
    this.#planReloads();
    planDisasters(world, plan.disasters, plan.faultsMs);
    const clock = this.#clock;
    const endMs = clock.nowMs + plan.faultsMs;
    if (await clock.run(endMs, () => this.#look())) return;
    this.note(() => 'nothing goes wrong any more');
    endDisasters(world);
    const settled = await clock.run(clock.nowMs + PROGRESS_MS, () => this.#look() || this.#settled);
    if (!settled) this.#complain();
    if (this.report.failed) return;
    await clock.run(clock.nowMs + STRAYS_MS);
    this.#gateway.stop();
    if (!this.report.failed) this.#check();
  }

  close(): void {
    for (const undo of this.#undo) undo();
  }

  get result(): Result {
    const logs = this.#cluster.allPartitions.flatMap(({ log }) => log.map(({ crc }) => crc));
    const last = [this.#clock.steps, this.#clock.nowMs, this.#ledgers.size, ...logs];
    const hash = crc32(`${this.#hash} ${last.join()}`).toString(16);
    return {
      seed: this.#seed,
      violations: this.report.violations,
      counts: this.report.counts,
      hash,
      steps: this.#clock.steps,
      events: this.#ledgers.size,
    };
  }

  get #world(): DisasterWorld & ClientWorld {
    return {
      clock: this.#clock,
      random: this.#random,
      report: this.report,
      faults: this.#faults,
      cluster: this.#cluster,
      recreations: this.#plan.recreations,
      links: this.#links,
      clients: this.#clients,
      ledger: this.#ledgers,
      note: (line) => this.note(line),
      stalled: (ms) => {
        this.report.count('loop stalled');
        this.#clock.stall(ms);
        for (const client of this.#clients) client.stalled?.(ms);
      },
      connect: (...handshake) => this.#gateway.connect(...handshake),
      post: (...request) => this.#gateway.post(...request),
      sent: (event, connection, dispatch) => {
        this.#ledgers.sent(event, connection);
        this.#origins.sent(event, dispatch);
      },
      begins: (events) => this.#begins(events),
      arrived: (events) => this.#origins.arrived(events),
    };
  }

  /** Schedules reloads. Each moves a stream to another topic. */
  #planReloads(): void {
    const { streams, faultsMs } = this.#plan;
    if (streams === undefined) return;
    let isMoved = false;
    for (let left = streams.reloads; left > 0; left--) {
      this.#clock.after(this.#random.between(0, faultsMs), () => {
        isMoved = !isMoved;
        this.note(() => `reload, isMoved: ${isMoved}`);
        void this.#gateway.reload(streams, isMoved).then(() => this.report.count('reload'));
      });
    }
  }

  /** Notes the topics of events whose streams move. */
  #begins(events: readonly SimEvent[]): void {
    const { streams } = this.#plan;
    if (streams === undefined) return;
    const topic = this.#gateway.topicOf(movingName(streams));
    for (const { id, attempt, moves } of events) {
      if (moves && topic !== undefined) this.#fates.movedTo(`${id}#${attempt}`, topic);
      if (moves && topic === topicName(spareOf(streams))) this.report.count('stream moved');
    }
  }

  #planClients(): void {
    const { ackClients, plainClients, httpClients, events, faultsMs } = this.#plan;
    const random = this.#random;
    for (let index = 0; index < ackClients; index++) this.#planClient(`a${index}`);
    for (let index = 0; index < plainClients; index++) this.#planClient(`p${index}`);
    for (let index = 0; index < httpClients; index++) this.#planClient(`h${index}`);
    for (let left = events; left > 0; ) {
      const count = Math.min(left, Math.ceil(random.log(1, random.chance(0.2) ? 150 : 20)));
      left -= count;
      const atMs = random.between(0, faultsMs * 0.95);
      this.#clock.after(atMs, () => {
        if (this.#clients.length > 0) random.pick(this.#clients).give(count);
      });
    }
  }

  /** Schedules clients that join later and clients that leave for good. */
  #planClient(name: string): void {
    const random = this.#random;
    const { faultsMs } = this.#plan;
    const joinMs = name === 'a0' || random.chance(0.6) ? 0 : random.between(0, faultsMs / 2);
    this.#clock.after(joinMs, () => {
      const client = this.#createClient(name);
      this.#clients.push(client);
      if (name === 'a0' || random.chance(0.8)) return;
      this.#clock.after(random.between(0, faultsMs / 2), () => client.leave());
    });
  }

  #createClient(name: string): Client {
    const { badRate, garbageRate, httpTimeoutMs } = this.#plan;
    const world = this.#world;
    const destinations = new Destinations(this.#plan.streams, this.#random);
    const maker = new EventMaker(name, this.#random, badRate, destinations);
    if (name.startsWith('p')) return new PlainClient(name, world, maker);
    if (name.startsWith('h')) return new HttpClient(name, world, maker, httpTimeoutMs);
    return new AckClient(name, world, maker, { garbageRate, httpTimeoutMs });
  }

  #createLink(address: { host: string }): SimLink {
    const brokers = [...this.#cluster.brokers.values()];
    const broker = brokers.find(({ host }) => host === address.host);
    return new SimLink(address.host, broker, {
      clock: this.#clock,
      faults: this.#faults,
      sent: this.#sent,
      quotas: this.#quotas,
      topicIds: this.#plan.topicIds,
      note: (line) => this.note(line),
      demand: (holds, otherwise) => this.report.demand(holds, otherwise),
      opened: (link) => this.#links.add(link),
      closed: (link) => this.#links.delete(link),
    });
  }

  /** Copies lines of the gateway's log to the trace. */
  #createLog(): Logger {
    const write = (first: unknown, second?: string) =>
      this.note(() => `log: ${second ?? ''} ${JSON.stringify(first)}`);
    const log = { trace() {}, debug() {}, info: write, warn: write, error: write, fatal: write };
    return log as unknown as Logger;
  }

  /** Checks state that no callback reports. @returns whether the history should stop */
  #look(): boolean {
    if (this.#gateway.isPressed) this.report.count('pressed');
    this.#gateway.checkShares();
    return this.report.failed;
  }

  get #settled(): boolean {
    if (this.#gateway.budget.usedBytes > 0) return false;
    return this.#clients.every(({ done }) => done);
  }

  #complain(): void {
    const { report } = this;
    const { budget, producer } = this.#gateway;
    let batches = 0;
    producer.walk(() => batches++);
    report.violation(`not settled: ${batches} batches, ${budget.usedBytes} bytes in use`);
    for (const client of this.#clients) if (!client.done) report.violation(client.state);
  }

  #check(): void {
    const { report } = this;
    checkMetrics(this.#gateway, this.#fates, report);
    this.#fates.check();
    this.#gateway.checkReturned();
    const { allPartitions, others, topic } = this.#cluster;
    for (const partition of allPartitions) {
      for (const { log } of partition.replicas.values()) {
        const same = log.length === partition.log.length && log.at(-1) === partition.log.at(-1);
        report.demand(same, `the model itself: copies of p${partition.index} differ`);
      }
    }
    const all = [topic, ...others.keys()].flatMap((name) => this.#partitionsOf(name));
    for (const partition of all) {
      this.#records.set(partition, [...recordsOf(partition.index, partition.log)]);
    }
    this.#origins.check(all.flatMap((partition) => this.#records.get(partition)!));
    const { streams } = this.#plan;
    const spare = streams && topicName(spareOf(streams));
    for (const [number, name] of [topic, ...others.keys()].entries()) {
      if (name === spare) continue;
      const isMoving = number === streams?.topics.at(-1);
      this.#checkTopic(
        number,
        this.#partitionsOf(name),
        isMoving ? this.#partitionsOf(spare!) : [],
      );
    }
  }

  #partitionsOf(topic: string): readonly Partition[] {
    return this.#cluster.incarnationsOf(topic).at(-1)!.partitions;
  }

  /** @param spare partitions of another topic, to which reloads move the events */
  #checkTopic(number: number, partitions: readonly Partition[], spare: readonly Partition[]): void {
    const { report } = this;
    const moves = number === 0 ? this.#moves : 0;
    // Another number of partitions moves keys; a second move breaks their order.
    const recordsIn = (places: readonly Partition[]) =>
      places.flatMap((partition) => this.#records.get(partition)!);
    const [own, others] = [recordsIn(partitions), recordsIn(spare)];
    const moved = moves > 0 ? [] : [...keysInTwo(own), ...keysInTwo(others)];
    for (const key of moved) report.violation(`${key} is in two partitions`);
    // Partitions of the other topic get numbers of their own.
    const moving = others.map((record) => {
      return { ...record, partition: record.partition + partitions.length };
    });
    const records = [...own, ...moving];
    const verdict = this.#ledgers
      .of(number)
      .reconcile(records.filter(({ value }) => !this.#fates.isUnfenced(String(value))));
    const { disordered } = verdict;
    const onlyMoved = moves > 1 && isCleanBut(verdict, disordered.length);
    for (const line of verdict.clean || onlyMoved ? [] : describeReconciliation(verdict)) {
      report.violation(`${topicName(number)}: ${line}`);
    }
  }
}

/** Returns whether the only violation is that `disordered` events are out of order. */
function isCleanBut(verdict: Reconciliation, disordered: number): boolean {
  const { missing, doubled, phantom, refusedStored, wrongKey } = verdict;
  const others = [missing, doubled, phantom, refusedStored, wrongKey];
  return disordered > 0 && others.every(({ length }) => length === 0);
}

/** Checks that a key stays in one partition: order holds only within a partition. */
function keysInTwo(records: readonly LogRecord[]): string[] {
  const home = new Map<string, number>();
  const strays = new Set<string>();
  for (const { key, partition } of records) {
    if (key === null) continue;
    const known = home.get(String(key));
    if (known === undefined) home.set(String(key), partition);
    else if (known !== partition) strays.add(String(key));
  }
  return [...strays];
}
