/** What an idle connection takes of memory. */
import { setTimeout as sleep } from 'node:timers/promises';
import { openFilesMax } from '../../src/open-files.ts';
import { Lab } from '../lab/lab.ts';
import { kernelSocketBytes, residentBytesOf } from '../lab/memory.ts';
import type { Figure } from '../result.ts';
import type { Scenario } from '../scenario.ts';

const CONNECTIONS_WANTED = 10_000;
/** Files that a process has open beside its connections, with room. */
const OTHER_FILES = 200;
const CONNECTIONS = Math.min(CONNECTIONS_WANTED, openFilesMax() - OTHER_FILES);
/** Until what was needed to connect is given back, and numbers have settled. */
const CALM_MS = 3_000;
const GOAL_BYTES = 4 * 1024;
const START_GOAL = { most: 1_000 };

export const idle: Scenario = {
  name: 'idle',
  summary: '10,000 idle connections: memory of each; time to start',
  minutes: 1,
  run: (bench) =>
    Lab.with(bench, async (lab) => {
      const { port, gateway } = await lab.gateway({ cold: true });
      const [worker] = gateway.workers();
      await sleep(CALM_MS);
      const before = { user: residentBytesOf(worker!), kernel: kernelSocketBytes() };
      await lab.client.open({ ...NOTHING, port });
      await sleep(CALM_MS);
      const after = { user: residentBytesOf(worker!), kernel: kernelSocketBytes() };
      const open = (await gateway.metrics()).value('forebay_connections');
      const problems =
        open === CONNECTIONS ? [] : [`${open} of ${CONNECTIONS} connections are open`];
      const each = (which: 'user' | 'kernel') => [(after[which] - before[which]) / CONNECTIONS];
      const figures: Figure[] = [
        {
          name: 'worker, per connection',
          unit: 'bytes',
          values: each('user'),
          goal: { most: GOAL_BYTES },
        },
        { name: 'kernel, both ends, per connection', unit: 'bytes', values: each('kernel') },
        {
          name: 'start to ready',
          unit: 'ms',
          values: [gateway.startToReadyMs],
          goal: START_GOAL,
        },
        { name: 'worker without connections', unit: 'MiB', values: [before.user / 2 ** 20] },
      ];
      const [count, files] = [CONNECTIONS, openFilesMax()].map((n) => n.toLocaleString('en-US'));
      const setup =
        `${count} connections of forebay.v1 that send nothing (${files} open files are allowed): ` +
        'resident memory of the worker over that without them, and the growth of the kernel’s ' +
        'slabs, which hold the sockets of the gateway and of the load client.';
      return { setup, figures, problems: [...lab.problems, ...problems] };
    }),
};

const NOTHING = {
  run: 'idle',
  connections: CONNECTIONS,
  eventsPerSecond: 0,
  eventsPerFrame: 1,
  framesPerPacket: 1,
  eventBytes: 140,
};
