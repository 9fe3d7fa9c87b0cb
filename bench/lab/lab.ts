import { randomUUID } from 'node:crypto';
import { SETTINGS } from '../../src/config/config.ts';
import { MIB } from '../../src/config/limits.ts';
import type { GatewayOptions } from '../../testing/gateway.ts';
import { createTopic, deleteTopic, eachRecord } from '../../testing/topic.ts';
import { LoadClient } from '../load/client.ts';
import type { LoadShape, LoadTimes } from '../load/messages.ts';
import { percent } from '../report/number.ts';
import type { Figure } from '../result.ts';
import type { Bench } from '../scenario.ts';
import { Bare, startFloor, startNaive } from '../yardsticks/yardstick.ts';
import { Account, type Balance, flawsOf } from './account.ts';
import { moveTo } from './cores.ts';
import { lateness, type Measurement, measure } from './measure.ts';
import { peakBytesOf } from './memory.ts';
import { GatewayTarget, type Target } from './target.ts';
import { warmUp } from './warm-up.ts';

/** The standard case; a scenario names what differs. */
const STANDARD = {
  connections: 64,
  eventsPerSecond: 20_000,
  eventsPerFrame: 1,
  framesPerPacket: 1,
  eventBytes: 140,
};
const TIMES: LoadTimes = { warmUpMs: 400, windowMs: 2_000, settleMs: 10_000 };
export const PARTITIONS = 12;
const TRIES = 2;
/** What a worker may hold beside its buffer. */
const MEMORY_BESIDE_MIB = 100;

export type Shape = Partial<Omit<LoadShape, 'port' | 'run'>>;

export interface GatewayWish {
  readonly name?: string;
  readonly env?: GatewayOptions['env'];
  readonly partitions?: number;
  /** Its processes run on any core. */
  readonly anywhere?: boolean;
  /** What it is sent has no order. */
  readonly unordered?: boolean;
}

/** What was written where. */
interface Book {
  readonly topic: string;
  readonly account: Account;
}

/** One scenario's processes and topics. It measures, and holds what was sent against the topics. */
export class Lab {
  readonly bench: Bench;
  readonly client: LoadClient;
  readonly #processes: { stop(): Promise<void> }[] = [];
  readonly #topics: string[] = [];
  readonly #books = new Map<Target, Book>();
  /** Nothing was sent to them yet. */
  #cold: Target[] = [];
  #runs = 0;
  readonly problems: string[] = [];

  private constructor(bench: Bench) {
    this.bench = bench;
    this.client = new LoadClient(bench.places.rest);
  }

  /** Does `work` in a lab of its own, that is cleared away whatever happens. */
  static async with<T>(bench: Bench, work: (lab: Lab) => Promise<T>): Promise<T> {
    const lab = new Lab(bench);
    try {
      return await work(lab);
    } finally {
      await lab.#close();
    }
  }

  /** A gateway on a topic of its own, its workers on their core. */
  async gateway(wish: GatewayWish = {}): Promise<GatewayTarget> {
    const { name = 'gateway', env = {}, partitions, anywhere, unordered } = wish;
    const { brokers, places } = this.bench;
    const topic = `bench-${randomUUID().slice(0, 13)}`;
    const settings = { KAFKA_TOPIC_PARTITIONS: String(partitions ?? PARTITIONS), ...env };
    // It starts on all cores, as it would by itself.
    moveTo(places.all, process.pid);
    const starting = this.bench.startGateway({ brokers, topic, env: settings });
    const gateway = await starting.finally(() => moveTo(places.rest, process.pid));
    const bufferBytes = Number(env.FOREBAY_BUFFER_BYTES ?? SETTINGS.bufferBytes.defaultValue());
    const target = new GatewayTarget(name, gateway, bufferBytes);
    this.#processes.push(target);
    this.#cold.push(target);
    this.#topics.push(topic);
    this.#books.set(target, { topic, account: new Account(!unordered) });
    moveTo(anywhere ? places.all : places.rest, gateway.pid);
    for (const pid of gateway.workers()) moveTo(anywhere ? places.all : places.worker, pid);
    return target;
  }

  async floor(): Promise<Target> {
    const target = await startFloor(this.bench.places);
    this.#processes.push(target);
    this.#cold.push(target);
    return target;
  }

  /** Events of the standard size, one at a time. */
  async bare(): Promise<Bare> {
    const topic = await this.#createTopic();
    const { brokers, places } = this.bench;
    const bare = await Bare.start(places, { brokers, topic, eventBytes: STANDARD.eventBytes });
    this.#processes.push(bare);
    return bare;
  }

