/** Faults that more than one scenario uses; each is back only when it has happened. */
import { readFileSync } from 'node:fs';
import { isRunning } from '../../testing/child.ts';
import { Failover, partitionsOf } from '../../testing/failover.ts';
import { until } from '../../testing/wait.ts';
import type { World } from './world.ts';

/** One letter: R, S, D, T (stopped), Z. */
export function stateOf(pid: number): string {
  return /\) (\S)/.exec(readFileSync(`/proc/${pid}/stat`, 'utf8'))?.[1] ?? '';
}

/** SIGSTOP. */
export async function suspend(pid: number): Promise<void> {
  process.kill(pid, 'SIGSTOP');
  await until(() => stateOf(pid) === 'T', { what: `process ${pid} to stop` });
}

/** SIGKILL. */
export async function killProcess(pid: number): Promise<void> {
  process.kill(pid, 'SIGKILL');
  await until(() => !isRunning(pid), { what: `the end of process ${pid}` });
}

/** SIGKILL of a broker. */
export async function killBroker({ stage: { cluster } }: World, node: number): Promise<void> {
  const pid = cluster.nodes[node]?.pid;
  if (pid === undefined) throw new Error(`broker ${node + 1} is down`);
  await cluster.kill(node);
  if (isRunning(pid)) throw new Error(`broker ${node + 1} lives on`);
}

/**
 * Does something to a broker, and waits until others lead its partitions and the gateway has felt
 * it. @throws Error when it leads none
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
  if (led.length === 0) throw new Error(`broker ${id} leads nothing`);
  const living = cluster.brokers.filter((_, index) => index !== node);
  const lost = await world.felt(async () => {
    await fault();
    // Made now: what was sent before the fault may have been acknowledged before it.
    const failover = new Failover(led.map(({ partitionId }) => partitionId));
    await failover.untilLed(living, topic, id);
    return failover;
  });
  world.failedOver(lost);
}

/** Waits until each broker leads as many partitions as the others: the cluster sees to it. */
export async function untilBalanced({ stage: { cluster, topic } }: World): Promise<void> {
  const balanced = async () => {
    const partitions = await partitionsOf(cluster.brokers, topic);
    const share = partitions.length / cluster.nodes.length;
    return cluster.nodes.every(
      ({ id }) => partitions.filter(({ leader }) => leader === id).length === share,
    );
  };
  await until(balanced, { deadlineMs: 30_000, everyMs: 200, what: 'leaders in balance' });
}
