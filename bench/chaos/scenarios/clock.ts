import { rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { noteOffsets, readTopic } from '../../../testing/topic.ts';
import { until } from '../../../testing/wait.ts';
import type { Scenario } from '../scenario.ts';
import type { World } from '../world.ts';

const LIBRARY = '/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1';
const FILE = join(tmpdir(), `forebay-clock-${process.pid}`);
const HOUR_S = 3_600;
const SECONDS = 10;
const TOLERANCE_S = 60;

export const clock: Scenario = {
  name: 'clock',
  summary: 'the gateway’s clock moved forward by an hour, to an hour behind, and back',
  minutes: 1,
  setup: {
    env: {
      LD_PRELOAD: LIBRARY,
      FAKETIME_TIMESTAMP_FILE: FILE,
      FAKETIME_CACHE_DURATION: '1',
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
    },
    needs: [LIBRARY],
  },
  prepare: () => move(0),
  async run(world) {
    world.after(() => rmSync(FILE, { force: true }));
    for (const seconds of [HOUR_S, -HOUR_S, 0]) {
      move(seconds);
      world.logStep(`clock offset ${seconds} s`);
      await until(async () => near(await aheadSeconds(world), seconds), {
        everyMs: 500,
        what: `records that are ${seconds} s ahead`,
      });
      await world.recovers('clock jump');
      await sleep(SECONDS * 1_000);
      await world.recovers('10 s with that clock');
    }
  },
};

function move(seconds: number): void {
  writeFileSync(FILE, `${seconds < 0 ? '' : '+'}${seconds}\n`);
}

function near(ahead: number, seconds: number): boolean {
  return Math.abs(ahead - seconds) < TOLERANCE_S;
}

/** Returns the offset of the newest records' timestamps. */
async function aheadSeconds({ stage: { cluster, topic } }: World): Promise<number> {
  const place = { brokers: cluster.brokers, topic };
  const fromOffsets = await noteOffsets(place);
  await sleep(200);
  const records = await readTopic({ ...place, fromOffsets });
  return (Math.max(...records.map(({ timestamp }) => timestamp)) - Date.now()) / 1000;
}
