/** Attacks in sequence, and the latency of well-behaved clients during each one. */
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { type AttackKind, ordinaryOf } from '../../testing/attack-kinds.ts';
import type { AttackProcess } from '../../testing/attack-process.ts';
import type { Gateway } from '../../testing/gateway.ts';
import { GoodClient } from '../../testing/good-client.ts';
import type { Ledger } from '../../testing/ledger.ts';
import type { Lifetime } from '../../testing/lifetime.ts';
import type { Measurements } from './outcome.ts';
import type { Endpoint } from './stage.ts';
import type { World } from './world.ts';

/** Simultaneous attacks of some kinds. */
export interface Case {
  readonly name: string;
  readonly kinds: readonly AttackKind[];
  readonly connections: number;
}

/** Returns each kind alone, and all kinds mixed, for each number of connections. */
export function casesOf(kinds: readonly AttackKind[], counts: readonly number[]): Case[] {
  return counts.flatMap((connections) => [
    ...kinds.map((kind) => ({ name: kind, kinds: [kind], connections })),
    { name: 'mix', kinds, connections },
  ]);
}

/** Returns a control that sends ordinary events over the same transports. */
export function controlOf({ name, kinds, connections }: Case): Case {
  return { name: `as much as ${name}`, kinds: kinds.map(ordinaryOf), connections };
}

/** Latency of a client, ms: maximum and 99th percentile. */
export interface Latency {
  readonly longestMs: number;
  readonly p99Ms: number;
  /** Reason of a premature end. */
  readonly failure?: string;
}

/** Measurements during an attack or a control. */
export interface AttackResult {
  readonly seconds: number;
  readonly bytes: number;
  /** Maximum of `forebay_event_loop_lag_seconds`. */
  readonly lagMs: number;
  /** Total time that workers were runnable without a core. */
  readonly cpuWaitMs: number;
  readonly ws: Latency;
  readonly post: Latency;
  readonly plain: Latency;
}

export interface Row {
  readonly attack: Case;
  readonly result: AttackResult;
  /** Control with ordinary events. */
  control?: AttackResult;
}

const SCRAPE_MS = 200;
/** Wait for the last snapshot of the workers after an attack. */
const TAIL_MS = 1_300;
/** Events of each client before an attack starts. */
const WARM_UP_EVENTS = 20;

export interface AttackOptions {
  readonly seconds: number;
  /** Prefix of the client names. */
  readonly name: string;
  readonly ledger?: Ledger;
  readonly bytesPerSecond?: number;
}

/** Runs one attack on a port and measures well-behaved clients meanwhile. */
export async function attack(
  lifetime: Lifetime,
  attackers: AttackProcess,
  { gateway, wsUrl, httpUrl, access }: Endpoint,
  { kinds, connections }: Case,
  { seconds, name, ledger, bytesPerSecond }: AttackOptions,
): Promise<AttackResult> {
  const options = { ...access, ...(ledger === undefined ? {} : { ledger }) };
  const clients = {
    ws: await GoodClient.overWs(lifetime, wsUrl, `${name}-ws`, options),
    post: GoodClient.overHttp(lifetime, httpUrl, `${name}-post`, options),
    plain: await GoodClient.overPlain(lifetime, wsUrl, `${name}-plain`, options),
  };
  const all = Object.values(clients);
  await Promise.all(all.map((client) => client.untilServed(WARM_UP_EVENTS)));
  for (const client of all) client.forget();
  const workers = gateway.workers();
  const cpuWaitMs = cpuWaitMsOf(workers);
  const lag = new LagWatch(gateway);
  const { headers } = access;
  const port = Number(new URL(httpUrl).port);
  await attackers.start({
    ...{ port, kinds, connections, secure: gateway.secure },
    ...(headers === undefined ? {} : { headers }),
    ...(bytesPerSecond === undefined ? {} : { bytesPerSecond }),
  });
  const sinceMs = performance.now();
  await sleep(seconds * 1_000);
  const { bytes } = await attackers.stop();
  const took = (performance.now() - sinceMs) / 1_000;
  const waited = cpuWaitMsOf(workers) - cpuWaitMs;
  const [ws, post, plain] = await Promise.all([
    latencyOf(clients.ws),
    latencyOf(clients.post),
    latencyOf(clients.plain),
  ]);
  await sleep(TAIL_MS);
  const lagMs = await lag.stop();
  return { seconds: took, bytes, lagMs, cpuWaitMs: waited, ws, post, plain };
}

/** Returns the time that main threads spent runnable without a core, ms. */
function cpuWaitMsOf(pids: readonly number[]): number {
  let nanoseconds = 0;
  for (const pid of pids) {
    try {
      const text = readFileSync(`/proc/${pid}/task/${pid}/schedstat`, 'utf8');
      nanoseconds += Number(text.split(' ')[1]);
    } catch {
      // The process has ended, which is detected elsewhere.
    }
  }
  return nanoseconds / 1e6;
}

