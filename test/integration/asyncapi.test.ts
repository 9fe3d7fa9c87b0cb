/** docs/asyncapi.yaml matches the gateway: examples are sent, replies are validated. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { encode } from '@msgpack/msgpack';
import { Ajv } from 'ajv';
import { freePorts } from '../../deploy/kafka/ports.ts';
import { good } from '../../testing/events.ts';
import { FrameClient, type Payload } from '../../testing/frame-client.ts';
import { type Gateway, startGateway } from '../../testing/gateway.ts';
import { uniqueTopic } from '../../testing/kafka.ts';
import { PlainClient } from '../../testing/plain-client.ts';
import type { Closed } from '../../testing/socket.ts';
import { until } from '../../testing/wait.ts';
import { expected } from '../fixtures/transport-differences.ts';
import { judge, openSpec } from '../support/specs.ts';
import { useStage } from '../support/use-stage.ts';

const spec = openSpec('asyncapi');
const { messages } = spec.components;
const closes = spec.channels.acknowledged['x-closes'];
const CLIENT_FRAMES = ['json', 'lines', 'msgpack', 'streamJson', 'streamMsgpack'];

const stage = useStage({ end: 'kill' });
/** Has no Kafka and a short maximum connection age. */
let alone: Gateway;
before(async () => {
  const [port] = await freePorts(1);
  const env = { FOREBAY_MAX_CONNECTION_AGE_MS: '1000' };
  const unreachable = { brokers: [`127.0.0.1:${port}`], topic: uniqueTopic(), ready: false, env };
  alone = await startGateway(unreachable);
  await until(async () => (await fetch(`${alone.httpUrl}/livez`)).ok, { what: 'a worker' });
});
after(() => alone?.kill());

/** Kinds of server frames received, and ends of connections observed. */
const received = new Set<string>();
const ended = new Set<string>();

const judges = new Map(
  Object.entries(messages).map(([kind, { payload }]) => [kind, judge(Ajv, payload)]),
);

/** Validates every received frame by the schema of its kind. */
function assertDocumented(client: FrameClient): void {
  for (const text of client.texts) {
    const frame = JSON.parse(text) as object;
    const kind = Object.keys(frame)[0]!;
    const wrong = judges.get(kind);
    assert(wrong !== undefined && !CLIENT_FRAMES.includes(kind), `${kind} is not documented`);
    assert.equal(wrong(frame), undefined, text);
    received.add(kind);
  }
  assert.deepEqual(client.violations, []);
}

const nameOf = ({ code, reason = '' }: { code: number; reason?: string }) =>
  `${code} ${reason}`.trim();

async function assertEnds(client: FrameClient, close: Closed): Promise<void> {
  assert.deepEqual(await client.ended(), close);
  assertDocumented(client);
  ended.add(nameOf(close));
}

/** Returns the documented frame without its random time. */
function told(frame: unknown): unknown {
  return JSON.parse(JSON.stringify(frame), (key, value) =>
    key === 'retryAfterMs' ? undefined : value,
  );
}

function exampleOf(kind: string, name: string): unknown {
  return told(messages[kind]!.examples.find((example) => example.name === name)?.payload);
}

/** Payload to send; bytes are sent as a binary frame. */
function frameOf(contentType: string | undefined, payload: unknown): Payload {
  if (contentType === 'application/msgpack') return Buffer.from(encode(payload));
  return typeof payload === 'string' ? payload : JSON.stringify(payload);
}

/** Client frames of the examples, with their event counts. */
const frames = CLIENT_FRAMES.flatMap((kind) => {
  const { contentType, examples } = messages[kind]!;
  return examples.map(({ name, payload }) => {
    const lines = typeof payload === 'string' ? payload.split('\n').filter(Boolean) : [payload];
    const events = lines.flat().length;
    return { what: `${kind} ${name}`, frame: frameOf(contentType, payload), events };
  });
});

test('each example of a client frame is acknowledged as documented, and stored', async () => {
  for (const { what, frame, events } of frames) {
    const client = await FrameClient.open(stage.gateway.wsUrl);
    const number = typeof frame === 'string' ? client.send(frame) : client.sendBinary(frame);
    assert.deepEqual(await client.fate(number), [], what);
    const [hello, ...more] = client.texts.map((text) => JSON.parse(text) as unknown);
    assert.deepEqual(hello, exampleOf('hello', 'defaults'));
    assert.deepEqual(more, [exampleOf('ack', 'first')], what);
    assert.equal((await stage.newValues()).length, events, what);
    await client.close();
    await assertEnds(client, { code: 1000, reason: '' });
  }
});

