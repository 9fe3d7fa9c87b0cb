/** Event rates of a connection. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { AcknowledgedClient } from '../../testing/client.ts';
import { arrayOf, good } from '../../testing/events.ts';
import { FrameClient } from '../../testing/frame-client.ts';
import { PlainClient } from '../../testing/plain-client.ts';
import { ponged } from '../../testing/socket.ts';
import { accountOf, post, Tally } from '../../testing/stage.ts';
import { untilLogged } from '../../testing/watch.ts';
import { useStage } from '../support/use-stage.ts';

const RATE = 20;
const BURST = 100;

const tally = new Tally();
const env = {
  FOREBAY_CONNECTION_EVENTS_PER_SECOND: String(RATE),
  FOREBAY_CONNECTION_EVENTS_BURST: String(BURST),
};
const stage = useStage({ env });

const events = (name: string, count: number) =>
  Array.from({ length: count }, (_, index) => good(`${name}-${index}`));

test('the burst is accepted, events beyond it are rejected by index, and accepted retryAfterMs later', async () => {
  const client = await FrameClient.open(stage.gateway.wsUrl);
  const neighbour = await FrameClient.open(stage.gateway.wsUrl);
  const all = events('a', BURST + 10);
  const [error, ...others] = await client.exchange(arrayOf(all));
  assert.deepEqual(others, []);
  const { retryAfterMs = 0, ...rest } = error!;
  assert.deepEqual(rest, {
    code: 'rate_limited',
    retry: true,
    events: [[BURST, BURST + 9]],
    message: `event ${BURST}: event rate limit exceeded`,
  });
  const neededMs = (10 / RATE) * 1000;
  assert(retryAfterMs > 0.9 * neededMs && retryAfterMs <= 1.25 * neededMs + 2, `${retryAfterMs}`);
  assert.deepEqual(await neighbour.exchange(arrayOf(events('b', BURST))), [], 'has its own rate');
  await sleep(retryAfterMs);
  assert.deepEqual(await client.exchange(arrayOf(all.slice(BURST))), []);
  assert.deepEqual(client.violations, []);
  await client.close();
  await neighbour.close();
  tally.ws(2 * BURST + 10, { rate_limited: 10 });
});

test('a connection at full speed gets the burst at once, then exactly the rate', async () => {
  const client = await FrameClient.open(stage.gateway.wsUrl);
  const startMs = performance.now();
  let sent = 0;
  let refused = 0;
  const stored = () => sent - refused;
  while (stored() < BURST + 2 * RATE || refused === 0) {
    const errors = await client.exchange(arrayOf(events(`c${sent}`, 50)));
    for (const [first, last] of errors[0]?.events ?? []) refused += last - first + 1;
    sent += 50;
    assert(sent < 100_000, `${stored()} of ${sent} events were stored`);
  }
  const allowed = BURST + ((performance.now() - startMs) / 1000) * RATE;
  assert(stored() <= allowed, `${stored()} of ${allowed}`);
  await client.close();
  tally.ws(stored(), { rate_limited: refused });
});

test('a client that waits for retryAfterMs gets everything stored', async () => {
  const client = new AcknowledgedClient({ url: stage.gateway.wsUrl, retryRefused: true });
  await client.open();
  const list = events('d', BURST + 30).map((text) => JSON.parse(text) as { id: string });
  const frame = client.send(...list);
  await client.settled(30_000);
  const errors = frame.errors.map(({ code }) => code);
  assert(errors.length > 0 && errors.every((code) => code === 'rate_limited'), 'some had to wait');
  await client.close();
  const stored = (await stage.newValues()).map((text) => (JSON.parse(text) as { id: string }).id);
  for (const { id } of list) assert.equal(stored.filter((each) => each === id).length, 1, id);
  const refused = (await accountOf(stage.gateway)).refused.rate_limited ?? 0;
  tally.ws(list.length, { rate_limited: refused - (tally.refused.rate_limited ?? 0) });
});

test('plain clients: events beyond the rate are dropped and counted; HTTP has no rate per connection', async () => {
  const plain = await new PlainClient({ url: stage.gateway.wsUrl }).open();
  plain.socket.send(arrayOf(events('e', BURST + 7)));
  await ponged(plain.socket);
  await plain.close();
  assert.deepEqual(plain.received, []);
  const answer = await post(stage, arrayOf(events('f', 2 * BURST)));
  assert.deepEqual([answer.status, answer.body.accepted], [200, 2 * BURST]);
  tally.ws(BURST);
  tally.http(2 * BURST);
  tally.drop('rate_limited', 7);
  const { code } = await untilLogged(stage.gateway, 'event of a plain client dropped');
  assert.equal(code, 'rate_limited');
  assert.deepEqual(await accountOf(stage.gateway), tally.account);
  assert.deepEqual(stage.gateway.errors, []);
});
