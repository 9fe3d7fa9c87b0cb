import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MIB } from '../../src/config/limits.ts';
import { SETTINGS } from '../../src/config/settings.ts';
import { readableValue } from '../../src/kafka/record-value.ts';
import type { HeaderName } from '../../src/streams/stream-file.ts';
import type { GatewayOptions } from '../../testing/gateway.ts';
import { createTopic, deleteTopic, eachRecord, type TopicRecord } from '../../testing/topic.ts';
import { LoadClient } from '../load/client.ts';
import type { HttpForm } from '../load/http-process.ts';
import type { LoadShape, LoadTimes } from '../load/messages.ts';
import { percent } from '../report/number.ts';
import type { Figure } from '../result.ts';
import type { Bench } from '../scenario.ts';
import { type Bridge, bridgeForm, startBridge } from '../yardsticks/bridge.ts';
import { Bare, type StoringName, startFloor, startStoring } from '../yardsticks/yardstick.ts';
import { Account, type Balance, imbalanceOf } from './account.ts';
import { moveTo } from './cores.ts';
import { DecidedShares, decidedBy } from './decided.ts';
import { lateness, type Measurement, measure } from './measure.ts';
import { peakBytesOf } from './memory.ts';
import { writeStreamFile } from './stream-file.ts';
import { GatewayTarget, type Target } from './target.ts';
import { warmUp } from './warm-up.ts';

/** Default load; scenarios name their deviations. */
const STANDARD = {
  connections: 64,
  eventsPerSecond: 20_000,
  eventsPerFrame: 1,
  framesPerPacket: 1,
  eventBytes: 140,
};
const TIMES: LoadTimes = { warmUpMs: 400, windowMs: 2_000, settleMs: 10_000 };
export const PARTITIONS = 12;
const TRIES = 4;
/** Allowed memory of a worker beyond its buffer. */
const MEMORY_OVERHEAD_MIB = 100;

export type Shape = Partial<Omit<LoadShape, 'port' | 'run'>>;

export interface GatewaySpec {
  readonly name?: string;
  readonly env?: GatewayOptions['env'];
  /** Partitions of each topic. */
  readonly partitions?: number;
  /** Number of streams, each with its own topic and without schema; default: no stream file. */
  readonly streams?: number;
  /** Streams of the body `mixed`, selected by its routing field, with or without its schemas. */
  readonly routed?: 'schemas' | 'any';
  /** Record headers of all streams; default: none. */
  readonly headers?: readonly HeaderName[];
  /** Its processes run on any core. */
  readonly anywhere?: boolean;
  /** Its events are not ordered. */
  readonly unordered?: boolean;
  /** Load of its warm-up, where it differs from the default: its events have to be valid. */
  readonly warmUp?: Shape;
  /** File of its command, if it is not this build's. */
  readonly main?: string;
}

/** Events sent to a target, and its topics. */
interface TargetAccount {
  readonly topics: readonly string[];
  readonly account: Account;
  /** Keys of records are JSON strings. */
  readonly jsonKeys?: boolean;
}

/** Processes and topics of one scenario. Measures, and verifies what was stored. */
export class Lab {
  readonly bench: Bench;
  readonly client: LoadClient;
  readonly #processes: { stop(): Promise<void> }[] = [];
  readonly #topics: string[] = [];
  readonly #folders: string[] = [];
  readonly #books = new Map<Target, TargetAccount>();
  /** Targets without any load so far. */
  #cold: Target[] = [];
  #runs = 0;
  readonly #decided = new DecidedShares();
  readonly problems: string[] = [];

  private constructor(bench: Bench) {
    this.bench = bench;
    this.client = new LoadClient(bench.places.rest);
  }

  /** Runs `work` in a new lab, which is always cleaned up. */
  static async with<T>(bench: Bench, work: (lab: Lab) => Promise<T>): Promise<T> {
    const lab = new Lab(bench);
    try {
      return await work(lab);
    } finally {
      await lab.#close();
    }
  }

