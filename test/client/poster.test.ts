import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Entry } from '../../src/client/entry.ts';
import { Outbox } from '../../src/client/outbox.ts';
import { Poster } from '../../src/client/poster.ts';
import { FakeGateway } from '../page/fake-gateway.ts';
import { until } from '../support/wait.ts';

function entry(id: string, bytes: number): Entry {
  const text = JSON.stringify({ id }).padEnd(bytes);
  return { event: {}, text, bytes: text.length, attempts: 0, stored() {}, failed() {} };
}

test('what is left goes with the page, the oldest first, 60 kB in all; one too long keeps no other', async (t) => {
  const gateway = await new FakeGateway().listen();
  t.after(() => gateway.close());
  const outbox = new Outbox(1_000_000);
  const sizes = { long: 60_001, a: 100, b: 40_000, c: 30_000, d: 100 };
  for (const [id, bytes] of Object.entries(sizes)) outbox.add(entry(id, bytes));
  outbox.take(2, 100_000);
  const fates = { sent() {}, stored() {}, refused() {} };
  new Poster(`${gateway.url}events`, () => 'k', outbox, fates).last();
  await until(() => gateway.bodies.length === 1);
  const { text, headers } = gateway.bodies[0]!;
  const ids = (JSON.parse(text) as { id: string }[]).map(({ id }) => id);
  assert.deepEqual(ids, ['a', 'b', 'd'], 'what is on its way, and what waits');
  assert(text.length <= 60_000, `${text.length} bytes`);
  assert.equal(headers.authorization, 'Bearer k');
});

test('an attempt counts as sent when the gateway has answered it, not when the connection was cut or a proxy answered', async (t) => {
  const gateway = await new FakeGateway().listen();
  t.after(() => gateway.close());
  const outbox = new Outbox(1_000_000);
  outbox.add(entry('a', 100));
  const told: string[] = [];
  const fates = {
    sent: () => void told.push('sent'),
    stored: () => void told.push('stored'),
    refused() {},
  };
  const poster = new Poster(`${gateway.url}events`, () => undefined, outbox, fates);
  const answers = [
    undefined,
    new Response('no server', { status: 503 }),
    { accepted: 1, errors: [] },
  ];
  gateway.answer = () => answers[gateway.bodies.length - 1];
  for (const _ of answers) await poster.post();
  assert.equal(gateway.bodies.length, 3, 'each attempt reached the port');
  assert.deepEqual(told, ['sent', 'stored']);
});

test('after a 413, one event at least goes with the page, if it may pass alone', async (t) => {
  const gateway = await new FakeGateway().listen();
  t.after(() => gateway.close());
  gateway.answer = () => new Response(null, { status: 413 });
  const outbox = new Outbox(1_000_000);
  for (const id of ['a', 'b']) outbox.add(entry(id, 600));
  const fates = { sent() {}, stored() {}, refused() {} };
  const poster = new Poster(`${gateway.url}events`, () => 'k', outbox, fates);
  await poster.post();
  poster.last();
  await until(() => gateway.bodies.length === 2);
  assert.equal(gateway.bodies[1]!.text.length, 602);
});

test('after a 413, what goes with the page is not longer than what may pass', async (t) => {
  const gateway = await new FakeGateway().listen();
  t.after(() => gateway.close());
  gateway.answer = () => new Response(null, { status: 413 });
  const outbox = new Outbox(1_000_000);
  for (const id of ['a', 'b', 'c', 'd']) outbox.add(entry(id, 10_000));
  const fates = { sent() {}, stored() {}, refused() {} };
  const poster = new Poster(`${gateway.url}events`, () => 'k', outbox, fates);
  assert.equal(await poster.post(), undefined);
  assert.equal(outbox.waiting, 4);
  poster.last();
  await until(() => gateway.bodies.length === 2);
  const lengths = gateway.bodies.map(({ text }) => text.length);
  assert.deepEqual(lengths, [40_005, 10_002]);
});
