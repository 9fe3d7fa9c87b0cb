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
      const { acknowledgedMs } = world.traffic.ledger;
      await sleep(1_000);
      const before = acknowledgedMs.size;
      await sleep((seconds - 1) * 1_000);
      if (acknowledgedMs.size > before) throw new Error('acknowledged without a broker');
      world.did('all brokers started');
      await Promise.all(nodes.map((node) => cluster.restart(node)));
      world.did('all brokers answer');
      await world.recovers('the brokers’ return');
      await world.untilInSync();
    },
  };
}