  /** Starts a gateway on a new topic, its workers on their core. */
  async gateway(spec: GatewaySpec = {}): Promise<GatewayTarget> {
    const { name = 'gateway', env = {}, partitions, streams, routed, headers } = spec;
    const { anywhere, unordered, warmUp = {}, main } = spec;
    const { brokers, places } = this.bench;
    const topic = `bench-${randomUUID().slice(0, 13)}`;
    const declares = streams !== undefined || routed !== undefined;
    const file = declares
      ? writeStreamFile(this.#folder(), topic, { named: streams, routed, headers })
      : undefined;
    const topics = file?.topics ?? [topic];
    this.#topics.push(...topics);
    const declared = file && { FOREBAY_STREAMS_FILE: file.path };
    const settings = {
      KAFKA_TOPIC_PARTITIONS: String(partitions ?? PARTITIONS),
      ...env,
      ...declared,
    };
    // It starts on all cores, as in production.
    moveTo(places.all, process.pid);
    const options = { brokers, topic, env: settings, ...(main === undefined ? {} : { main }) };
    const starting = this.bench.startGateway(options);
    const gateway = await starting.finally(() => moveTo(places.rest, process.pid));
    const bufferBytes = Number(env.FOREBAY_BUFFER_BYTES ?? SETTINGS.bufferBytes.defaultValue());
    const target = new GatewayTarget(name, gateway, { bufferBytes, streams, warmUp });
    this.#processes.push(target);
    this.#cold.push(target);
    this.#books.set(target, { topics, account: new Account(!unordered) });
    moveTo(anywhere ? places.all : places.rest, gateway.pid);
    for (const pid of gateway.workers()) moveTo(anywhere ? places.all : places.worker, pid);
    return target;
  }

  /** Returns a new folder, removed at the end of the lab. */
  #folder(): string {
    const folder = mkdtempSync(join(tmpdir(), 'forebay-bench-'));
    this.#folders.push(folder);
    return folder;
  }

  async floor(): Promise<Target> {
    const target = await startFloor(this.bench.places);
    this.#processes.push(target);
    this.#cold.push(target);
    return target;
  }

  /** Sends events of the default size, one at a time. */
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

  naive(): Promise<Target> {
    return this.storing('naive');
  }

  /** Starts a yardstick that stores events, on a new topic. */
  async storing(name: StoringName): Promise<Target> {
    const { brokers, places } = this.bench;
    const topic = await this.#createTopic();
    const target = await startStoring(name, places, { brokers, topic });
    this.#processes.push(target);
    this.#cold.push(target);
    this.#books.set(target, { topics: [topic], account: new Account() });
    return target;
  }

  /** Starts an HTTP bridge on a new topic. @returns it, and the form of its events */
  async bridge(bridge: Bridge): Promise<{ target: Target; form: HttpForm }> {
    const { brokers, places } = this.bench;
    const topic = await this.#createTopic();
    const target = await startBridge(bridge, places, brokers);
    this.#processes.push(target);
    this.#books.set(target, { topics: [topic], account: new Account(false), jsonKeys: true });
    return { target, form: bridgeForm(topic) };
  }

  /** Warms up all targets that were started. */
  async warmUp(): Promise<void> {
    const targets = this.#cold;
    this.#cold = [];
    const startedMs = performance.now();
    const reports = await warmUp(targets, this.bench.places.rest);
    for (const [index, report] of reports.entries()) {
      this.#books.get(targets[index]!)?.account.add(report);
    }
    const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
    this.bench.log(`warmed up in ${seconds} s: ${targets.map(({ name }) => name).join(', ')}`);
  }

  /**
   * Runs one window of load. A window in which the load client fell behind is repeated, up to
   * `tries` times; then it is a violation.
   * @param shape deviations from the default load
   * @param tries maximum number of attempts
   */
  async measure(
    target: Target,
    shape: Shape = {},
    times: Partial<LoadTimes> = {},
    tries = TRIES,
  ): Promise<Measurement> {
    for (let attempt = 1; ; attempt++) {
      const found = await this.attempt(target, shape, times);
      const late = lateness(found.report);
      if (late === undefined) return found;
      if (attempt < tries) continue;
      this.problem(target, late);
      return found;
    }
  }

  /** Runs one window of load, like {@link measure}, once: the load client may be late. */
  async attempt(
    target: Target,
    shape: Shape = {},
    times: Partial<LoadTimes> = {},
  ): Promise<Measurement> {
    const whole = { ...STANDARD, ...shape, run: `r${++this.#runs}` };
    const load = measure.bind(undefined, this.client, target, whole, { ...TIMES, ...times });
    const found = await this.countDecided(target, loadOf(whole), load);
    this.#books.get(target)?.account.add(found.report);
    this.bench.log(lineOf(target, found));
    for (const problem of found.report.problems) this.#fault(target, problem);
    const late = lateness(found.report);
    if (late !== undefined) this.bench.log(`  ${late}`);
    return found;
  }

  /**
   * Notes which of the events of a run are decided without parsing.
   * @param load describes the run
   */
  async countDecided<T>(target: Target, load: string, run: () => Promise<T>): Promise<T> {
    if (!(target instanceof GatewayTarget)) return run();
    const before = await decidedBy(target.gateway);
    const found = await run();
    this.#decided.add(`${target.name}, ${load}`, before, await decidedBy(target.gateway));
    return found;
  }

  /** Returns the share of events decided without parsing, by target and load. */
  decided(): Figure[] {
    return this.#decided.figures();
  }

