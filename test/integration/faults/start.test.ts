import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { freePorts } from '../../../deploy/kafka/ports.ts';
import { startGateway } from '../../../testing/gateway.ts';
import { sharedKafka, uniqueTopic } from '../../../testing/kafka.ts';
import { createTopic } from '../../../testing/topic.ts';
import { failedStart } from '../../../testing/watch.ts';

let brokers: readonly string[];
let dir: string;
before(async () => {
  dir = await mkdtemp(join(tmpdir(), 'forebay-start-'));
  ({ brokers } = await sharedKafka());
});
after(() => rm(dir, { recursive: true, force: true }));

test('a wrong schema with several workers: one line, exit code 2', async (t) => {
  const schema = join(dir, 'schema.json');
  await writeFile(schema, '{"type": ');
  const env = { FOREBAY_EVENT_SCHEMA: schema, FOREBAY_WORKERS: '3' };
  const { code, errors, gateway } = await failedStart(t, { brokers, topic: uniqueTopic(), env });
  assert.equal(code, 2);
  assert.equal(errors.length, 1, errors.join('\n'));
  assert.match(errors[0]!, /^forebay: FOREBAY_EVENT_SCHEMA: \S+schema\.json is not valid JSON: /);
  assert.deepEqual(
    gateway.log.filter(({ level }) => level === 'error'),
    [],
  );
});

test('a port in use, by another gateway or another program: one line, exit code 1', async (t) => {
  const place = { brokers, topic: uniqueTopic() };
  const gateway = await startGateway(place);
  t.after(() => gateway.kill());
  const [port, adminPort] = (await freePorts(2)) as [number, number];
  const line = (env: string, busy: number) => [
    `forebay: ${env}: port ${busy} is already in use on 127.0.0.1`,
  ];
  const same = await failedStart(t, { ...place, ports: [gateway.port, adminPort] });
  assert.deepEqual([same.code, same.errors], [1, line('FOREBAY_PORT', gateway.port)]);
  const admin = await failedStart(t, { ...place, ports: [port, gateway.adminPort] });
  assert.deepEqual([admin.code, admin.errors], [1, line('FOREBAY_ADMIN_PORT', gateway.adminPort)]);
  assert.equal((await fetch(`${gateway.httpUrl}/livez`)).status, 200);
  assert.equal((await gateway.stop()).code, 0);
});

const STARTS = 3;
/** The target on an idle machine is 1.0 s; this machine may be busy. */
const START_MS_MAX = 5_000;

test('time from start to ready with Kafka running and the topic present', async (t) => {
  const topic = uniqueTopic();
  await createTopic({ brokers, topic }, { numPartitions: 12 });
  const times: number[] = [];
  for (let i = 0; i < STARTS; i++) {
    const env = { FOREBAY_WORKERS: '2' };
    const gateway = await startGateway({ brokers, topic, env });
    t.after(() => gateway.kill());
    times.push(Math.round(gateway.startToReadyMs));
    assert.equal((await gateway.stop()).code, 0);
  }
  t.diagnostic(`start to ready: ${times.join(', ')} ms`);
  assert(Math.min(...times) < START_MS_MAX);
});
