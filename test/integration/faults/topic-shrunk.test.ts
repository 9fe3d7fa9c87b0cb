/** A topic that is repeatedly deleted and recreated with another number of partitions. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { arrayOf, good } from '../../../testing/events.ts';
import { partitionsOf } from '../../../testing/failover.ts';
import { FrameClient } from '../../../testing/frame-client.ts';
import { type Gateway, startGateway } from '../../../testing/gateway.ts';
import { sharedKafka, uniqueTopic } from '../../../testing/kafka.ts';
import { PlainClient } from '../../../testing/plain-client.ts';
import { post } from '../../../testing/stage.ts';
import {
  createTopic,
  deleteTopic,
  readTopic,
  recreateTopic,
  type TopicPlace,
} from '../../../testing/topic.ts';
import { until } from '../../../testing/wait.ts';
import { logged } from '../../../testing/watch.ts';
import { useAnyObjectSchema } from '../../support/use-stage.ts';

/** Far below the event timeout, and below the time of any stuck event. */
const ANSWERED_MS_MAX = 20_000;
const KEYS = Array.from({ length: 24 }, (_, index) => `key ${index}`);
/** `clientId` is the key; events without one go to any partition. */
const keyed = (name: string, key: string) => good(`${name} ${key}`, { clientId: key });
const keyless = (name: string, key: string) => good(`${name} ${key}`, { clientId: null });

const { brokers } = await sharedKafka();
const schema = { FOREBAY_EVENT_SCHEMA: useAnyObjectSchema() };

/** Clients of each kind. */
class Clients {
  readonly #gateway: Gateway;
  readonly #frames: FrameClient;
  readonly #plain: PlainClient;

  private constructor(gateway: Gateway, frames: FrameClient, plain: PlainClient) {
    this.#gateway = gateway;
    this.#frames = frames;
    this.#plain = plain;
  }

  static async open(t: TestContext, gateway: Gateway): Promise<Clients> {
    const frames = await FrameClient.open(gateway.wsUrl);
    const plain = await new PlainClient({ url: gateway.wsUrl }).open();
    t.after(() => Promise.all([frames.close(), plain.close()]));
    return new Clients(gateway, frames, plain);
  }

  /**
   * Sends events of 24 keys by each client, with and without a key. Events with `timeout`, which may
   * be in the former topic, are resent without waiting for the result.
   * @returns ids that are or will be stored; those of plain clients only with `all`
   */
  async send(name: string, all = true): Promise<string[]> {
    const startedMs = performance.now();
    const frames = this.#frames;
    const texts = KEYS.flatMap((key) => [
      keyed(`${name} ws`, key),
      keyless(`${name} ws keyless`, key),
    ]);
    const numbers: number[] = [];
    for (const text of texts) numbers.push(await frames.sendWithin(text));
    for (const key of KEYS) this.#plain.socket.send(keyed(`${name} plain`, key));
    await this.#post(
      KEYS.flatMap((key) => [keyed(`${name} http`, key), keyless(`${name} http keyless`, key)]),
    );
    for (const [index, number] of numbers.entries()) {
      const [error] = await frames.fate(number);
      if (error === undefined) continue;
      assert.equal(error.code, 'timeout', name);
      assert.deepEqual(await frames.exchange(texts[index]!), [], name);
    }
    const tookMs = performance.now() - startedMs;
    assert(tookMs < ANSWERED_MS_MAX, `${tookMs} ms`);
    const ways = ['ws', 'ws keyless', 'http', 'http keyless', ...(all ? ['plain'] : [])];
    return ways.flatMap((way) => KEYS.map((key) => `${name} ${way} ${key}`));
  }

  async #post(texts: readonly string[]): Promise<void> {
    const { body } = await post({ gateway: this.#gateway }, arrayOf(texts));
    const errors = body.errors ?? [];
    assert(
      errors.every(({ code }) => code === 'timeout'),
      JSON.stringify(errors),
    );
    const ranges = errors.flatMap(({ events = [] }) => events);
    const again = texts.filter((_, index) =>
      ranges.some(([from, to]) => from <= index && index <= to),
    );
    assert.equal(body.accepted, texts.length - again.length);
    if (again.length > 0) await this.#post(again);
  }

  get violations(): readonly string[] {
    return this.#frames.violations;
  }
}

