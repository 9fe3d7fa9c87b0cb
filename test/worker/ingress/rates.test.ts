/** Address rate limits, and the tokens charged for rejected events and bytes, per transport. */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { KIB, LIMITS, MIB } from '../../../src/config/limits.ts';
import type { HttpHandler } from '../../../src/worker/ingress/http/http-handler.ts';
import { SUBPROTOCOL } from '../../../src/worker/ingress/websocket/upgrades.ts';
import type { WebSocketHandler } from '../../../src/worker/ingress/websocket/websocket-handler.ts';
import { loadValidator } from '../../../src/worker/intake/validator.ts';
import { arrayOf, good } from '../../../testing/events.ts';
import type { NackError } from '../../../testing/protocol.ts';
import { until } from '../../../testing/wait.ts';
import { FakeResponse, fakeRequest, openSocket } from '../../fakes/uws.ts';
import { createStages } from './stages.ts';

const BURST = 100;
let http: HttpHandler;
let webSocket: WebSocketHandler;
let validated: number;

beforeEach(() => {
  validated = 0;
  const validate = loadValidator(undefined);
  const counting = (value: Parameters<typeof validate>[0]) => {
    validated++;
    return validate(value);
  };
  // Tokens refill too slowly to matter during a test.
  const settings = { addressEventsPerSecond: 0.001, addressEventsBurst: BURST, httpTimeoutMs: 1 };
  ({ http, webSocket } = createStages({ validate: counting, settings }));
});
afterEach(() => {
  http.close();
  webSocket.close();
});

async function post(body: string | Buffer, headers: Record<string, string> = {}) {
  const response = new FakeResponse();
  http.handle(response, fakeRequest('POST', '/events', headers));
  response.deliver(Buffer.from(body), true);
  await until(() => response.status !== undefined);
  const { errors = [], error } = JSON.parse(response.body) as {
    errors?: NackError[];
    error?: { code: string };
  };
  return { status: response.status, headers: response.headers, errors, error };
}

/** A `forebay.v1` connection. */
function connect() {
  const texts: string[] = [];
  const peer = { receive: (text: string) => void texts.push(text), pinged() {}, gone() {} };
  const socket = openSocket(webSocket.behavior, SUBPROTOCOL, peer);
  assert(socket !== undefined, 'the handshake is accepted');
  const nacks = () => texts.flatMap((text) => (JSON.parse(text).errors ?? []) as NackError[]);
  return { socket, nacks };
}

const events = (count: number) => arrayOf(Array.from({ length: count }, () => good('x')));
const limited = (errors: readonly NackError[]) =>
  errors.find(({ code }) => code === 'rate_limited')?.events;

test('WebSockets and requests of an address share one rate', async () => {
  const [one, other] = [connect(), connect()];
  one.socket.deliver(events(30));
  other.socket.deliver(events(30));
  const response = await post(events(50));
  assert.deepEqual(limited(response.errors), [[40, 49]]);
  one.socket.deliver(events(3));
  // Its first frame waits for Kafka; this one is nacked at once.
  await until(() => one.nacks().length > 0);
  assert.deepEqual(limited(one.nacks()), [[0, 2]]);
});

test('closing the connections of an address does not refill its tokens', async () => {
  const { socket } = connect();
  socket.deliver(events(BURST));
  socket.lost();
  assert.deepEqual(limited((await post(events(1))).errors), [[0, 0]]);
});

test('an event without a token is not validated', async () => {
  await post(events(BURST));
  const response = await post(arrayOf(Array(10).fill('{}')));
  assert.deepEqual([response.status, limited(response.errors)], [429, [[0, 9]]]);
  assert.equal(validated, 0);
});

/** Rejected input and the tokens that it costs. */
const REJECTED: readonly [string, string, number][] = [
  ['a short frame', '{', 1],
  ['a long frame', `[${'1,'.repeat(5 * KIB)}`, 11],
  ['short events', `[${Array(20).fill('1')}]`, 20],
  ['events of the wrong schema', `[${Array(20).fill('{}')}]`, 20],
  ['a long event of the wrong schema', `[{"x":"${'x'.repeat(30 * KIB)}"}]`, 31],
  ['long lines', `{}\n${'x'.repeat(10 * KIB)}\n`, 11],
  ['short events and a long one', `[${Array(20).fill('{}')},{"x":"${'x'.repeat(30 * KIB)}"}]`, 31],
  ['a short event and a long valid one', `[{},${good('x', { y: 'x'.repeat(30 * KIB) })}]`, 2],
];

for (const [name, body, tokens] of REJECTED) {
  for (const way of ['HTTP', 'WebSocket']) {
    test(`${name} by ${way}: rejection costs ${tokens} tokens`, async () => {
      if (way === 'HTTP') await post(body);
      else connect().socket.deliver(body);
      const { errors } = await post(events(BURST));
      assert.deepEqual(limited(errors), [[BURST - tokens, BURST - 1]]);
    });
  }
}

test('a body that fails to decompress costs tokens by its bytes, a bomb by its decompressed bytes', async () => {
  const gzip = { 'content-encoding': 'gzip' };
  const broken = Buffer.concat([gzipSync('[]'), Buffer.alloc(3 * KIB, 'x')]);
  assert.equal((await post(broken, gzip)).status, 400);
  const { errors } = await post(events(BURST));
  assert.deepEqual(limited(errors), [[BURST - 4, BURST - 1]]);
  const bomb = gzipSync(Buffer.alloc(2 * MIB));
  assert.equal((await post(bomb, gzip)).status, 413);
  const { status, headers, errors: refused } = await post('{}');
  assert.deepEqual(
    [status, refused[0]?.code, refused[0]?.events],
    [429, 'rate_limited', undefined],
  );
  const debtMs = (BURST + 1) * 1_000_000;
  const waitS = Number(headers.get('Retry-After'));
  assert(waitS >= debtMs / 1000 && waitS <= 1.25 * (debtMs / 1000) + 1, `${waitS}`);
});

test('frames and bodies of a sender in debt are not decoded, compressed or not', async () => {
  const { socket, nacks } = connect();
  await post(`[${'1,'.repeat(60 * KIB)}`);
  const { errors } = await post('[');
  assert.deepEqual([errors[0]?.code, errors[0]?.events], ['rate_limited', undefined]);
  const packed = await post('no gzip', { 'content-encoding': 'gzip' });
  assert.deepEqual([packed.status, packed.errors[0]?.code], [429, 'rate_limited']);
  socket.deliver('[');
  await until(() => nacks().length > 0);
  assert.deepEqual([nacks()[0]?.code, nacks()[0]?.events], ['rate_limited', undefined]);
  assert(nacks()[0]?.retry);
});

test('rejected bytes after events without a token extend their retry delay', async () => {
  await post(events(BURST - 1));
  const { errors } = await post(`${good('a')}\n${good('b')}\n${'x'.repeat(20 * KIB)}`);
  const wait = errors.find(({ code }) => code === 'rate_limited')!;
  assert.deepEqual(wait.events, [[1, 1]]);
  assert(LIMITS.rejectedBytesPerToken === KIB && wait.retryAfterMs! > 21 * 1_000_000);
});