  async #createTopic(): Promise<string> {
    const topic = `bench-${randomUUID().slice(0, 13)}`;
    this.#topics.push(topic);
    await createTopic({ brokers: this.bench.brokers, topic }, { numPartitions: PARTITIONS });
    return topic;
  }

  async naive(): Promise<Target> {
    const { brokers, places } = this.bench;
    const topic = await this.#createTopic();
    const target = await startNaive(places, { brokers, topic });
    this.#processes.push(target);
    this.#cold.push(target);
    this.#books.set(target, { topic, account: new Account() });
    return target;
  }

  /** Has all that were started run as they will after a while, before anything counts. */
  async warmUp(): Promise<void> {
    const targets = this.#cold;
    this.#cold = [];
    const startedMs = performance.now();
    const reports = await warmUp(targets, this.bench.places.rest);
    for (const [index, report] of reports.entries()) {
      this.#books.get(targets[index]!)?.account.add(report);
    }
    const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
    this.bench.say(`warmed up in ${seconds} s: ${targets.map(({ name }) => name).join(', ')}`);
  }

  /**
   * One window of load. It is repeated when the load client itself was late, and then a problem.
   * @param shape what differs from the standard case
   * @param tries how often it may be made at the most
   */
  async measure(
    target: Target,
    shape: Shape = {},
    times: Partial<LoadTimes> = {},
    tries = TRIES,
  ): Promise<Measurement> {
    for (let attempt = 1; ; attempt++) {
      const run = `r${++this.#runs}`;
      const whole = { ...STANDARD, ...shape, run };
      const found = await measure(this.client, target, whole, { ...TIMES, ...times });
      this.#books.get(target)?.account.add(found.report);
      this.bench.say(lineOf(target, found));
      for (const problem of found.report.problems) this.problem(target, problem);
      const late = lateness(found.report);
      if (late === undefined) return found;
      this.bench.say(`  ${late}`);
      if (attempt < tries) continue;
      this.problem(target, late);
      return found;
    }
  }

  /** Reads the target's topic back. Losses of any but the gateway are not a problem of ours. */
  async balance(target: Target): Promise<Balance> {
    const { topic, account } = this.#books.get(target)!;
    const { brokers, places } = this.bench;
    // Nothing is measured now: on the worker’s core too it is quicker.
    moveTo(places.all, process.pid);
    await eachRecord({ brokers, topic }, ({ key, value }) => account.record(key, value)).finally(
      () => moveTo(places.rest, process.pid),
    );
    const balance = account.balance();
    const flaws = flawsOf(balance);
    const fine = flaws === undefined ? ', each event once' : `: ${flaws}`;
    this.bench.say(`${target.name}: ${balance.stored} records read back${fine}`);
    if (flaws !== undefined && target instanceof GatewayTarget) this.problem(target, flaws);
    return balance;
  }

  /** The most memory that any worker has held so far, for each size of buffer. */
  memory(): Figure[] {
    const most = new Map<number, number>();
    for (const { gateway, bufferBytes } of this.#processes.filter(isGateway)) {
      const peaks = gateway.workers().map((pid) => peakBytesOf(pid));
      most.set(bufferBytes, Math.max(most.get(bufferBytes) ?? 0, ...peaks));
    }
    return [...most].map(([bufferBytes, bytes]) => ({
      name: `worker’s memory, the most, with a buffer of ${bufferBytes / MIB} MiB`,
      unit: 'MiB',
      values: [bytes / MIB],
      goal: { most: bufferBytes / MIB + MEMORY_BESIDE_MIB },
    }));
  }

  /** Reads back what every gateway has written. */
  async verify(): Promise<void> {
    for (const target of this.#books.keys()) {
      if (target instanceof GatewayTarget) await this.balance(target);
    }
  }

  /** What was sent to this target, and what is in its topic. */
  account(target: Target): Account {
    return this.#books.get(target)!.account;
  }

  /** Ends with the lab. */
  stopAtEnd(process: { stop(): Promise<void> }): void {
    this.#processes.push(process);
  }

  problem(target: Target, text: string): void {
    this.problems.push(`${target.name}: ${text}`);
  }

  async #close(): Promise<void> {
    const ended = await Promise.allSettled(
      [this.client, ...this.#processes].map((process) => process.stop()),
    );
    for (const topic of this.#topics) await deleteTopic({ brokers: this.bench.brokers, topic });
    for (const end of ended) if (end.status === 'rejected') throw end.reason;
  }
}

function isGateway(process: { stop(): Promise<void> }): process is GatewayTarget {
  return process instanceof GatewayTarget;
}

function lineOf({ name }: Target, found: Measurement): string {
  const { shape, latency, lag, window, refusedEvents, cpuShare } = found.report;
  const load = [
    `${shape.connections} connections`,
    `${shape.eventsPerSecond}/s`,
    `${shape.eventsPerFrame}x${shape.framesPerPacket}x${shape.eventBytes} B`,
  ].join(', ');
  const refused = Object.entries(refusedEvents).map(([code, count]) => `, ${code} ${count}`);
  return (
    `${name} (${load}): ${found.cpuMicrosPerEvent.toFixed(2)} us/event ` +
    `(worker ${found.workerCpuMicrosPerEvent.toFixed(2)}), ` +
    `${found.ackedPerSecond.toFixed(0)} acked/s, ack frames ${window.ackFrames}, ` +
    `p50 ${latency.p50.toFixed(1)} p99 ${latency.p99.toFixed(1)} ms, ` +
    `lag p99 ${lag.p99.toFixed(1)} max ${lag.max.toFixed(0)} ms, ` +
    `client ${percent(cpuShare)} of a core${refused.join('')}`
  );
}
