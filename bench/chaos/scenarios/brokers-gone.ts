import { setTimeout as sleep } from 'node:timers/promises';
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
      const goneMs = performance.now();
      await sleep(seconds * 1_000);
      // An HTTP body stored in part before is answered late: it counts what was sent since.
      const { acknowledgedMs, sentMs } = world.traffic.ledger;
      const wrong = [...acknowledgedMs.keys()].filter((name) => sentMs.get(name)! > goneMs);
      if (wrong.length > 0)
        throw new Error(`acknowledged without a broker: ${wrong.length} events`);
      world.did('all brokers started');
      await Promise.all(nodes.map((node) => cluster.restart(node)));
      world.did('all brokers answer');
      await world.recovers('the brokers’ return');
      await world.untilInSync();
    },
  };
}
