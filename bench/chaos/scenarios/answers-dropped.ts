import { setTimeout as sleep } from 'node:timers/promises';
import { until } from '../../../testing/wait.ts';
import type { Scenario } from '../scenario.ts';

const PAUSE_MS = 3_000;

export function answersDropped(times = 15): Scenario {
  return {
    name: 'answers-dropped',
    summary: `responses on every open connection dropped after the append, ${times} times`,
    minutes: 2,
    setup: { proxied: true, headers: true },
    async run(world) {
      const { proxies } = world.stage;
      const discarded = () => proxies.reduce((sum, { counts }) => sum + counts.discardedBytes, 0);
      for (let time = 0; time < times; time++) {
        await sleep(PAUSE_MS);
        await world.inject(async () => {
          const before = discarded();
          for (const proxy of proxies) proxy.discardResponses();
          await until(() => discarded() > before, { what: 'a lost response' });
          world.logStep('responses on open connections dropped');
        });
        await world.recovers('lost responses');
      }
      world.measured('response bytes lost', 'bytes', discarded());
    },
  };
}
