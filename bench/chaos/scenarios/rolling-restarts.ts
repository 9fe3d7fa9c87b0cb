import { closeAll } from '../../../testing/load.ts';
import { until } from '../../../testing/wait.ts';
import { CHECK_MS } from '../balancer.ts';
import { idleClients } from '../idle-clients.ts';
import type { Scenario } from '../scenario.ts';
import type { World } from '../world.ts';

const LIVE_SOCKETS = 2_000;
/** Longer than the balancer's detection time. */
const PRESTOP_MS = 4 * CHECK_MS;
const SPREAD_MS = 1_000;

export function rollingRestarts(times = 10): Scenario {
  return {
    name: 'rolling-restarts',
    summary: `both instances behind HAProxy restarted in turn, ${times} times, ${LIVE_SOCKETS} sockets`,
    minutes: 1,
    setup: {
      headers: true,
      instances: 2,
      rate: 0.5,
      env: {
        FOREBAY_PRESTOP_MS: String(PRESTOP_MS),
        FOREBAY_DRAIN_SPREAD_MS: String(SPREAD_MS),
      },
    },
    async run(world) {
      const { balancer } = world.stage;
      const others = LIVE_SOCKETS - world.traffic.clients.length;
      const idle = await idleClients(world, balancer!.wsUrl, others);
      for (let time = 0; time < times; time++) {
        for (const index of [0, 1]) await restart(world, index);
      }
      const all = [...idle, ...world.traffic.clients];
      await until(() => all.every(({ connected }) => connected), { what: 'all sockets back' });
      const closes = all.flatMap((client) => client.closes);
      const silent = closes.filter(({ code }) => code !== 1012);
      world.measured('sockets closed by the gateways', '', closes.length);
      const { failed } = world.traffic.http;
      const goal = { most: 0 };
      world.measured('sockets closed without 1012', '', silent.length, goal);
      world.measured('HTTP requests failed', '', failed, goal);
      world.measured('HTTP requests answered', '', world.traffic.sentBy('http') / 10);
      world.check(silent.length === 0, `${silent.length} sockets closed without 1012`);
      world.check(failed === 0, `${failed} HTTP requests failed`);
      const unmoved = idle.filter((client) => client.closes.length === 0).length;
      if (unmoved > 0) throw new Error(`${unmoved} sockets were never closed`);
      await closeAll(idle);
    },
  };
}

/** Stops an instance with SIGTERM, and starts it again. */
async function restart(world: World, index: number): Promise<void> {
  const old = world.stage.gateways[index]!;
  await world.unwatch(old);
  const sinceMs = performance.now();
  const { code } = await old.stop();
  if (code !== 0) throw new Error(`instance ${index + 1} ended with ${code}:\n${old.logTail()}`);
  world.measured('stop', 'ms', Math.round(performance.now() - sinceMs));
  const next = await world.stage.start(index);
  world.watch(next);
  world.measured('start to ready', 'ms', Math.round(next.startToReadyMs));
  world.logStep(`instance ${index + 1} restarted`);
  await world.stage.balancer!.up(index);
  await world.recovers('restart');
}