test('frames of a plain client are stored without a reply', async () => {
  const client = await new PlainClient({ url: stage.gateway.wsUrl }).open();
  const expected = frames.reduce((sum, { events }) => sum + events, 0);
  for (const { frame } of frames) client.socket.send(frame);
  let stored = 0;
  const all = async () => {
    stored += (await stage.newValues()).length;
    return stored >= expected;
  };
  await until(all, { what: () => `${stored} of ${expected} events` });
  assert.equal(stored, expected);
  assert.deepEqual(client.received, []);
  await client.close();
});

test('each example of a nack is the reply to its frame', async () => {
  const asked = Object.entries(messages.nack!['x-frames']!);
  assert.deepEqual(
    asked.map(([name]) => name),
    messages.nack!.examples.map(({ name }) => name),
  );
  for (const [name, frame] of asked) {
    const { wsUrl } = name === 'later' ? alone : stage.gateway;
    const client = await FrameClient.open(wsUrl);
    await client.fate(client.send(frame));
    const nack = client.texts.map((text) => JSON.parse(text)).find((text) => 'nack' in text);
    assert.deepEqual(told(nack), exampleOf('nack', name), name);
    assertDocumented(client);
    await client.close();
  }
});

test('credit rises with settled frames; exceeding it ends the connection', async () => {
  const client = await FrameClient.open(stage.gateway.wsUrl);
  const { frames: granted } = client.incoming.credit;
  for (let sent = 0; sent < granted; sent++) client.send(good(`credit ${sent}`));
  await client.fate(granted);
  await until(() => client.texts.some((text) => text.startsWith('{"credit"')), { what: 'credit' });
  client.sendTogether(Array.from({ length: 1_000 }, (_, index) => good(`beyond ${index}`)));
  await assertEnds(client, { code: 1008, reason: 'credit_exceeded' });
});

test('a frame above twice maxFrameBytes ends the connection', async () => {
  const client = await FrameClient.open(stage.gateway.wsUrl);
  client.send(' '.repeat(2 * client.incoming.hello!.maxFrameBytes + 1));
  const { code } = await client.ended();
  assert.equal(code, expected(1006, 1009));
  assertDocumented(client);
  ended.add('1006');
});

test('goaway is sent at the maximum age and in a drain, and the connection ends with its reason', async () => {
  const [old, last] = await Promise.all(
    [alone.wsUrl, stage.gateway.wsUrl].map((url) => FrameClient.open(url)),
  );
  await assertEnds(old!, { code: 1012, reason: 'age' });
  assert.deepEqual(old!.incoming.goaway, { reason: 'age', reconnectMs: 0 });
  stage.gateway.signal('SIGTERM');
  await assertEnds(last!, { code: 1012, reason: 'restart' });
  assert.equal(last!.incoming.goaway?.reason, 'restart');
});

/** Needs a stream file: test/integration/streams.test.ts. */
const STREAMS = 'streams';

/** Ends of connections that other tests cover, and where. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  '1008 unauthorized': 'needs keys: the tests of identity',
  '1008 slow_consumer':
    'takes a client that stands still: test/integration/unread-pongs.long.test.ts',
  '1012 stream': 'needs a stream file: test/integration/streams-reload.test.ts',
  '1013 too_many_connections': 'is said by HTTP, as long as the handshake can be refused',
  '1013 flooding': 'takes 20,000 messages at once: test/integration/credit.long.test.ts',
};

test('every kind of server frame and every end of a connection was observed here or is tested elsewhere', () => {
  const ofServer = Object.keys(messages).filter((kind) => !CLIENT_FRAMES.includes(kind));
  assert.deepEqual([...received, STREAMS].sort(), ofServer.sort());
  const unseen = closes.map(nameOf).filter((close) => !ended.has(close));
  assert.deepEqual(unseen.sort(), Object.keys(ELSEWHERE).sort());
  for (const gateway of [stage.gateway, alone]) assert.deepEqual(gateway.errors, []);
});