async function latencyOf(client: GoodClient): Promise<Latency> {
  const failure = await client.stop().then(
    () => undefined,
    (error: unknown) => (error instanceof Error ? error.message : String(error)),
  );
  const { longestMs, p99Ms } = client.service;
  return { longestMs, p99Ms, ...(failure === undefined ? {} : { failure }) };
}

/** Maximum event loop lag that a gateway reports. */
class LagWatch {
  readonly #sinceMs = performance.now();
  readonly #gateway: Gateway;
  readonly #ended: Promise<void>;
  #running = true;
  #worstMs = 0;

  constructor(gateway: Gateway) {
    this.#gateway = gateway;
    this.#ended = this.#run();
  }

  async stop(): Promise<number> {
    this.#running = false;
    await this.#ended;
    return this.#worstMs;
  }

  async #run(): Promise<void> {
    while (this.#running) {
      const metrics = await this.#gateway.metrics().catch(() => undefined);
      const seconds = (performance.now() - this.#sinceMs) / 1_000;
      for (const [series, value] of metrics?.series ?? []) {
        if (!series.startsWith('forebay_event_loop_lag_seconds')) continue;
        const age = series.replace('forebay_event_loop_lag', 'forebay_worker_snapshot_age');
        // Snapshots from before the attack do not count.
        if (metrics!.series.get(age)! < seconds)
          this.#worstMs = Math.max(this.#worstMs, 1_000 * value);
      }
      await sleep(SCRAPE_MS);
    }
  }
}

const COLUMNS = ['lag', 'CPU wait', 'forebay.v1', 'POST', 'plain'];

const LEGEND =
  'Times in ms. lag: maximum event loop lag; CPU wait: total time the worker was runnable without a' +
  ' core. Clients: maximum latency / 99th percentile; * = the client was disconnected or rejected.';

/** Returns one row per attack, with the figures of its control if there is one. */
export function measurementsOf(rows: readonly Row[]): Measurements {
  const withControl = rows.some(({ control }) => control !== undefined);
  const head = [
    ...['attack', 'connections', 'MB/s', ...COLUMNS],
    ...(withControl ? ['MB/s', ...COLUMNS].map((column) => `control: ${column}`) : []),
  ];
  return {
    legend: LEGEND,
    head,
    rows: rows.map(({ attack: { name, connections }, result, control }) => [
      ...[name, String(connections), ...cellsOf(result)],
      ...(withControl ? cellsOf(control) : []),
    ]),
  };
}

function cellsOf(result: AttackResult | undefined): string[] {
  if (result === undefined) return ['MB/s', ...COLUMNS].map(() => '–');
  const { bytes, seconds, lagMs, cpuWaitMs, ws, post, plain } = result;
  const latencies = [ws, post, plain].map(
    ({ longestMs, p99Ms, failure }) =>
      `${longestMs.toFixed(0)} / ${p99Ms.toFixed(0)}${failure === undefined ? '' : ' *'}`,
  );
  const own = [lagMs, cpuWaitMs].map((ms) => ms.toFixed(0));
  return [(bytes / seconds / 1e6).toFixed(1), ...own, ...latencies];
}

/** Returns the violations of one attack. */
export function problemsOf({ attack, result }: Row, lagMsMax: number | undefined): string[] {
  const { name, connections } = attack;
  const where = `${name}, ${connections} connections`;
  const { ws, post, plain } = result;
  const problems = Object.entries({ 'forebay.v1': ws, POST: post, plain }).flatMap(
    ([client, { failure }]) =>
      failure === undefined ? [] : [`${where}: well-behaved ${client} client failed: ${failure}`],
  );
  if (lagMsMax !== undefined && !(result.lagMs <= lagMsMax)) {
    const [lag, cpuWait] = [result.lagMs, result.cpuWaitMs].map((ms) => ms.toFixed(0));
    problems.push(`${where}: event loop lag ${lag} ms, CPU wait ${cpuWait} ms`);
  }
  return problems;
}

/** Checks that the load next to the attacks lost no connection and no response. */
export function checkClients(world: World): void {
  const { clients, plain, http } = world.traffic;
  const closes = clients.flatMap((client) => client.closes);
  const codes = closes.map(({ code }) => code).join(', ');
  world.check(
    closes.length === 0,
    `${closes.length} forebay.v1 clients were disconnected: ${codes}`,
  );
  const again = plain.filter(({ connections }) => connections > 1).length;
  world.check(again === 0, `${again} plain clients were disconnected`);
  world.check(http.failed === 0, `${http.failed} requests got no response`);
}
