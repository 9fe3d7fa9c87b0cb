import { setTimeout as sleep } from 'node:timers/promises';
import { killBroker } from '../faults.ts';
import type { Scenario } from '../scenario.ts';

export function brokersGone(seconds = 60): Scenario {
  return {
    name: 'brokers-gone',
    summary: `all brokers killed at once and restarted after ${seconds} s`,
    minutes: 2,
    async run(world) {
      const { cluster } = world.stage;
      const nodes = [0, 1, 2];
      await world.inject(() => Promise.all(nodes.map((node) => killBroker(world, node))));
      world.logStep('all brokers killed');
      const goneMs = performance.now();
      await sleep(seconds * 1_000);
      // A body stored in part before is answered late: only events sent since then count.
      const { acknowledgedMs, sentMs } = world.traffic.ledger;
      const wrong = [...acknowledgedMs.keys()].filter((name) => sentMs.get(name)! > goneMs);
      if (wrong.length > 0)
        throw new Error(`acknowledged without a broker: ${wrong.length} events`);
      world.logStep('all brokers started');
      await Promise.all(nodes.map((node) => cluster.restart(node)));
      world.logStep('all brokers running');
      await world.recovers('broker recovery');
      await world.untilInSync();
    },
  };
}
