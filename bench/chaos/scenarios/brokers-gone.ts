import { setTimeout as sleep } from 'node:timers/promises';
import { until } from '../../../test/support/wait.ts';
import { killBroker } from '../faults.ts';
import type { Scenario } from '../scenario.ts';

export function brokersGone(seconds = 60): Scenario {
  return {
    name: 'brokers-gone',
    summary: `all brokers killed at once, and back after ${seconds} s`,
    minutes: 2,
    async run(world) {
      const { cluster } = world.stage;
      const nodes = [0, 1, 2];
      await world.felt(() => Promise.all(nodes.map((node) => killBroker(world, node))));
      world.did('all brokers killed');
      const { acknowledgedMs } = world.traffic.ledger;
      const before = await lastHeard(() => acknowledgedMs.size);
      await sleep(seconds * 1_000);
      if (acknowledgedMs.size > before) throw new Error('acknowledged without a broker');
      world.did('all brokers started');
      await Promise.all(nodes.map((node) => cluster.restart(node)));
      world.did('all brokers answer');
      await world.recovers('the brokers’ return');
      await world.untilInSync();
    },
  };
}

/** What was acknowledged before may be heard later: waits until nothing new has come for 2 s. */
async function lastHeard(heard: () => number): Promise<number> {
  let [last, sinceMs] = [heard(), performance.now()];
  const quiet = () => {
    if (heard() > last) [last, sinceMs] = [heard(), performance.now()];
    return performance.now() - sinceMs > 2_000;
  };
  await until(quiet, { deadlineMs: 20_000, what: 'the last acknowledgement' });
  return last;
}
