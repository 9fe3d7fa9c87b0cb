import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Kafka, logLevel } from 'kafkajs';
import { isAlive } from '../../deploy/kafka/jars.ts';
import { freePorts } from '../../deploy/kafka/ports.ts';
import { down, runningBrokers, type State, up } from '../../deploy/kafka/service.ts';
import { missingTool } from '../support/tools.ts';

const dir = mkdtempSync(join(tmpdir(), 'forebay-service-'));
const place = { stateFile: join(dir, 'state.json'), dataDir: join(dir, 'data') };
const said: string[] = [];
const say = (line: string) => said.push(line);

after(async () => {
  await down(place);
  rmSync(dir, { recursive: true, force: true });
});

async function topicsOf(state: State): Promise<string[]> {
  const admin = new Kafka({ brokers: state.brokers, logLevel: logLevel.NOTHING }).admin();
  await admin.connect();
  try {
    await admin.createTopics({ topics: [{ topic: 'kept', numPartitions: 1 }] });
    return await admin.listTopics();
  } finally {
    await admin.disconnect();
  }
}

test('up starts once, finds it again, and starts anew on its data', {
  skip: missingTool('java'),
}, async () => {
  const [port = 0] = await freePorts(1);
  const [first, second] = await Promise.all([up(place, port, say), up(place, port, say)]);
  assert.deepEqual(first, second);
  assert.deepEqual(first.brokers, [`127.0.0.1:${port}`]);
  assert.deepEqual(runningBrokers(place), first.brokers);
  assert.deepEqual(await topicsOf(first), ['kept']);

  // Ended behind the state file's back, its id perhaps given to another process.
  process.kill(first.pids[0]!, 'SIGKILL');
  while (isAlive(first.pids[0]!)) await sleep(20);
  const stale = JSON.parse(readFileSync(place.stateFile, 'utf8')) as State;
  writeFileSync(place.stateFile, JSON.stringify({ ...stale, pids: [process.pid] }));
  assert.equal(runningBrokers(place), undefined);
  const blocker = createServer().listen(port, '127.0.0.1');
  await once(blocker, 'listening');
  const third = await up(place, port, say);
  blocker.close();
  assert.notDeepEqual(third.brokers, first.brokers);
  assert.ok(said.some((line) => line.includes(`port ${port} is taken`)));
  assert.deepEqual(await topicsOf(third), ['kept']);

  assert.equal(await down(place), true);
  // It has ended; who started it may not have asked for its exit code yet.
  while (isAlive(third.pids[0]!)) await sleep(20);
  assert.equal(existsSync(place.stateFile), false);
  assert.equal(await down(place), false);
});

test('down leaves a process alone that is not this Kafka', async () => {
  const state: State = { kind: 'java', pids: [process.ppid], brokers: [], dir: place.dataDir };
  writeFileSync(place.stateFile, JSON.stringify(state));
  assert.equal(await down(place), false);
  assert.equal(isAlive(process.ppid), true);
});
