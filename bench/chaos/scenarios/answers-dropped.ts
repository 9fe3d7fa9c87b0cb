import { setTimeout as sleep } from 'node:timers/promises';
import { until } from '../../../testing/wait.ts';
import type { Scenario } from '../scenario.ts';

const PAUSE_MS = 3_000;

export function answersDropped(times = 15): Scenario {
  return {
    name: 'answers-dropped',
    summary: `every open connection loses its answers after the append, ${times} times`,
    minutes: 2,
    setup: { proxied: true },
    async run(world) {
      const { proxies } = world.stage;
      const swallowed = () => proxies.reduce((sum, { counts }) => sum + counts.swallowedBytes, 0);
      for (let time = 0; time < times; time++) {
        await sleep(PAUSE_MS);
        await world.felt(async () => {
          const before = swallowed();
          for (const proxy of proxies) proxy.swallowAnswers();
          await until(() => swallowed() > before, { what: 'an answer that is lost' });
          world.did('no answer arrives on the connections that are open');
        });
        await world.recovers('the loss of all answers');
      }
      world.measured('answers lost', 'bytes', swallowed());
    },
  };
}
