/** FOREBAY_KEY_FIELD: key and partition of each event, on each path. */
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { encode } from '@msgpack/msgpack';
import { Partitioners } from 'kafkajs';
import { arrayOf } from '../../testing/events.ts';
import { FrameClient } from '../../testing/frame-client.ts';
import { metricsAtRest, openStage, post, type Stage } from '../../testing/stage.ts';
import { until } from '../../testing/wait.ts';

const PARTITIONS = 5;
const LINES = 'application/x-ndjson';
/** Longer than bodies that are decoded at once. */
const PADDING = ' '.repeat(20_000);
const oracle = Partitioners.DefaultPartitioner();

/** Partition chosen by Kafka's clients. */
function partitionOf(key: string): number {
  const partitionMetadata = Array.from({ length: PARTITIONS }, (_, partitionId) => ({
    partitionId,
    leader: 1,
    partitionErrorCode: 0,
    replicas: [1],
    isr: [1],
  }));
  return oracle({ topic: 't', partitionMetadata, message: { key, value: null } });
}

async function stageWith(
  t: TestContext,
  keyField: string,
  schema?: object,
  more = {},
): Promise<Stage> {
  const env: Record<string, string> = { FOREBAY_KEY_FIELD: keyField, ...more };
  if (schema !== undefined) {
    const folder = await mkdtemp(join(tmpdir(), 'forebay-keys-'));
    t.after(() => rm(folder, { recursive: true }));
    env.FOREBAY_EVENT_SCHEMA = join(folder, 'schema.json');
    await writeFile(env.FOREBAY_EVENT_SCHEMA, JSON.stringify(schema));
  }
  const stage = await openStage({ partitions: PARTITIONS, env });
  t.after(() => stage.gateway.stop());
  return stage;
}

/** Sends events on each path of text. @returns the number of sends of each */
async function sendAll(stage: Stage, events: readonly string[]): Promise<number> {
  const client = await FrameClient.open(stage.gateway.wsUrl);
  for (const event of events) assert.deepEqual(await client.exchange(event), [], event);
  assert.deepEqual(await client.exchange(arrayOf(events)), []);
  assert.deepEqual(await client.exchange(events.join('\n')), []);
  await client.close();
  const bodies: [string, string][] = [
    [arrayOf(events), 'application/json'],
    [`${arrayOf(events)}${PADDING}`, 'application/json'],
    [events.join('\n'), LINES],
    [`${events.join('\n')}\n${PADDING}`, LINES],
  ];
  for (const [body, type] of bodies) {
    const { status, body: answer } = await post(stage, body, type);
    assert.deepEqual([status, answer.accepted], [200, events.length], JSON.stringify(answer));
  }
  return 3 + bodies.length;
}

/** Asserts the key of each event ('' = empty key, undefined = no key) and its partition. */
async function assertKeys(
  stage: Stage,
  expected: ReadonlyMap<string, string | undefined>,
  times: number,
): Promise<void> {
  const counts = new Map<string, number>();
  for (const { key, value, partition } of await stage.newRecords()) {
    const text = String(value);
    counts.set(text, (counts.get(text) ?? 0) + 1);
    const wanted = expected.get(text);
    assert.equal(key === null ? undefined : String(key), wanted, text);
    if (wanted !== undefined && wanted !== '') assert.equal(partition, partitionOf(wanted), text);
  }
  for (const text of expected.keys()) assert.equal(counts.get(text), times, text);
  const keyless = [...expected.values()].filter((key) => key === undefined).length;
  const { gateway } = stage;
  const metrics = await metricsAtRest(gateway);
  assert.equal(metrics.value('forebay_events_without_key_total'), keyless * times);
  assert.equal(metrics.value('forebay_events_stored_total'), expected.size * times);
}

/** Log lines about events without a key. */
function reasonsIn({ gateway }: Stage): string[] {
  return gateway.log
    .filter(({ msg }) => msg === 'event has no key')
    .map(({ level, field, reason }) => `${level} ${field} ${reason}`)
    .sort();
}

