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
import { startGateway } from '../../testing/gateway.ts';
import { missingTool } from '../../testing/tools.ts';
import { createTopic } from '../../testing/topic.ts';

const dir = mkdtempSync(join(tmpdir(), 'forebay-service-'));
/** On a port of its own in place of 9092. */
const [port = 0] = await freePorts(1);
const place = { stateFile: join(dir, 'state.json'), dataDir: join(dir, 'data'), port };
const said: string[] = [];
const say = (line: string) => said.push(line);

after(async () => {
  await down(place);
  rmSync(dir, { recursive: true, force: true });
});

async function topicsOf(state: State): Promise<string[]> {
  await createTopic({ brokers: state.brokers, topic: 'kept' }, { numPartitions: 1 });
  const admin = new Kafka({ brokers: state.brokers, logLevel: logLevel.NOTHING }).admin();
  await admin.connect();
  try {
    return await admin.listTopics();
  } finally {
    await admin.disconnect();
  }
}

function portOf({ brokers }: State): number {
  return Number(brokers[0]!.split(':')[1]);
}

/** Another program on that port; ended by the returned function. */
async function block(taken: number): Promise<() => Promise<unknown>> {
  const blocker = createServer().listen(taken, '127.0.0.1');
  await once(blocker, 'listening');
  return () => {
    blocker.close();
    return once(blocker, 'close');
  };
}

/** Kills it like a crash; the state file still names it, its id possibly reused. */
async function crash(state: State): Promise<void> {
  process.kill(state.pids[0]!, 'SIGKILL');
  while (isAlive(state.pids[0]!)) await sleep(20);
  const stale = JSON.parse(readFileSync(place.stateFile, 'utf8')) as State;
  writeFileSync(place.stateFile, JSON.stringify({ ...stale, pids: [process.pid] }));
  assert.equal(runningBrokers(place), undefined);
}

async function stop(state: State): Promise<void> {
  assert.equal(await down(place), true);
  // It has exited; its parent may not have reaped it yet.
  while (isAlive(state.pids[0]!)) await sleep(20);
}

async function post(url: string): Promise<string> {
  const body = '{"msg":"a","clientId":"b","timestamp":1}';
  const headers = { 'content-type': 'application/json' };
  const response = await fetch(`${url}/events`, { method: 'POST', headers, body });
  return response.text();
}

test('up starts once, finds it again, and restarts on its data and its port', {
  skip: missingTool('java'),
}, async (t) => {
  writeFileSync(`${place.dataDir}.port`, '99999, which is no port');
  const unblock = await block(port);
  const [first, second] = await Promise.all([up(place, say), up(place, say)]);
  await unblock();
  const moved = portOf(first);
  assert.deepEqual(first, second);
  assert.notEqual(moved, port);
  assert.deepEqual(runningBrokers(place), first.brokers);
  assert.deepEqual(await topicsOf(first), ['kept']);
  assert(said.includes(`port ${port} is in use by another program: Kafka uses ${moved}`));
  assert.deepEqual(
    said.filter((line) => line.includes('restart')),
    [],
    'no gateway had another',
  );

  await t.test('for its current port it is reused; for another one, an error', async () => {
    assert.deepEqual(await up(place, say, moved), first);
    await assert.rejects(
      up(place, say, port),
      new Error(`Kafka is already running at 127.0.0.1:${moved}: make kafka-stop first`),
    );
  });

  const gateway = await startGateway({ brokers: first.brokers, topic: 'kept' });
  t.after(() => gateway.kill());
  await stop(first);
  assert.equal(existsSync(place.stateFile), false);
  assert.equal(await down(place), false);
  const third = await up(place, say);
  assert.equal(
    portOf(third),
    moved,
    'the preferred port is free again, and gateways know this one',
  );
  assert(said.includes(`Kafka keeps port ${moved}; to move it: make kafka ARGS="--port ${port}"`));
  assert.deepEqual(await topicsOf(third), ['kept']);
  assert.match(await post(gateway.httpUrl), /"accepted":1/, 'a gateway that ran on has found it');
  await gateway.stop();

  await crash(third);
  const unblockMoved = await block(moved);
  await assert.rejects(
    up(place, say, moved),
    new RegExp(`^Error: port ${moved} is in use by another program; .*KAFKA_BROKERS=`),
  );
  said.length = 0;
  const fourth = await up(place, say);
  await unblockMoved();
  assert.equal(portOf(fourth), port);
  assert.deepEqual(said, [
    `port ${moved} is in use by another program: Kafka uses ${port}`,
    `restart gateways that still connect to port ${moved}`,
    `if that program is a Kafka to use instead: KAFKA_BROKERS=127.0.0.1:${moved}`,
  ]);
  assert.deepEqual(await topicsOf(fourth), ['kept']);

  await stop(fourth);
  const fifth = await up(place, say, moved);
  assert.equal(portOf(fifth), moved, 'asked for a free one, it moves there');
  await stop(fifth);
});

test('an invalid state file counts as none', async () => {
  for (const text of ['', '{', 'null', '{}', '[]', '{"kind":"java","brokers":["127.0.0.1:1"]}']) {
    writeFileSync(place.stateFile, text);
    assert.equal(runningBrokers(place), undefined, text);
    assert.equal(await down(place), false, text);
  }
});

test('down does not stop a process that is not this Kafka', async () => {
  const state: State = { kind: 'java', pids: [process.ppid], brokers: [], dir: place.dataDir };
  writeFileSync(place.stateFile, JSON.stringify(state));
  assert.equal(await down(place), false);
  assert.equal(isAlive(process.ppid), true);
});
