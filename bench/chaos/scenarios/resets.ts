import { setTimeout as sleep } from 'node:timers/promises';
import { SeededRandom } from '../../../testing/random.ts';
import type { Scenario } from '../scenario.ts';

const SEED = 1;
/** Cuts requests and responses at random positions. */
const BYTES = { least: 200, most: 500_000 };

export function resets(seconds = 60): Scenario {
  return {
    name: 'resets',
    summary: `every broker connection reset at a random byte, for ${seconds} s`,
    minutes: 2,
    setup: { proxied: true, headers: true },
    async run(world) {
      const { proxies } = world.stage;
      const random = new SeededRandom(SEED, 'resets');
      await world.inject(async () => {
        for (const proxy of proxies) {
          proxy.faults = { resetAfterBytes: () => Math.round(random.log(BYTES.least, BYTES.most)) };
          proxy.resetAll();
        }
        world.logStep(`resets, seed ${SEED}`);
      });
      await sleep(seconds * 1_000);
      const count = proxies.reduce((sum, { counts }) => sum + counts.resets, 0);
      world.measured('connections reset', '', count);
      if (count < seconds) throw new Error(`only ${count} connections were reset`);
      for (const proxy of proxies) {
        proxy.faults = {};
        proxy.resetAll();
      }
      world.logStep('resets stopped');
      await world.recovers('the last reset');
    },
  };
}
