import assert from 'node:assert/strict';
import { Agent, type IncomingMessage, request } from 'node:http';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { LIMITS } from '../../../src/config/limits.ts';
import { good } from '../../../testing/events.ts';
import { FrameClient } from '../../../testing/frame-client.ts';
import { type Gateway, startGateway } from '../../../testing/gateway.ts';
import { sharedKafka, uniqueTopic } from '../../../testing/kafka.ts';
import { recordsOf } from '../../../testing/load.ts';
import { PlainClient } from '../../../testing/plain-client.ts';
import { readyz, untilLogged, untilNotReady } from '../../../testing/watch.ts';
import { RawClient } from '../../support/raw-client.ts';

const { brokers } = await sharedKafka();

async function start(t: TestContext, env: Record<string, string> = {}) {
  const topic = uniqueTopic();
  const gateway = await startGateway({ brokers, topic, env });
  t.after(() => gateway.kill());
  return { gateway, topic };
}

/** POST /events in two parts: the second is sent when `send` is called. */
function slowPost(gateway: Gateway, text: string) {
  const half = text.length >> 1;
  const asked = request(`${gateway.httpUrl}/events`, {
    method: 'POST',
    agent: new Agent({ keepAlive: true }),
    headers: { 'Content-Length': text.length },
  });
  const answer = new Promise<IncomingMessage>((resolve, reject) => {
    asked.on('response', (response) => resolve(response.resume())).on('error', reject);
  });
  asked.write(text.slice(0, half));
  return { answer, send: () => asked.end(text.slice(half)) };
}

test('FOREBAY_PRESTOP_MS: 503 on both ports at once, and everything is served until the drain', async (t) => {
  const prestopMs = 1_000;
  const { gateway, topic } = await start(t, { FOREBAY_PRESTOP_MS: String(prestopMs) });
  const old = await FrameClient.open(gateway.wsUrl);
  const startMs = performance.now();
  gateway.signal('SIGTERM');
  await untilNotReady(gateway, 'draining', prestopMs / 2);
  assert.deepEqual(await old.exchange(good('old')), []);
  const late = await FrameClient.open(gateway.wsUrl);
  assert.deepEqual(await late.exchange(good('late')), []);
  const posted = await fetch(`${gateway.httpUrl}/events`, { method: 'POST', body: good('http') });
  assert.equal(posted.status, 200);
  assert.equal(old.incoming.goaway, undefined);
  assert(performance.now() - startMs < prestopMs, 'served before the drain began');
  assert.deepEqual(
    (await readyz(gateway)).map(({ status }) => status),
    [503, 503],
  );
  for (const client of [old, late]) {
    assert.deepEqual(await client.ended(), { code: 1012, reason: 'restart' });
    assert.equal(client.incoming.goaway?.reason, 'restart');
    assert.deepEqual(client.violations, []);
  }
  assert.deepEqual(await gateway.exit, { code: 0, signal: null });
  assert(performance.now() - startMs >= prestopMs);
  assert.equal((await recordsOf({ brokers, topic })).length, 3);
});

test('POST /drain: a request in flight is answered, and its connection closed', async (t) => {
  const { gateway } = await start(t);
  const plain = await new PlainClient({ url: gateway.wsUrl }).open();
  const post = slowPost(gateway, good('slow'));
  // Its first half has been read once a later request is answered.
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  t.after(() => agent.destroy());
  const live = await new Promise<IncomingMessage>((resolve, reject) => {
    const asked = request(`${gateway.httpUrl}/livez`, { agent }, (response) =>
      response.resume().on('end', () => resolve(response)),
    );
    asked.on('error', reject).end();
  });
  assert.equal(live.statusCode, 200);
  const asked = await fetch(`${gateway.adminUrl}/drain`, { method: 'POST' });
  assert.deepEqual([asked.status, await asked.json()], [202, { drain: 'begun' }]);
  await untilLogged(gateway, 'drain started');
  // The drain waits for it, longer than for new requests.
  await sleep(4 * LIMITS.lastRequestsMs);
  // An open connection may still complete its handshake, and receives goaway.
  const late = await RawClient.open(gateway.httpUrl, { agent });
  await late.received('{"hello":');
  await late.received('{"goaway":');
  post.send();
  const { statusCode, headers } = await post.answer;
  assert.deepEqual([statusCode, headers.connection], [200, 'close']);
  assert.deepEqual(await plain.closed, { code: 1012, reason: 'restart' });
  assert.deepEqual(await gateway.exit, { code: 0, signal: null });
  assert.deepEqual(gateway.errors, []);
});

test('commands on all addresses require the token', async (t) => {
  const env = { FOREBAY_ADMIN_HOST: '0.0.0.0' };
  const open = (await start(t, env)).gateway;
  const refused = await fetch(`${open.adminUrl}/drain`, { method: 'POST' });
  assert.equal(refused.status, 401);
  assert.match(await refused.text(), /set FOREBAY_ADMIN_TOKEN"/);
  assert.equal((await open.stop()).code, 0);
  const guarded = (await start(t, { ...env, FOREBAY_ADMIN_TOKEN: 'a secret' })).gateway;
  const drain = (token: string) =>
    fetch(`${guarded.adminUrl}/drain`, {
      method: 'POST',
      headers: { Authorization: `Bearer ${token}` },
    });
  assert.equal((await drain('another')).status, 401);
  assert.equal((await drain('a secret')).status, 202);
  assert.deepEqual(await guarded.exit, { code: 0, signal: null });
  assert(!guarded.log.some((line) => JSON.stringify(line).includes('a secret')));
});
