/** Attacks one after the other, and what clients that obey felt of each. */
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { type AttackKind, ordinaryOf } from '../../testing/attack-kinds.ts';
import type { AttackProcess } from '../../testing/attack-process.ts';
import type { Gateway } from '../../testing/gateway.ts';
import { GoodClient } from '../../testing/good-client.ts';
import type { Ledger } from '../../testing/ledger.ts';
import type { Lifetime } from '../../testing/lifetime.ts';
import type { Measurements } from './outcome.ts';
import type { Door } from './stage.ts';
import type { World } from './world.ts';

/** Attacks of some kinds at the same time. */
export interface Case {
  readonly name: string;
  readonly kinds: readonly AttackKind[];
  readonly connections: number;
}

/** Each kind by itself, and all of them as a mix, with each number of connections. */
export function casesOf(kinds: readonly AttackKind[], counts: readonly number[]): Case[] {
  return counts.flatMap((connections) => [
    ...kinds.map((kind) => ({ name: kind, kinds: [kind], connections })),
    { name: 'mix', kinds, connections },
  ]);
}

/** Ordinary events instead, over the same transports. */
export function controlOf({ name, kinds, connections }: Case): Case {
  return { name: `as much as ${name}`, kinds: kinds.map(ordinaryOf), connections };
}

/** How long a client waited: the most, and what 99 of 100 times did not exceed. */
export interface Felt {
  readonly longestMs: number;
  readonly p99Ms: number;
  /** Why it has ended before its time. */
  readonly failure?: string;
}

/** What was measured beside connections that send. */
export interface Beside {
  readonly seconds: number;
  readonly bytes: number;
  /** The most that `forebay_event_loop_lag_seconds` said. */
  readonly turnMs: number;
  /** How long workers wanted a core and had none, all of the time together. */
  readonly corelessMs: number;
  readonly ws: Felt;
  readonly post: Felt;
  readonly plain: Felt;
}

export interface Row {
  readonly attack: Case;
  readonly attacked: Beside;
  /** The same with ordinary events. */
  control?: Beside;
}

const SCRAPE_MS = 200;
/** Until a worker has told its numbers for the last time of an attack. */
const TAIL_MS = 1_300;
/** What each client has done before an attack begins. */
const WARM_EVENTS = 20;

export interface Orders {
  readonly seconds: number;
  /** Begins the names of clients. */
  readonly name: string;
  readonly ledger?: Ledger;
  readonly bytesPerSecond?: number;
}

/** Runs one attack on a port and measures well-behaved clients meanwhile. */
export async function attack(
  lifetime: Lifetime,
  attackers: AttackProcess,
  { gateway, wsUrl, httpUrl, access }: Door,
  { kinds, connections }: Case,
  { seconds, name, ledger, bytesPerSecond }: Orders,
): Promise<Beside> {
  const options = { ...access, ...(ledger === undefined ? {} : { ledger }) };
  const clients = {
    ws: await GoodClient.overWs(lifetime, wsUrl, `${name}-ws`, options),
    post: GoodClient.overHttp(lifetime, httpUrl, `${name}-post`, options),
    plain: await GoodClient.overPlain(lifetime, wsUrl, `${name}-plain`, options),
  };
  const all = Object.values(clients);
  await Promise.all(all.map((client) => client.hasServed(WARM_EVENTS)));
  for (const client of all) client.forget();
  const workers = gateway.workers();
  const corelessMs = corelessMsOf(workers);
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
  const waited = corelessMsOf(workers) - corelessMs;
  const [ws, post, plain] = await Promise.all([
    feltBy(clients.ws),
    feltBy(clients.post),
    feltBy(clients.plain),
  ]);
  await sleep(TAIL_MS);
  const turnMs = await lag.stop();
  return { seconds: took, bytes, turnMs, corelessMs: waited, ws, post, plain };
}

