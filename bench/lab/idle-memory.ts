/** Memory of connections that send nothing. */
import { setTimeout as sleep } from 'node:timers/promises';
import { openFilesMax } from '../../src/config/fd-limits.ts';
import type { GatewaySpec, Lab } from './lab.ts';
import { kernelSocketBytes, residentBytesOf } from './memory.ts';

const CONNECTIONS_WANTED = 10_000;
/** Open files of a process other than its connections, with a margin. */
const OTHER_FILES = 200;
/** Number of connections of a run: 10,000, or fewer if the limit of open files requires it. */
export const IDLE_CONNECTIONS = Math.min(CONNECTIONS_WANTED, openFilesMax() - OTHER_FILES);
/** Wait until memory for start and connecting is released, and metrics are updated. */
const CALM_MS = 2_000;

/** One gateway, before and after its connections were opened. */
export interface IdleMemory {
  readonly startToReadyMs: number;
  /** Memory of the worker without connections. */
  readonly emptyBytes: number;
  /** Memory of the worker and of the kernel, per connection. */
  readonly userBytes: number;
  readonly kernelBytes: number;
}

const SHAPE = {
  run: 'idle',
  connections: IDLE_CONNECTIONS,
  eventsPerSecond: 0,
  eventsPerFrame: 1,
  framesPerPacket: 1,
  eventBytes: 140,
};

/** Returns the description of the measurement for a setup. */
export function idleSetup(): string {
  const [count, files] = [IDLE_CONNECTIONS, openFilesMax()].map((n) => n.toLocaleString('en-US'));
  return (
    `${count} idle forebay.v1 connections (${files} open files allowed), ` +
    'to a new gateway in each round: growth of the worker’s resident memory, and of the ' +
    'kernel’s slabs, which hold the sockets of the gateway and of the load client.'
  );
}

/**
 * Opens connections to a new gateway: one that had connections before would reuse their memory. A
 * connection that is not open is a violation.
 */
export async function idleMemory(lab: Lab, spec: GatewaySpec = {}): Promise<IdleMemory> {
  const target = await lab.gateway(spec);
  const { port, gateway } = target;
  const [worker] = gateway.workers();
  const sample = () => ({ user: residentBytesOf(worker!), kernel: kernelSocketBytes() });
  await sleep(CALM_MS);
  const before = sample();
  await lab.client.open({ ...SHAPE, port });
  await sleep(CALM_MS);
  const after = sample();
  const open = (await gateway.metrics()).value('forebay_connections', { transport: 'ws' });
  await lab.client.closeConnections();
  if (open !== IDLE_CONNECTIONS) {
    lab.problem(target, `${open} of ${IDLE_CONNECTIONS} connections open`);
  }
  const { startToReadyMs } = gateway;
  const userBytes = (after.user - before.user) / IDLE_CONNECTIONS;
  const kernelBytes = (after.kernel - before.kernel) / IDLE_CONNECTIONS;
  const [user, kernel] = [userBytes, kernelBytes].map(Math.round);
  lab.bench.log(
    `${target.name}: ${user} bytes of the worker, ${kernel} of the kernel; ` +
      `ready in ${startToReadyMs.toFixed(0)} ms`,
  );
  return { startToReadyMs, emptyBytes: before.user, userBytes, kernelBytes };
}
