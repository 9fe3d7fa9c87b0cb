import { setTimeout as sleep } from 'node:timers/promises';
import { MIB } from '../../../src/config/limits.ts';
import type { AttackKind } from '../../../testing/attack-kinds.ts';
import { AttackProcess } from '../../../testing/attack-process.ts';
import { good } from '../../../testing/events.ts';
import { GoodClient } from '../../../testing/good-client.ts';
import { PlainClient } from '../../../testing/plain-client.ts';
import { peakBytesOf, residentBytesOf } from '../../lab/memory.ts';
import { checkClients } from '../hostile.ts';
import type { Measurements } from '../outcome.ts';
import type { Scenario } from '../scenario.ts';
import type { Endpoint } from '../stage.ts';
import type { World } from '../world.ts';

const MARK_BYTES = 300_000_000;
const ABOVE_MARK_MIB = 100;
const RESIDENT_MIB = MARK_BYTES / MIB + ABOVE_MARK_MIB;
/** Maximum time during which new clients may be rejected. */
const NEWCOMER_MS_MAX = 5_000;
const NEWCOMER_EVERY_MS = 100;
const SAMPLE_MS = 20;

const CASES: readonly { readonly kinds: readonly AttackKind[]; readonly connections: number }[] = [
  { kinds: ['heldBodies'], connections: 3_000 },
  { kinds: ['heldMessages'], connections: 5_000 },
  { kinds: ['heldBodies', 'heldMessages'], connections: 6_000 },
];

/** @param seconds duration of each attack */
export function hostileMemory(seconds: number): Scenario {
  return {
    name: 'hostile-memory',
    summary: `incomplete bodies and messages held open, ${seconds} s each`,
    minutes: 1 + Math.ceil((CASES.length * (seconds + 5)) / 60),
    setup: {
      rate: 0.2,
      watchMs: 500,
      residentMib: RESIDENT_MIB,
      env: { FOREBAY_MAX_RSS_BYTES: String(MARK_BYTES) },
    },
    async run(world) {
      const [worker] = world.gateway.workers() as [number];
      const rows: string[][] = [];
      for (const [index, { kinds, connections }] of CASES.entries()) {
        const attack = { kinds, connections, seconds, name: `hold-${index}` };
        const { largest, longest, services } = await hold(world, worker, attack);
        const name = kinds.join(' and ');
        world.logStep(`${name}, ${connections} connections: ${(largest / MIB).toFixed(0)} MiB`);
        world.measured('maximum worker RSS during an attack', 'MiB', largest / MIB, {
          most: RESIDENT_MIB,
        });
        const goal = { most: NEWCOMER_MS_MAX };
        for (const [kind, ms] of Object.entries(longest)) {
          world.measured(`longest time without serving a new ${kind}`, 'ms', ms, goal);
          world.check(ms <= goal.most, `${name}: no new ${kind} served for ${ms.toFixed(0)} ms`);
        }
        const latencies = services.map((s) => `${s.longestMs.toFixed(0)} / ${s.p99Ms.toFixed(0)}`);
        const newcomers = Object.values(longest).map((ms) => ms.toFixed(0));
        rows.push([
          name,
          String(connections),
          (largest / MIB).toFixed(0),
          ...newcomers,
          ...latencies,
        ]);
      }
      world.measurements = { legend: LEGEND, head: HEAD, rows };
      world.check(String(world.gateway.workers()) === String(worker), 'a worker was restarted');
      const peakMib = peakBytesOf(worker) / MIB;
      world.check(peakMib <= RESIDENT_MIB, `the worker took ${peakMib.toFixed(0)} MiB`);
      checkClients(world);
    },
  };
}

const LEGEND =
  'Times in ms: longest time without serving a new client; maximum latency / 99th percentile of' +
  ' existing clients.';
const HEAD: Measurements['head'] = [
  ...['attack', 'connections', 'worker, MiB', 'no new POST', 'no new WebSocket'],
  ...['forebay.v1', 'plain'],
];

interface HoldAttack {
  readonly kinds: readonly AttackKind[];
  readonly connections: number;
  readonly seconds: number;
  readonly name: string;
}

/** Runs one attack, with existing and new well-behaved clients. */
async function hold(world: World, worker: number, { seconds, name, ...attack }: HoldAttack) {
  const { endpoint } = world.stage;
  const options = { ledger: world.traffic.ledger };
  const clients = [
    await GoodClient.overWs(world, endpoint.wsUrl, `${name}-ws`, options),
    await GoodClient.overPlain(world, endpoint.wsUrl, `${name}-plain`, options),
  ];
  const attackers = new AttackProcess();
  let largest = 0;
  const sampler = setInterval(() => {
    largest = Math.max(largest, residentBytesOf(worker));
  }, SAMPLE_MS);
  try {
    const newcomers = new Newcomers(world, endpoint, name);
    await attackers.start({ port: world.gateway.port, ...attack });
    await sleep(seconds * 1_000);
    const longest = await newcomers.stop();
    await attackers.stop();
    for (const client of clients) {
      await client
        .stop()
        .catch((error) => world.check(false, `a well-behaved client failed: ${error}`));
    }
    return { largest, longest, services: clients.map((client) => client.service) };
  } finally {
    clearInterval(sampler);
    attackers.end();
  }
}

/** Opens new connections continuously. */
class Newcomers {
  readonly #ended: Promise<void>[];
  readonly #longest = { POST: 0, WebSocket: 0 };
  #running = true;

  constructor({ traffic: { ledger } }: World, { wsUrl, httpUrl }: Endpoint, name: string) {
    let posts = 0;
    const post = async () => {
      const id = `${name}-new-${posts++}`;
      ledger.sent(id);
      const headers = { 'Content-Type': 'application/json', Connection: 'close' };
      const request = { method: 'POST', headers, body: good(id, { id }) };
      const { status } = await fetch(`${httpUrl}/events`, request);
      if (status === 200) ledger.acknowledged(id, 1);
      else throw new Error(`answered ${status}`);
    };
    const open = async () => {
      const client = await new PlainClient({ url: wsUrl }).open();
      await client.close();
    };
    this.#ended = [this.#connect('POST', post), this.#connect('WebSocket', open)];
  }

  /** @returns the longest times without a served connection, ms */
  async stop(): Promise<{ readonly POST: number; readonly WebSocket: number }> {
    this.#running = false;
    await Promise.all(this.#ended);
    return this.#longest;
  }

  async #connect(kind: 'POST' | 'WebSocket', once: () => Promise<void>): Promise<void> {
    let servedMs = performance.now();
    const note = () => {
      this.#longest[kind] = Math.max(this.#longest[kind], performance.now() - servedMs);
    };
    while (this.#running) {
      const served = await once().then(
        () => true,
        () => false,
      );
      if (served) {
        note();
        servedMs = performance.now();
      }
      await sleep(NEWCOMER_EVERY_MS);
    }
    note();
  }
}