/** How long the main threads of processes have been ready to run and had no core, ms. */
function corelessMsOf(pids: readonly number[]): number {
  let nanoseconds = 0;
  for (const pid of pids) {
    try {
      const text = readFileSync(`/proc/${pid}/task/${pid}/schedstat`, 'utf8');
      nanoseconds += Number(text.split(' ')[1]);
    } catch {
      // One that has ended: that is noticed elsewhere.
    }
  }
  return nanoseconds / 1e6;
}

async function feltBy(client: GoodClient): Promise<Felt> {
  const failure = await client.stop().then(
    () => undefined,
    (error: unknown) => (error instanceof Error ? error.message : String(error)),
  );
  const { longestMs, p99Ms } = client.service;
  return { longestMs, p99Ms, ...(failure === undefined ? {} : { failure }) };
}

/** The greatest lag of the event loop that a gateway tells. */
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
        // Numbers that were told before are of the time before.
        if (metrics!.series.get(age)! < seconds)
          this.#worstMs = Math.max(this.#worstMs, 1_000 * value);
      }
      await sleep(SCRAPE_MS);
    }
  }
}

const COLUMNS = ['turn', 'no core', 'forebay.v1', 'POST', 'plain'];

const LEGEND =
  'Times in ms: how late the event loop was at the most, and for how long in all the worker was ready' +
  ' to run and had no core. Of clients: the longest wait, and after a slash the 99th percentile;' +
  ' with an asterisk of one that was ended or refused.';

/** One row per attack, with the figures of its control if there is one. */
export function measurementsOf(rows: readonly Row[]): Measurements {
  const withControl = rows.some(({ control }) => control !== undefined);
  const head = [
    ...['attack', 'connections', 'MB/s', ...COLUMNS],
    ...(withControl ? ['MB/s', ...COLUMNS].map((column) => `control: ${column}`) : []),
  ];
  return {
    legend: LEGEND,
    head,
    rows: rows.map(({ attack: { name, connections }, attacked, control }) => [
      ...[name, String(connections), ...cellsOf(attacked)],
      ...(withControl ? cellsOf(control) : []),
    ]),
  };
}

function cellsOf(beside: Beside | undefined): string[] {
  if (beside === undefined) return ['MB/s', ...COLUMNS].map(() => '–');
  const { bytes, seconds, turnMs, corelessMs, ws, post, plain } = beside;
  const felt = [ws, post, plain].map(
    ({ longestMs, p99Ms, failure }) =>
      `${longestMs.toFixed(0)} / ${p99Ms.toFixed(0)}${failure === undefined ? '' : ' *'}`,
  );
  const own = [turnMs, corelessMs].map((ms) => ms.toFixed(0));
  return [(bytes / seconds / 1e6).toFixed(1), ...own, ...felt];
}

/** What may not have happened in a run, in words. */
export function flawsOf({ attack, attacked }: Row, turnMsMax: number | undefined): string[] {
  const { name, connections } = attack;
  const where = `${name}, ${connections} connections`;
  const { ws, post, plain } = attacked;
  const flaws = Object.entries({ 'forebay.v1': ws, POST: post, plain }).flatMap(
    ([client, { failure }]) =>
      failure === undefined ? [] : [`${where}: the ${client} client that obeys: ${failure}`],
  );
  if (turnMsMax !== undefined && !(attacked.turnMs <= turnMsMax)) {
    const [turn, coreless] = [attacked.turnMs, attacked.corelessMs].map((ms) => ms.toFixed(0));
    flaws.push(
      `${where}: the event loop was late by ${turn} ms; the worker had no core for ${coreless} ms in all`,
    );
  }
  return flaws;
}

/** Notes whether the load beside attacks has lost a connection, or a request its answer. */
export function checkClients(world: World): void {
  const { clients, plain, http } = world.traffic;
  const closes = clients.flatMap((client) => client.closes);
  const codes = closes.map(({ code }) => code).join(', ');
  world.check(closes.length === 0, `${closes.length} forebay.v1 clients were ended: ${codes}`);
  const again = plain.filter(({ connections }) => connections > 1).length;
  world.check(again === 0, `${again} plain clients were ended`);
  world.check(http.failed === 0, `${http.failed} requests had no answer`);
}
