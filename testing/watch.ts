/** Watches a gateway from outside during a test. */
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { isRunning } from './child.ts';
import { type Gateway, type GatewayOptions, type LogLine, startGateway } from './gateway.ts';
import type { Lifetime } from './lifetime.ts';
import type { Metrics } from './metrics.ts';
import { PATIENCE_MS, until } from './wait.ts';

const EVERY_MS = 100;
/** Time from taking a snapshot in a worker to the start of its age, on a busy machine. */
const SNAPSHOT_WAY_MS = 300;
const PAGE_BYTES = 4096;

/** A series of scrapes, and violations in them. */
export class Watch {
  readonly scrapes: Metrics[] = [];
  /** Failed scrapes. */
  failed = 0;
  /** Maximum resident memory of a worker, from /proc. */
  residentBytesMax = 0;
  readonly #gateway: Gateway;
  readonly #everyMs: number;
  #running = true;
  readonly #ended: Promise<void>;

  /** Starts at once; stops with the test. */
  constructor(t: Lifetime, gateway: Gateway, everyMs = EVERY_MS) {
    this.#gateway = gateway;
    this.#everyMs = everyMs;
    this.#ended = this.#run();
    t.after(() => this.stop());
  }

  async stop(): Promise<void> {
    this.#running = false;
    await this.#ended;
  }

  /** Maximum of one series, or of the sum of several. */
  max(name: string, labels: Readonly<Record<string, string>> = {}): number {
    return Math.max(...this.scrapes.map((scrape) => scrape.value(name, labels)));
  }

  /** Counters and histogram parts that decreased between two scrapes. */
  decreases(): string[] {
    const found: string[] = [];
    const last = new Map<string, number>();
    for (const { series } of this.scrapes) {
      for (const [name, value] of series) {
        if (!/^[a-z_]+_(total|bucket|sum|count)(\{|$)/.test(name)) continue;
        const before = last.get(name) ?? 0;
        if (value < before) found.push(`${name}: ${before} -> ${value}`);
        last.set(name, value);
      }
    }
    return found;
  }

  /** Nonzero values of `forebay_events_unaccounted`, of any stream. */
  unaccounted(): number[] {
    return this.scrapes.flatMap((scrape) => scrape.unaccounted);
  }

  async #run(): Promise<void> {
    while (this.#running) {
      const scrape = await this.#gateway.metrics().catch(() => undefined);
      if (scrape === undefined) this.failed++;
      else this.scrapes.push(scrape);
      for (const pid of this.#gateway.workers()) {
        this.residentBytesMax = Math.max(this.residentBytesMax, residentBytes(pid));
      }
      await sleep(this.#everyMs);
    }
  }
}

/** Resident memory of a process; 0 if it has exited. */
function residentBytes(pid: number): number {
  try {
    return Number(readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ')[1]) * PAGE_BYTES;
  } catch {
    return 0;
  }
}

/** Waits until all workers have reported after the call: the last scrape. */
export function reported(gateway: Gateway): Promise<Metrics> {
  return untilReported(gateway, () => true);
}

/**
 * Waits until all workers have reported after the call and have nothing in flight: the last scrape.
 */
export function atRest(gateway: Gateway): Promise<Metrics> {
  return untilReported(gateway, (metrics) => metrics.value('forebay_events_in_flight') === 0);
}

function untilReported(gateway: Gateway, isDone: (metrics: Metrics) => boolean): Promise<Metrics> {
  const sinceMs = performance.now() + SNAPSHOT_WAY_MS;
  return until(
    async () => {
      const metrics = await gateway.metrics();
      const seconds = (performance.now() - sinceMs) / 1000;
      const ages = [...metrics.series]
        .filter(([name]) => name.startsWith('forebay_worker_snapshot_age_seconds'))
        .map(([, age]) => age);
      const fresh = ages.length > 0 && ages.every((age) => age < seconds);
      return fresh && isDone(metrics) && metrics;
    },
    { everyMs: 50, what: () => `rest; the log ends:\n${gateway.logTail()}` },
  );
}

/** Number of produce errors, all classes. */
export async function produceErrors(gateway: Gateway): Promise<number> {
  return (await gateway.metrics()).value('forebay_produce_errors_total');
}

/** Waits until this many more events are stored. */
export async function untilStored(
  gateway: Gateway,
  more: number,
  deadlineMs = PATIENCE_MS,
): Promise<void> {
  const stored = async () => (await gateway.metrics()).value('forebay_events_stored_total');
  const goal = (await stored()) + more;
  const what = () => `${more} more events stored; the log ends:\n${gateway.logTail()}`;
  await until(async () => (await stored()) >= goal, { deadlineMs, everyMs: 50, what });
}

/** Log lines with this message. */
export function logged(gateway: Gateway, msg: string): LogLine[] {
  return gateway.log.filter((line) => line.msg === msg);
}

/** Waits for a log line. */
export function untilLogged(
  gateway: Gateway,
  msg: string,
  deadlineMs = PATIENCE_MS,
): Promise<LogLine> {
  const what = () => `the line '${msg}' in\n${gateway.logTail()}`;
  return until(() => logged(gateway, msg)[0], { deadlineMs, what });
}

/** Waits until none of these processes runs. */
export async function untilGone(pids: readonly number[], deadlineMs = PATIENCE_MS): Promise<void> {
  const what = () => `the end of ${pids.filter(isRunning).join(', ')}`;
  await until(() => !pids.some(isRunning), { deadlineMs, what });
}

export interface Readyz {
  readonly status: number;
  readonly reasons: readonly string[];
}

/** Responses of /readyz on the public and the admin port. */
export function readyz(gateway: Gateway): Promise<Readyz[]> {
  const answers = [gateway.httpUrl, gateway.adminUrl].map(async (url) => {
    const response = await fetch(`${url}/readyz`);
    const { reasons } = (await response.json()) as { reasons: string[] };
    return { status: response.status, reasons };
  });
  return Promise.all(answers);
}

/** Waits until both ports return 503 with exactly this reason. */
export async function untilNotReady(
  gateway: Gateway,
  reason: string,
  deadlineMs = PATIENCE_MS,
): Promise<void> {
  let answers: Readyz[] = [];
  await until(
    async () => {
      answers = await readyz(gateway);
      return answers.every(({ status, reasons }) => status === 503 && reasons.join() === reason);
    },
    { deadlineMs, what: () => `'${reason}', not ${JSON.stringify(answers)}` },
  );
}

/** Starts a gateway that fails to start. @returns its exit code and stderr */
export async function failedStart(t: Lifetime, options: GatewayOptions) {
  const gateway = await startGateway({ ...options, ready: false });
  t.after(() => gateway.kill());
  const { code } = await until(() => gateway.exited, { what: () => gateway.logTail() });
  await untilGone(gateway.workers());
  return { code, errors: gateway.errors, gateway };
}
