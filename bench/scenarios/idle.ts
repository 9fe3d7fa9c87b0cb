/** Memory of an idle connection, and duration of a start. */
import { setTimeout as sleep } from 'node:timers/promises';
import { openFilesMax } from '../../src/config/fd-limits.ts';
import { MIB } from '../../src/config/limits.ts';
import { Lab } from '../lab/lab.ts';
import { kernelSocketBytes, residentBytesOf } from '../lab/memory.ts';
import type { Figure } from '../result.ts';
import type { Scenario } from '../scenario.ts';

const CONNECTIONS_WANTED = 10_000;
/** Open files of a process other than its connections, with a margin. */
const OTHER_FILES = 200;
const CONNECTIONS = Math.min(CONNECTIONS_WANTED, openFilesMax() - OTHER_FILES);
/** Wait until memory for start and connecting is released, and metrics are updated. */
const CALM_MS = 2_000;
const CONNECTION_GOAL = { most: 4 * 1024 };
const START_GOAL = { most: 1_000 };

interface Round {
  readonly startToReadyMs: number;
  /** Memory of the worker without connections. */
  readonly emptyBytes: number;
  /** Memory of the worker and of the kernel, per connection. */
  readonly userBytes: number;
  readonly kernelBytes: number;
  /** Number of connections that the gateway reports. */
  readonly open: number;
}

export const idle: Scenario = {
  name: 'idle',
  summary: '10,000 idle connections: memory per connection, start time',
  minutes: 1,
  run: (bench) =>
    Lab.with(bench, async (lab) => {
      const rounds: Round[] = [];
      for (let round = 0; round < bench.rounds; round++) {
        const found = await roundOf(lab);
        rounds.push(found);
        const [user, kernel] = [found.userBytes, found.kernelBytes].map(Math.round);
        const start = found.startToReadyMs.toFixed(0);
        bench.log(`${user} bytes of the worker, ${kernel} of the kernel; ready in ${start} ms`);
      }
      const figures = [...figuresOf(rounds), ...lab.memory()];
      const [count, files] = [CONNECTIONS, openFilesMax()].map((n) => n.toLocaleString('en-US'));
      const setup =
        `${count} idle forebay.v1 connections (${files} open files allowed), ` +
        'to a new gateway in each round: growth of the worker’s resident memory, and of the ' +
        'kernel’s slabs, which hold the sockets of the gateway and of the load client. Start to ' +
        'ready: from process start to the first 200 from /readyz, including topic creation, with ' +
        'Kafka running.';
      const missing = rounds.filter(({ open }) => open !== CONNECTIONS);
      const problems = missing.map(({ open }) => `${open} of ${CONNECTIONS} connections open`);
      return { setup, figures, problems: [...lab.problems, ...problems] };
    }),
};

/** Uses a new gateway: one that had connections before would reuse their memory. */
async function roundOf(lab: Lab): Promise<Round> {
  const { port, gateway } = await lab.gateway();
  const [worker] = gateway.workers();
  const sample = () => ({ user: residentBytesOf(worker!), kernel: kernelSocketBytes() });
  await sleep(CALM_MS);
  const before = sample();
  await lab.client.open({ ...NOTHING, port });
  await sleep(CALM_MS);
  const after = sample();
  const open = (await gateway.metrics()).value('forebay_connections', { transport: 'ws' });
  await lab.client.closeConnections();
  return {
    startToReadyMs: gateway.startToReadyMs,
    emptyBytes: before.user,
    userBytes: (after.user - before.user) / CONNECTIONS,
    kernelBytes: (after.kernel - before.kernel) / CONNECTIONS,
    open,
  };
}

function figuresOf(rounds: readonly Round[]): Figure[] {
  const of = (which: keyof Round) => rounds.map((round) => round[which]);
  return [
    {
      name: 'worker, per connection',
      unit: 'bytes',
      values: of('userBytes'),
      goal: CONNECTION_GOAL,
    },
    { name: 'kernel, both ends, per connection', unit: 'bytes', values: of('kernelBytes') },
    { name: 'start to ready', unit: 'ms', values: of('startToReadyMs'), goal: START_GOAL },
    {
      name: 'worker without connections',
      unit: 'MiB',
      values: of('emptyBytes').map((n) => n / MIB),
    },
  ];
}

const NOTHING = {
  run: 'idle',
  connections: CONNECTIONS,
  eventsPerSecond: 0,
  eventsPerFrame: 1,
  framesPerPacket: 1,
  eventBytes: 140,
};
