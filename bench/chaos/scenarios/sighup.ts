import { isRunning } from '../../../testing/child.ts';
import { until } from '../../../testing/wait.ts';
import { logged } from '../../../testing/watch.ts';
import type { Scenario } from '../scenario.ts';

export function sighup(times = 10): Scenario {
  return {
    name: 'sighup',
    summary: `both workers replaced one by one by SIGHUP, ${times} times`,
    minutes: 1,
    setup: { workers: 2, headers: true, env: { FOREBAY_DRAIN_SPREAD_MS: '500' } },
    async run(world) {
      const { gateway, traffic } = world;
      // Plain events sent while the connection is closed are lost.
      world.mayLosePlain();
      for (let time = 1; time <= times; time++) {
        const pids = gateway.workers();
        gateway.signal('SIGHUP');
        world.logStep('SIGHUP');
        const lines = () => logged(gateway, 'rolling restart completed');
        const what = () => `the end of a rolling restart; end of the log:\n${gateway.logTail()}`;
        await until(() => lines().length === time, { deadlineMs: 60_000, what });
        world.measured('rolling restart', 'ms', Number(lines().at(-1)?.ms));
        if (pids.some(isRunning)) throw new Error('a worker was not replaced');
        await world.recovers('rolling restart');
      }
      const closes = traffic.clients.flatMap((client) => client.closes);
      world.measured('connections closed with 1012', '', closes.length);
      const silent = closes.filter(({ code }) => code !== 1012).length;
      world.check(silent === 0, `${silent} connections closed without 1012`);
      const metrics = await gateway.metrics();
      const lost = metrics.value('forebay_events_lost_total');
      world.check(lost === 0, `${lost} events counted as lost`);
    },
  };
}
