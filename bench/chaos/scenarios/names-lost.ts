import { setTimeout as sleep } from 'node:timers/promises';
import { until } from '../../../testing/wait.ts';
import type { Scenario } from '../scenario.ts';

const NAMES = ['broker-1.forebay.test', 'broker-2.forebay.test', 'broker-3.forebay.test'];

export function namesLost(seconds = 30): Scenario {
  return {
    name: 'names-lost',
    summary: `the brokers’ names do not resolve for ${seconds} s, and all connections are reset`,
    minutes: 1,
    setup: { names: NAMES },
    async run(world) {
      const { proxies } = world.stage;
      await world.felt(async () => {
        world.stage.resolve(false);
        for (const proxy of proxies) proxy.resetAll();
        world.did('the names do not resolve; all connections are reset');
      });
      const backAt = performance.now() + seconds * 1_000;
      const made = () => proxies.reduce((sum, { counts }) => sum + counts.connections, 0);
      // A body of which a part was stored before is answered at its time-out: not those.
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
      await until(quiet, { what: 'the end of what was on its way when the names were lost' });
      await sleep(backAt - performance.now());
      if (made() > before[0]) throw new Error('a name was resolved all the same');
      if (acknowledged() > before[1]) throw new Error('acknowledged without a broker');
      world.stage.resolve(true);
      world.did('the names resolve');
      await world.recovers('the return of the names');
    },
  };
}