  /** Faults of a yardstick that stores events are results: its account has them. */
  #fault(target: Target, text: string): void {
    const judged = target instanceof GatewayTarget || !this.#books.has(target);
    if (judged) this.problem(target, text);
    else this.bench.log(`${target.name}: ${text}`);
  }

  /** Reads the target's topic back. Only losses of the gateway are violations. */
  async balance(target: Target): Promise<Balance> {
    const { topics, account, jsonKeys = false } = this.#books.get(target)!;
    const { brokers, places } = this.bench;
    // Nothing is measured now: reading is faster with the worker’s core.
    moveTo(places.all, process.pid);
    try {
      for (const topic of topics) {
        account.nextTopic();
        const visit = (record: TopicRecord) =>
          account.record(
            jsonKeys ? keyInJson(record.key) : record.key,
            readableValue(record).bytes,
          );
        await eachRecord({ brokers, topic }, visit);
      }
    } finally {
      moveTo(places.rest, process.pid);
    }
    const balance = account.balance();
    const imbalance = imbalanceOf(balance);
    const fine = imbalance === undefined ? ', each event exactly once' : `: ${imbalance}`;
    this.bench.log(`${target.name}: ${balance.stored} records read back${fine}`);
    if (imbalance !== undefined && target instanceof GatewayTarget) this.problem(target, imbalance);
    return balance;
  }

  /** Returns the maximum memory of the workers so far, by buffer size. */
  memory(): Figure[] {
    const most = new Map<number, number>();
    for (const { gateway, bufferBytes } of this.#processes.filter(isGateway)) {
      const peaks = gateway.workers().map((pid) => peakBytesOf(pid));
      most.set(bufferBytes, Math.max(most.get(bufferBytes) ?? 0, ...peaks));
    }
    return [...most].map(([bufferBytes, bytes]) => ({
      name: `maximum worker memory, buffer of ${bufferBytes / MIB} MiB`,
      unit: 'MiB',
      values: [bytes / MIB],
      goal: { most: bufferBytes / MIB + MEMORY_OVERHEAD_MIB },
    }));
  }

  /** Reads back what every gateway has stored. */
  async verify(): Promise<void> {
    for (const target of this.#books.keys()) {
      if (target instanceof GatewayTarget) await this.balance(target);
    }
  }

  /** Returns the account of a target and its topic. */
  account(target: Target): Account {
    return this.#books.get(target)!.account;
  }

  /** Stops a process at the end of the lab. */
  stopAtEnd(process: { stop(): Promise<void> }): void {
    this.#processes.push(process);
  }

  problem(target: Target, text: string): void {
    this.problems.push(`${target.name}: ${text}`);
  }

  /** Deletes a topic; a gateway that failed to start has not created its own. */
  async #deleteTopic(topic: string): Promise<void> {
    try {
      await deleteTopic({ brokers: this.bench.brokers, topic });
    } catch (error) {
      // kafkajs retries this error, and wraps it then.
      const { cause = error } = error as { cause?: unknown };
      if ((cause as { type?: string }).type !== 'UNKNOWN_TOPIC_OR_PARTITION') throw error;
    }
  }

  async #close(): Promise<void> {
    const ended = await Promise.allSettled(
      [this.client, ...this.#processes].map((process) => process.stop()),
    );
    for (const topic of this.#topics) await this.#deleteTopic(topic);
    for (const folder of this.#folders) rmSync(folder, { recursive: true });
    for (const end of ended) if (end.status === 'rejected') throw end.reason;
  }
}

/** Returns the text of a JSON string. */
function keyInJson(key: Buffer | null): Buffer | null {
  return key === null ? null : Buffer.from(JSON.parse(String(key)) as string);
}

function isGateway(process: { stop(): Promise<void> }): process is GatewayTarget {
  return process instanceof GatewayTarget;
}

/** Describes a load: body, sizes and rate. */
function loadOf(shape: Omit<LoadShape, 'port'>): string {
  const { body = 'plain', encoding = 'json', eventsPerFrame, framesPerPacket } = shape;
  const packets = framesPerPacket === 1 ? '' : `, ${framesPerPacket} frames per packet`;
  const format = encoding === 'json' ? '' : ` as ${encoding}`;
  return (
    `${body} of ${shape.eventBytes} B${format}, ${eventsPerFrame} per frame${packets}, ` +
    `${shape.eventsPerSecond}/s`
  );
}

function lineOf({ name }: Target, found: Measurement): string {
  const { shape, latency, lag, window, refusedEvents, cpuShare } = found.report;
  const refused = Object.entries(refusedEvents).map(([code, count]) => `, ${code} ${count}`);
  return (
    `${name} (${shape.connections} connections, ${loadOf(shape)}): ` +
    `${found.cpuMicrosPerEvent.toFixed(2)} us/event ` +
    `(worker ${found.workerCpuMicrosPerEvent.toFixed(2)}), ` +
    `${found.ackedPerSecond.toFixed(0)} acked/s, ack frames ${window.ackFrames}, ` +
    `p50 ${latency.p50.toFixed(1)} p99 ${latency.p99.toFixed(1)} ms, ` +
    `lag p99 ${lag.p99.toFixed(1)} max ${lag.max.toFixed(0)} ms, ` +
    `client ${percent(cpuShare)} of a core${refused.join('')}`
  );
}