test('custom schema: strings, numbers and booleans are keys, equal numbers have one key', async (t) => {
  const stage = await stageWith(t, 'id', {});
  const expected = new Map<string, string | undefined>([
    ['{"id":"1"}', '1'],
    ['{"id":1}', '1'],
    ['{"id":1.0}', '1'],
    ['{"id" : 1e0 }', '1'],
    ['{"id":12345678901234567890}', '12345678901234567890'],
    ['{"id":12345678901234567891}', '12345678901234567891'],
    ['{"id":-0}', '0'],
    ['{"id":0.10}', '0.1'],
    ['{"id":true}', 'true'],
    ['{"id":""}', ''],
    ['{"id":"a","id":7}', '7'],
    ['{"id":"a","id":null}', undefined],
    ['{"id":{"id":1}}', undefined],
    ['{"id":[1]}', undefined],
    ['{"user":{"id":1}}', undefined],
  ]);
  const times = await sendAll(stage, [...expected.keys()]);
  await assertKeys(stage, expected, times);
  assert.deepEqual(reasonsIn(stage), [
    'warn id array',
    'warn id missing',
    'warn id null',
    'warn id object',
  ]);
});

const event = (rest: string) => `{"msg":"m","clientId":"c","timestamp":1${rest}}`;

test('built-in schema: a nested field, or a top-level field with dots in its name', async (t) => {
  const stage = await stageWith(t, 'user.id');
  const expected = new Map<string, string | undefined>([
    [event(',"user":{"id":"ключ"}'), 'ключ'],
    [event(',"user":{"name":"x","id":20.0}'), '20'],
    [event(',"us\\u0065r":{"id":30}'), '30'],
    [event(',"user.id":"literal"'), 'literal'],
    [event(',"user.id":40'), '40'],
    [event(',"user":{"id":1},"user.id":50'), '50'],
    [event(',"user":{"id":1},"user":{"id":2}'), '2'],
    [event(',"user":{"id":null}'), undefined],
    [event(',"user":[{"id":1}]'), undefined],
    [event(',"user":"id"'), undefined],
    [event(''), undefined],
  ]);
  const times = await sendAll(stage, [...expected.keys()]);
  await assertKeys(stage, expected, times);
  assert.deepEqual(reasonsIn(stage), [
    'warn user.id array',
    'warn user.id missing',
    'warn user.id null',
  ]);
});

test('a reason is logged once for all workers, also after a rolling restart', async (t) => {
  const stage = await stageWith(t, 'id', undefined, { FOREBAY_WORKERS: '2' });
  const { gateway } = stage;
  const keyless = async () => (await gateway.metrics()).value('forebay_events_without_key_total');
  const rolls = () => gateway.log.filter(({ msg }) => msg === 'rolling restart completed').length;
  let sent = 0;
  const send = async () => {
    // The kernel spreads connections over the workers.
    for (let count = 0; count < 40; count++, sent++) {
      const client = await FrameClient.open(gateway.wsUrl);
      assert.deepEqual(await client.exchange(event('')), []);
      await client.close();
    }
  };
  await send();
  process.kill(gateway.pid, 'SIGHUP');
  await until(() => rolls() === 1, { what: 'the rolling restart' });
  await send();
  await until(async () => (await keyless()) === sent, { what: 'all are counted' });
  assert.deepEqual(reasonsIn(stage), ['warn id missing']);
});

test('built-in schema: a required number is the key', async (t) => {
  const stage = await stageWith(t, 'timestamp');
  const texts = ['1', '1700000000000', '-5', '-0', '1.0', '17e11', '12345678901234567890'];
  const keys = ['1', '1700000000000', '-5', '0', '1', '1700000000000', '12345678901234567890'];
  const expected = new Map(
    texts.map((text, index) => [`{"msg":"m","clientId":"c","timestamp":${text}}`, keys[index]]),
  );
  const times = await sendAll(stage, [...expected.keys()]);
  await assertKeys(stage, expected, times);
  assert.deepEqual(reasonsIn(stage), []);
});

test('MessagePack: the key equals that of the JSON', async (t) => {
  const stage = await stageWith(t, 'user.id');
  const ids = [7, -1, 2 ** 53, 1.5, 1e300, true, 'text'];
  const events = ids.map((id) => ({ msg: 'm', clientId: 'c', timestamp: 1, user: { id } }));
  const expected = new Map(events.map((one) => [JSON.stringify(one), String(one.user.id)]));
  const body = Buffer.from(encode(events));
  const { status, body: answer } = await post(stage, body, 'application/x-msgpack');
  assert.deepEqual([status, answer.accepted], [200, ids.length]);
  await assertKeys(stage, expected, 1);
});