/** Waits until all of `wanted` are in the topic. @returns its ids */
async function untilStored(place: TopicPlace, wanted: readonly string[]): Promise<void> {
  let found: string[] = [];
  await until(
    async () => {
      const records = await readTopic(place);
      found = records.map(({ value }) => (JSON.parse(String(value)) as { id: string }).id);
      return wanted.every((id) => found.includes(id));
    },
    { everyMs: 100, what: () => `events; missing: ${wanted.filter((id) => !found.includes(id))}` },
  );
  assert.equal(new Set(found).size, found.length, 'each event is stored once');
}

async function settled(gateway: Gateway): Promise<void> {
  const sum = (await gateway.metrics()).value('forebay_events_unaccounted');
  assert.equal(sum, 0);
  assert.equal((await fetch(`${gateway.adminUrl}/readyz`)).status, 200);
  assert.equal((await gateway.stop()).code, 0);
}

test('recreated externally with 3, 1, 7 and 12 partitions: every event of each client is stored', async (t) => {
  const topic = uniqueTopic();
  const place = { brokers, topic };
  await createTopic(place, { numPartitions: 12 });
  const env = { ...schema, FOREBAY_WORKERS: '2', KAFKA_CREATE_TOPIC: '0' };
  const gateway = await startGateway({ ...place, env });
  t.after(() => gateway.kill());
  const clients = await Clients.open(t, gateway);
  await untilStored(place, await clients.send('12 at first'));
  for (const partitions of [3, 1, 7, 12]) {
    await recreateTopic(place, partitions);
    await untilStored(place, await clients.send(`${partitions}`, false));
    await untilStored(place, await clients.send(`${partitions} again`));
  }
  assert(logged(gateway, 'topic recreated').length > 0);
  assert.deepEqual(clients.violations, []);
  await settled(gateway);
});

test('recreated by the gateway with fewer partitions: every event of each client is stored', async (t) => {
  const topic = uniqueTopic();
  const place = { brokers, topic };
  await createTopic(place, { numPartitions: 12 });
  const env = { ...schema, FOREBAY_WORKERS: '2', KAFKA_TOPIC_PARTITIONS: '3' };
  const gateway = await startGateway({ ...place, env });
  t.after(() => gateway.kill());
  const clients = await Clients.open(t, gateway);
  await untilStored(place, await clients.send('12'));
  for (const round of ['first', 'second']) {
    await deleteTopic(place);
    await untilStored(place, await clients.send(round, false));
    await untilStored(place, await clients.send(`${round} again`));
  }
  assert(logged(gateway, 'topic created').length >= 2);
  assert.equal((await partitionsOf(brokers, topic)).length, 3);
  await settled(gateway);
});

test('max.message.bytes of the new topic is read again', async (t) => {
  const topic = uniqueTopic();
  const place = { brokers, topic };
  const limit = (bytes: number) => [{ name: 'max.message.bytes', value: `${bytes}` }];
  await createTopic(place, { numPartitions: 3, configEntries: limit(2_000) });
  const gateway = await startGateway({ ...place, env: { KAFKA_CREATE_TOPIC: '0' } });
  t.after(() => gateway.kill());
  const client = await FrameClient.open(gateway.wsUrl);
  t.after(() => client.close());
  const long = (id: string) => good(id, { msg: 'x'.repeat(4_000) });
  const codeOf = async (id: string) => (await client.exchange(long(id)))[0]?.code;
  assert.equal(await codeOf('before'), 'too_large');
  await deleteTopic(place);
  await createTopic(place, { numPartitions: 3 });
  await until(async () => (await codeOf(`${performance.now()}`)) === undefined, {
    what: 'the new limit',
  });
  await settled(gateway);
});
