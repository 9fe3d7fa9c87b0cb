/** How the page keeps to the protocol: against a gateway that does what the test wants. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { missingTool } from '../support/tools.ts';
import { until } from '../support/wait.ts';
import { TestPage } from './browser.ts';
import { FakeGateway } from './fake-gateway.ts';

const skip = missingTool('chromium');
/** Beyond this many ms a page that sends an event a second would have sent another. */
const NEXT_EVENT_MS = 2_300;
const PLENTY = 1_000_000;
let gateway: FakeGateway;
let shown: TestPage;

before(async () => {
  if (skip) return;
  gateway = await new FakeGateway().listen();
  shown = await TestPage.open();
  await shown.page.goto(gateway.url);
});
after(async () => {
  await shown?.close();
  gateway?.close();
});

const lineOf = async (id: string) => (await shown.rows()).find((row) => row.id === id)?.outcome;

test('credit: nothing goes out before hello, no frame beyond the credit, and it is shown', {
  skip,
}, async () => {
  const connection = await gateway.connection(1);
  await sleep(NEXT_EVENT_MS);
  assert.deepEqual(connection.frames, []);
  connection.hello(2, PLENTY);
  await until(() => connection.frames.length === 2);
  await until(async () => (await shown.rows('waiting')).length >= 2);
  const sent = Buffer.byteLength(connection.frames.join(''));
  assert.deepEqual(await shown.credit(), { frames: 0, bytes: PLENTY - sent });
  connection.say({ ack: 2 });
  await until(async () => (await shown.count('acked')) === 2);
  await sleep(NEXT_EVENT_MS);
  assert.equal(connection.frames.length, 2, 'an ack is no credit');
});

test('credit: bytes count as well; what waits goes out in its order when more comes', {
  skip,
}, async () => {
  const connection = await gateway.connection(1);
  const one = Buffer.byteLength(connection.frames[0]!);
  const sent = Buffer.byteLength(connection.frames.join(''));
  // Room for one event and not for two, whatever the digits of their numbers.
  connection.say({ credit: { frames: 1_000, bytes: sent + one + 20 } });
  await until(() => connection.frames.length === 3);
  await sleep(NEXT_EVENT_MS);
  assert.equal(connection.frames.length, 3);
  const left = await shown.credit();
  assert.equal(left.frames, 997);
  assert(left.bytes >= 0 && left.bytes <= 20, `${left.bytes} bytes left`);
  connection.say({ credit: { frames: 1_000, bytes: PLENTY } });
  await until(async () => (await shown.rows('waiting')).length === 0);
  const numbers = connection.ids.map((id) => Number(id.split('-').at(-1)));
  assert.deepEqual(
    numbers,
    numbers.map((_, index) => index + 1),
  );
  connection.say({ ack: connection.frames.length });
});

test('a refused event: the code is shown; with retry it goes out again unchanged, else never', {
  skip,
}, async () => {
  const connection = await gateway.connection(1);
  const first = connection.frames.length;
  await until(() => connection.frames.length >= first + 2);
  const [again, never] = connection.ids.slice(first);
  const full = { code: 'buffer_full', retry: true, retryAfterMs: 1_500, events: [[0, 0]] };
  const schema = { code: 'schema', retry: false, events: [[0, 0]] };
  connection.say({ nack: first + 1, errors: [{ ...full, message: 'no room' }] });
  connection.say({ nack: first + 2, errors: [{ ...schema, message: 'no msg' }] });
  connection.say({ ack: first + 2 });
  await until(async () => (await shown.count('refused')) === 2);
  assert.equal(await lineOf(again!), 'refused buffer_full: no room; again in 1500 ms');
  assert.equal(await lineOf(never!), 'refused schema: no msg');
  await until(() => connection.ids.lastIndexOf(again!) > first);
  assert.equal(connection.frames[connection.ids.lastIndexOf(again!)], connection.frames[first]);
  await until(async () => (await lineOf(again!)) === 'sent again (attempt 2)');
  connection.say({ ack: connection.frames.length });
  await until(async () => /^acked after \d+ ms \(attempt 2\)$/.test((await lineOf(again!)) ?? ''));
  assert.equal(connection.ids.lastIndexOf(never!), first + 1);
});

test('goaway: shown, nothing more is sent, connected again when it says, the open sent again', {
  skip,
}, async () => {
  const old = await gateway.connection(1);
  const settled = old.frames.length;
  await until(() => old.frames.length >= settled + 3);
  old.say({ goaway: { reason: 'age', reconnectMs: 4_000 } });
  const saidMs = performance.now();
  await until(async () =>
    /^goaway \(age\): no more is sent, reconnect in 4000 ms$/.test(await shown.state()),
  );
  const sent = old.frames.length;
  await sleep(NEXT_EVENT_MS);
  assert.equal(old.frames.length, sent, 'nothing after goaway');
  // The first of the three is settled, the second refused for good: the rest goes out again.
  const refused = { code: 'schema', retry: false, events: [[0, 0]], message: 'no' };
  old.say({ nack: settled + 2, errors: [refused] });
  old.say({ ack: settled + 1 });
  await until(async () => (await shown.count('refused')) === 3);
  old.close(1012, 'restart');
  await until(async () =>
    /^connection lost \(1012 restart\), next try in \d+ ms;/.test(await shown.state()),
  );
  const open = old.frames.slice(settled + 2);
  assert.match(await shown.state(), new RegExp(`to be sent again: ${open.length}$`));
  assert.deepEqual(await shown.credit(), { frames: 0, bytes: 0 });
  const fresh = await gateway.connection(2);
  const pauseMs = fresh.openedMs - saidMs;
  assert(pauseMs > 3_900 && pauseMs < 6_000, `connected again after ${pauseMs} ms`);
  fresh.hello(64, PLENTY);
  await until(() => fresh.frames.length >= open.length + 3);
  assert.deepEqual(fresh.frames.slice(0, open.length), open);
  const again = fresh.ids[0]!;
  await until(async () => (await lineOf(again)) === 'sent again (attempt 2)');
  assert((await shown.count('again')) >= open.length);
  fresh.say({ ack: fresh.frames.length });
  await until(async () => /^acked after \d+ ms \(attempt 2\)$/.test((await lineOf(again)) ?? ''));
  const [now, lost, going] = await shown.history();
  assert.equal(now, 'connected');
  assert.match(`${lost}; ${going}`, /^connection lost .*; goaway \(age\)/);
});

test('a loss without a word: tried again soon, and again; attempts are counted', {
  skip,
}, async () => {
  const connection = await gateway.connection(2);
  const before = connection.frames.length;
  await until(() => connection.frames.length > before);
  const [id] = connection.ids.slice(before);
  let cutMs = performance.now();
  connection.cut();
  for (const number of [3, 4]) {
    const next = await gateway.connection(number);
    const pauseMs = next.openedMs - cutMs;
    assert(pauseMs < 1_500, `connected again after ${pauseMs} ms`);
    next.hello(64, PLENTY);
    await until(() => next.frames.length > 0);
    assert.equal(next.ids[0], id);
    await until(async () => (await lineOf(id!)) === `sent again (attempt ${number - 1})`);
    cutMs = performance.now();
    if (number === 3) next.cut();
    else next.say({ ack: 1 });
  }
  await until(async () => /^acked .*\(attempt 3\)$/.test((await lineOf(id!)) ?? ''));
  assert.match((await shown.history()).join('\n'), /connection lost \(1006\), next try in \d+ ms;/);
});

test('the browser had nothing to complain of', { skip }, () => {
  assert.deepEqual(shown.complaints, []);
});
