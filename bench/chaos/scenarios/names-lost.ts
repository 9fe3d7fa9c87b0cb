import { setTimeout as sleep } from 'node:timers/promises';
import { until } from '../../../testing/wait.ts';
import type { Scenario } from '../scenario.ts';

const NAMES = ['broker-1.forebay.test', 'broker-2.forebay.test', 'broker-3.forebay.test'];

export function namesLost(seconds = 30): Scenario {
  return {
    name: 'names-lost',
    summary: `broker names unresolvable for ${seconds} s, all connections reset`,
    minutes: 1,
    setup: { names: NAMES },
    async run(world) {
      const { proxies } = world.stage;
      await world.inject(async () => {
        world.stage.resolve(false);
        for (const proxy of proxies) proxy.resetAll();
        world.logStep('name resolution disabled, all connections reset');
      });
      const backAt = performance.now() + seconds * 1_000;
      const made = () => proxies.reduce((sum, { counts }) => sum + counts.connections, 0);
      // Bodies stored in part before are answered at their timeout: they do not count.
      const byWebSocket = (attempt: string) => attempt.startsWith('a-');
      const acknowledged = () =>
        [...world.traffic.ledger.acknowledgedMs.keys()].filter(byWebSocket).length;
      const look = () => [made(), acknowledged()] as const;
      let before = look();
      const quiet = async () => {
        before = look();
        await sleep(1_000);
        return look().join() === before.join();
      };
      await until(quiet, { what: 'the end of requests in flight' });
      await sleep(backAt - performance.now());
      if (made() > before[0]) throw new Error('a name was resolved');
      if (acknowledged() > before[1]) throw new Error('acknowledged without a broker');
      world.stage.resolve(true);
      world.logStep('name resolution restored');
      await world.recovers('name resolution recovery');
    },
  };
}
