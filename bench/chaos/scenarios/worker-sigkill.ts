import { setTimeout as sleep } from 'node:timers/promises';
import { until } from '../../../testing/wait.ts';
import { killProcess } from '../faults.ts';
import type { Scenario } from '../scenario.ts';

const WORKERS = 2;
const READY_MS_MAX = 2_000;
/** Each worker lives for ten seconds; otherwise restarts back off. */
const PAUSE_MS = 10_000 / WORKERS + 500;

export function workerSigkill(kills = 20): Scenario {
  return {
    name: 'worker-sigkill',
    summary: `the older of ${WORKERS} workers killed, ${kills} times`,
    minutes: Math.ceil(kills / 10) + 1,
    setup: { workers: WORKERS, headers: true },
    async run(world) {
      const { gateway } = world;
      world.mayLosePlain();
      const ready = async () =>
        (await gateway.metrics()).value('forebay_workers', { state: 'ready' }) === WORKERS;
      for (let kill = 0; kill < kills; kill++) {
        await sleep(PAUSE_MS);
        const before = gateway.workers();
        const victim = before[0]!;
        await killProcess(victim);
        const sinceMs = performance.now();
        world.logStep(`worker ${victim} killed`);
        const replaced = () => gateway.workers().length === WORKERS;
        await until(async () => replaced() && (await ready()), { what: 'a new worker' });
        const ms = Math.round(performance.now() - sinceMs);
        world.measured('replacement worker ready after', 'ms', ms, { most: READY_MS_MAX });
        await world.recovers('worker failure');
      }
      const metrics = await gateway.metrics();
      const crashes = metrics.value('forebay_worker_restarts_total', { cause: 'crash' });
      world.check(crashes === kills, `${crashes} crashes counted, not ${kills}`);
      world.measured(
        'events counted as lost',
        'events',
        metrics.value('forebay_events_lost_total'),
      );
    },
  };
}
