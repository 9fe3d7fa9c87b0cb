import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises';
import { build, encodeIntoCompressedBase64, type Histogram } from 'hdr-histogram-js';
import { until } from '../../testing/wait.ts';
import { LoadConnection, type LoadListener } from './connection.ts';
import type { LoadReport, LoadShape, LoadTimes, Spread } from './messages.ts';
import { Packets } from './packet.ts';
import { Schedule } from './schedule.ts';
import { Slab } from './slab.ts';

const OPEN_AT_ONCE = 200;
const HELLO_MS_MAX = 10_000;
const TICK_MS = 1;
const PROBLEMS_MAX = 5;
const MICROS_MAX = 600_000_000;

/** All connections of one load, and their results. Open loop: driven only by the clock. */
export class Load implements LoadListener {
  readonly #shape: LoadShape;
  readonly #connections: LoadConnection[];
  /** The 13 digits of the events' timestamp. */
  readonly #time = Buffer.from(String(Date.now()));
  #schedule: Schedule | undefined;
  #startMs = 0;
  /** Start of the window, relative to the start of the load. */
  #fromMs = Number.POSITIVE_INFINITY;
  #toMs = Number.POSITIVE_INFINITY;
  #ackedEvents = 0;
  #ackFrames = 0;
  readonly #latency = histogram();
  readonly #refusal = histogram();
  readonly #lag = histogram();
  readonly #refused: Record<string, number> = {};
  readonly #problems: string[] = [];

  constructor(shape: LoadShape) {
    this.#shape = shape;
    const slab = new Slab();
    const packets = new Packets(shape);
    this.#connections = Array.from(
      { length: shape.connections },
      (_, index) => new LoadConnection(index, shape, packets, slab, this.#time, this),
    );
  }

  /** Connects, and waits for every `hello`. @throws Error */
  async open(): Promise<void> {
    for (let from = 0; from < this.#connections.length; from += OPEN_AT_ONCE) {
      const some = this.#connections.slice(from, from + OPEN_AT_ONCE);
      await Promise.all(some.map((connection) => connection.open()));
    }
    const deadlineMs = HELLO_MS_MAX;
    await until(() => this.#connections.every(({ ready }) => ready), { deadlineMs, what: 'hello' });
  }

  /** @param mark called when the window starts and ends */
  async run(times: LoadTimes, mark: (is: 'begin' | 'end') => void): Promise<LoadReport> {
    const { eventsPerSecond, eventsPerFrame, framesPerPacket, connections } = this.#shape;
    const packetsPerSecond = eventsPerSecond / eventsPerFrame / framesPerPacket;
    const [fromMs, toMs] = [times.warmUpMs, times.warmUpMs + times.windowMs];
    this.#schedule = new Schedule(packetsPerSecond, connections, toMs);
    [this.#fromMs, this.#toMs] = [fromMs, toMs];
    this.#startMs = performance.now();
    await this.#pace(fromMs);
    const before = this.#sample();
    mark('begin');
    await this.#pace(toMs);
    mark('end');
    const after = this.#sample();
    await this.#settle(times);
    const ms = after.atMs - before.atMs;
    return {
      ...this.#found(),
      plannedEvents: (eventsPerSecond * times.windowMs) / 1000,
      window: {
        ms,
        ackedEvents: after.ackedEvents - before.ackedEvents,
        ackFrames: after.ackFrames - before.ackFrames,
      },
      cpuShare: (after.cpuMs - before.cpuMs) / ms,
    };
  }

  close(): void {
    for (const connection of this.#connections) connection.close();
  }

  /** Sends due packets until `endMs` after the start. */
  async #pace(endMs: number): Promise<void> {
    const schedule = this.#schedule!;
    for (;;) {
      const elapsedMs = performance.now() - this.#startMs;
      this.#time.write(String(Date.now()));
      for (;;) {
        const packet = schedule.next(elapsedMs);
        if (packet === undefined) break;
        const dueMs = schedule.dueMs(packet);
        if (dueMs >= this.#fromMs) this.#lag.recordValue(micros(elapsedMs - dueMs));
        this.#connections[schedule.connectionOf(packet)]!.due();
      }
      if (elapsedMs >= endMs) return;
      await sleep(TICK_MS);
    }
  }

  async #settle({ settleMs, dropQueue }: LoadTimes): Promise<void> {
    if (dropQueue) for (const connection of this.#connections) connection.dropQueue();
    const open = () => this.#connections.filter(({ settled }) => !settled).length;
    const endMs = performance.now() + settleMs;
    while (open() > 0 && performance.now() < endMs) {
      this.#time.write(String(Date.now()));
      await sleep(TICK_MS * 10);
    }
    // Processes an ack that arrived with the last one.
    await turn();
    if (open() > 0) this.problem(`${open()} connections not settled within ${settleMs} ms`);
  }

  #sample() {
    const { user, system } = process.cpuUsage();
    const cpuMs = (user + system) / 1000;
    const { ackedEvents, ackFrames } = {
      ackedEvents: this.#ackedEvents,
      ackFrames: this.#ackFrames,
    };
    return { atMs: performance.now(), cpuMs, ackedEvents, ackFrames };
  }

  #found() {
    const sum = (of: (connection: LoadConnection) => number) =>
      this.#connections.reduce((total, connection) => total + of(connection), 0);
    return {
      shape: this.#shape,
      connections: this.#connections.map((connection) => connection.report()),
      sentEvents: sum(({ sentEvents }) => sentEvents),
      refusedEvents: this.#refused,
      latency: spread(this.#latency),
      histogram: encodeIntoCompressedBase64(this.#latency),
      refusal: spread(this.#refusal),
      lag: spread(this.#lag),
      starvedPackets: sum(({ starved }) => starved),
      problems: this.#problems,
    };
  }

  acked(connection: number, first: number, frames: number, eventsPerFrame: number): void {
    this.#ackedEvents += frames * eventsPerFrame;
    const schedule = this.#schedule!;
    const { framesPerPacket } = this.#shape;
    const nowMs = performance.now() - this.#startMs;
    for (let frame = first; frame < first + frames; frame++) {
      const dueMs = schedule.dueOfMs(connection, Math.floor(frame / framesPerPacket));
      if (dueMs < this.#fromMs || dueMs >= this.#toMs) continue;
      this.#latency.recordValueWithCount(micros(nowMs - dueMs), eventsPerFrame);
    }
  }

  ackFrame(): void {
    this.#ackFrames++;
  }

  refused(code: string, events: number, sentAtMs: number): void {
    this.#refused[code] = (this.#refused[code] ?? 0) + events;
    this.#refusal.recordValueWithCount(micros(performance.now() - sentAtMs), events);
  }

  problem(text: string): void {
    if (this.#problems.length < PROBLEMS_MAX) this.#problems.push(text);
  }
}

function histogram(): Histogram {
  return build({ highestTrackableValue: MICROS_MAX, numberOfSignificantValueDigits: 3 });
}

function micros(ms: number): number {
  return Math.min(MICROS_MAX, Math.max(0, Math.round(ms * 1000)));
}

function spread(of: Histogram): Spread {
  const at = (percentile: number) => of.getValueAtPercentile(percentile) / 1000;
  return { p50: at(50), p99: at(99), max: of.maxValue / 1000 };
}
