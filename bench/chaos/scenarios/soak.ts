import { readdirSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { MIB } from '../../../src/config/limits.ts';
import { SeededRandom } from '../../../testing/random.ts';
import { until } from '../../../testing/wait.ts';
import { residentBytesOf } from '../../lab/memory.ts';
import { killBroker, killProcess, suspend } from '../faults.ts';
import type { Scenario } from '../scenario.ts';
import type { World } from '../world.ts';

const SEED = 1;
const MINUTE_MS = 60_000;
/** Allowed growth of a process from the first to the last quarter. */
const GROWTH = { bytes: 32 * MIB, descriptors: 20 };

/** Injects a fault and ends it; never kills the worker `elder`. */
type Fault = (world: World, random: SeededRandom, elder: number) => Promise<void>;

const FAULTS: Readonly<Record<string, Fault>> = {
  'broker killed and restarted': async (world, random) => {
    const node = random.int(0, 2);
    await killBroker(world, node);
    await sleep(3_000);
    await world.stage.cluster.restart(node);
  },
  'broker suspended for 8 s': async ({ stage: { cluster } }, random) => {
    const node = random.int(0, 2);
    await suspend(cluster.nodes[node]!.pid!);
    await sleep(8_000);
    cluster.resume(node);
  },
  'responses on all connections dropped': async ({ stage: { proxies } }) => {
    for (const proxy of proxies) proxy.discardResponses();
  },
  'all connections reset': async ({ stage: { proxies } }) => {
    for (const proxy of proxies) proxy.resetAll();
  },
  'black hole to one broker for 5 s': async ({ stage: { proxies } }, random) => {
    const proxy = random.pick(proxies);
    proxy.faults = { blackHole: true };
    await sleep(5_000);
    proxy.faults = {};
    // Connections with lost bytes are unusable: requests would be truncated.
    proxy.resetAll();
  },
  'round trip of 0.4 s for 10 s': async ({ stage: { proxies } }) => {
    for (const proxy of proxies) proxy.faults = { delayMs: 200 };
    await sleep(10_000);
    for (const proxy of proxies) proxy.faults = {};
  },
  'younger worker killed': async ({ gateway }, _random, elder) => {
    // Process ids wrap around: the younger worker may have the lower one.
    await killProcess(gateway.workers().find((pid) => pid !== elder)!);
    await until(() => gateway.workers().length === 2, { what: 'a new worker' });
  },
};

/** Long, at a moderate rate, since the ledger of all events is kept in memory. */
export function soak(hours = 1): Scenario {
  const minutes = Math.ceil(hours * 60);
  return {
    name: 'soak',
    summary: `${minutes} minutes, one fault per minute; memory and descriptors stay flat`,
    minutes: minutes + 1,
    setup: { workers: 2, proxied: true, rate: 0.1, watchMs: 1_000 },
    async run(world) {
      const random = new SeededRandom(SEED, 'soak');
      world.mayLosePlain();
      const [elder] = world.gateway.workers() as [number];
      // The surviving worker shows leaks; the primary too.
      const processes = { primary: world.gateway.pid, worker: elder };
      const holdings: Record<keyof typeof processes, Holding[]> = { primary: [], worker: [] };
      for (let minute = 0; minute < minutes; minute++) {
        const begunMs = performance.now();
        const what = random.pick(Object.keys(FAULTS));
        world.logStep(what);
        await FAULTS[what]!(world, random, elder);
        await world.recovers('fault');
        await world.untilInSync();
        await sleep(Math.max(0, MINUTE_MS - (performance.now() - begunMs)));
        for (const [name, pid] of Object.entries(processes)) {
          holdings[name as keyof typeof processes].push(holdingOf(pid));
        }
      }
      for (const [name, series] of Object.entries(holdings)) checkGrowth(world, name, series);
    },
  };
}

interface Holding {
  readonly bytes: number;
  readonly descriptors: number;
}

function holdingOf(pid: number): Holding {
  return { bytes: residentBytesOf(pid), descriptors: readdirSync(`/proc/${pid}/fd`).length };
}

/** Compares the maximum of the last quarter with that of the first. */
function checkGrowth(world: World, name: string, series: readonly Holding[]): void {
  const quarter = Math.ceil(series.length / 4);
  for (const kind of ['bytes', 'descriptors'] as const) {
    const values = series.map((holding) => holding[kind]);
    const first = Math.max(...values.slice(0, quarter));
    const last = Math.max(...values.slice(-quarter));
    const [scale, unit] = kind === 'bytes' ? [MIB, 'MiB'] : [1, 'files'];
    world.measured(`${name}: ${unit}, first quarter`, unit, first / scale);
    world.measured(`${name}: ${unit}, last quarter`, unit, last / scale);
    world.check(last - first <= GROWTH[kind], `the ${name} grew from ${first} to ${last} ${kind}`);
  }
}
