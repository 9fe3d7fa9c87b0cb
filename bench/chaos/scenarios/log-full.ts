import { readlinkSync } from 'node:fs';
import { until } from '../../../testing/wait.ts';
import { failover, killBroker, killProcess } from '../faults.ts';
import type { Scenario } from '../scenario.ts';

const FULL = '/dev/full';

export const logFull: Scenario = {
  name: 'log-full',
  summary: 'every write to the log fails, as on a full disk, while a broker and a worker fail',
  minutes: 1,
  setup: { workers: 2, wrapper: ['sh', '-c', `exec "$@" > ${FULL}`, 'sh'] },
  async run(world) {
    const { gateway } = world;
    for (const pid of [gateway.pid, ...gateway.workers()]) {
      const log = readlinkSync(`/proc/${pid}/fd/1`);
      if (log !== FULL) throw new Error(`the log of ${pid} goes to ${log}`);
    }
    await failover(world, 0, async () => {
      await killBroker(world, 0);
      world.logStep('broker 1 killed');
    });
    await world.recovers('broker failure');
    await world.stage.cluster.restart(0);
    await world.untilInSync();
    world.mayLosePlain();
    await killProcess(gateway.workers()[0]!);
    world.logStep('a worker killed');
    const ready = async () =>
      (await gateway.metrics()).value('forebay_workers', { state: 'ready' }) === 2;
    await until(() => gateway.workers().length === 2, { what: 'a new worker' });
    await until(ready, { what: 'two ready workers' });
    await world.recovers('worker failure');
    const old = gateway.workers();
    gateway.signal('SIGHUP');
    world.logStep('SIGHUP');
    const rolled = () => gateway.workers().every((pid) => !old.includes(pid));
    await until(() => rolled() && gateway.workers().length === 2, { what: 'a rolling restart' });
    await until(ready, { what: 'both workers ready' });
    await world.recovers('rolling restart');
  },
};
