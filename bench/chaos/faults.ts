/** Faults used by several scenarios; each returns after the fault has taken effect. */
import { readFileSync } from 'node:fs';
import { isRunning } from '../../testing/child.ts';
import { Failover, partitionsOf } from '../../testing/failover.ts';
import { until } from '../../testing/wait.ts';
import type { World } from './world.ts';

/** Returns the process state: R, S, D, T (stopped) or Z. */
export function stateOf(pid: number): string {
  return /\) (\S)/.exec(readFileSync(`/proc/${pid}/stat`, 'utf8'))?.[1] ?? '';
}

/** Suspends a process with SIGSTOP. */
export async function suspend(pid: number): Promise<void> {
  process.kill(pid, 'SIGSTOP');
  await until(() => stateOf(pid) === 'T', { what: `process ${pid} to stop` });
}

/** Kills a process with SIGKILL. */
export async function killProcess(pid: number): Promise<void> {
  process.kill(pid, 'SIGKILL');
  await until(() => !isRunning(pid), { what: `the end of process ${pid}` });
}

/** Kills a broker with SIGKILL. */
export async function killBroker({ stage: { cluster } }: World, node: number): Promise<void> {
  const pid = cluster.nodes[node]?.pid;
  if (pid === undefined) throw new Error(`broker ${node + 1} is down`);
  await cluster.kill(node);
  if (isRunning(pid)) throw new Error(`broker ${node + 1} is still running`);
}

/**
 * Injects a broker fault, and waits until other brokers lead its partitions and the gateway has
 * counted produce errors. @throws Error if the broker leads no partition
 */
export async function failover(
  world: World,
  node: number,
  fault: () => Promise<void>,
): Promise<void> {
  const { cluster, topic } = world.stage;
  const id = node + 1;
  const partitions = await partitionsOf(cluster.brokers, topic);
  const led = partitions.filter(({ leader }) => leader === id);
  if (led.length === 0) throw new Error(`broker ${id} leads no partition`);
  const living = cluster.brokers.filter((_, index) => index !== node);
  const lost = await world.inject(async () => {
    await fault();
    // Created after the fault: events sent before may have been acknowledged before.
    const failover = new Failover(led.map(({ partitionId }) => partitionId));
    await failover.untilLed(living, topic, id);
    return failover;
  });
  world.failedOver(lost);
}

/** Waits until all brokers lead equally many partitions, which the cluster restores itself. */
export async function untilBalanced({ stage: { cluster, topic } }: World): Promise<void> {
  const balanced = async () => {
    const partitions = await partitionsOf(cluster.brokers, topic);
    const share = partitions.length / cluster.nodes.length;
    return cluster.nodes.every(
      ({ id }) => partitions.filter(({ leader }) => leader === id).length === share,
    );
  };
  await until(balanced, { deadlineMs: 30_000, everyMs: 200, what: 'balanced leaders' });
}
