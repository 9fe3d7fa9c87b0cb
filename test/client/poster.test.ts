/** Bodies that get no timely answer: they are halved, and grow again by what gets through. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Entry, type Fates, progress } from '../../src/client/entry.ts';
import { Fit } from '../../src/client/fit.ts';
import { Key } from '../../src/client/key.ts';
import { Outbox } from '../../src/client/outbox.ts';
import { Poster } from '../../src/client/poster.ts';
import { FakeGateway } from '../page/fake-gateway.ts';

function entry(id: string, bytes: number): Entry {
  const text = JSON.stringify({ id }).padEnd(bytes);
  return { event: {}, text, bytes: text.length, ...progress(), stored() {}, failed() {} };
}

const stored = (events: readonly object[]) => ({ accepted: events.length, errors: [] });

interface Rig {
  readonly gateway: FakeGateway;
  readonly outbox: Outbox;
  readonly poster: Poster;
  readonly ids: string[];
  readonly stuck: Entry[];
}

async function rig(answer: FakeGateway['answer']): Promise<Rig> {
  const gateway = await new FakeGateway().listen();
  gateway.answer = answer;
  const outbox = new Outbox(10_000_000);
  const ids: string[] = [];
  const stuck: Entry[] = [];
  const fates: Fates = {
    sent() {},
    stored: (entry) => {
      if (outbox.done(entry)) ids.push((JSON.parse(entry.text) as { id: string }).id);
    },
    refused: (_, { code }) => assert.fail(code),
    stuck: (entry) => {
      assert(outbox.setAside(entry));
      stuck.push(entry);
    },
    left() {},
  };
  const poster = new Poster(`${gateway.url}events`, new Key(undefined), outbox, fates);
  return { gateway, outbox, poster, ids, stuck };
}

const lengths = ({ gateway }: Rig) => gateway.bodies.map(({ text }) => text.length);

for (const [what, failure] of [
  ['408', () => new Response(null, { status: 408 })],
  ['499', () => new Response(null, { status: 499 })],
  ['502', () => new Response('<html>', { status: 502 })],
  ['504', () => new Response('<html>', { status: 504 })],
  ['524', () => new Response('<html>', { status: 524 })],
  ['413', () => new Response(null, { status: 413 })],
  ['a dropped connection', () => undefined],
] as const) {
  for (const [count, bytes, most] of [
    [250, 1_000, 4_000],
    [40, 10_000, 70_000],
    [500, 100, 250],
  ] as const) {
    test(`${what} to each body above ${most} bytes: ${count} events of ${bytes} bytes arrive once, in order`, async (t) => {
      const made = await rig((events) =>
        made.gateway.bodies.at(-1)!.text.length > most ? failure() : stored(events),
      );
      t.after(() => made.gateway.close());
      const sent = Array.from({ length: count }, (_, index) => `e${index}`);
      for (const id of sent) made.outbox.add(entry(id, bytes));
      let failures = 0;
      while (made.outbox.waiting > 0) {
        if (await made.poster.post()) failures++;
        assert(failures < count, 'it goes on');
      }
      assert.deepEqual(made.ids, sent);
      const all = lengths(made);
      const tooLong = all.filter((length) => length > most).length;
      assert(tooLong > 0, 'bodies failed for their size');
      assert(tooLong <= 10 + all.length / 4, `${tooLong} of ${all.length} were too long`);
    });
  }
}

test('failures that size has nothing to do with: bodies are long again soon', async (t) => {
  let failures = 13;
  const made = await rig((events) => (failures-- > 0 ? undefined : stored(events)));
  t.after(() => made.gateway.close());
  for (let index = 0; index < 5_000; index++) made.outbox.add(entry(`e${index}`, 200));
  while (made.outbox.waiting > 0) await made.poster.post();
  // The first event may have been left out while the others got through.
  for (const entry of made.stuck) made.outbox.again(entry);
  while (made.outbox.waiting > 0) await made.poster.post();
  const all = lengths(made);
  assert(Math.min(...all.slice(0, -1)) < 1_000, 'they were halved');
  assert(Math.max(...all.slice(-10)) > 100_000, `${all.slice(0, 100)}`);
  assert(all.length < 60, `${all.length} bodies`);
  assert.equal(new Set(made.ids).size, 5_000);
});

test('an event that never gets through keeps no other back, and is left out in the end', async (t) => {
  const made = await rig((events) =>
    events.some(({ id }) => id === 'bad') ? undefined : stored(events),
  );
  t.after(() => made.gateway.close());
  const sent = ['a', 'b', 'bad', 'c', 'd', 'e'];
  for (const id of sent) made.outbox.add(entry(id, id === 'bad' ? 60_000 : 100));
  for (let post = 0; post < 20 && made.outbox.waiting > 0; post++) await made.poster.post();
  assert.deepEqual(made.ids, ['a', 'b', 'c', 'd', 'e']);
  assert.deepEqual(
    made.stuck.map(({ bytes }) => bytes),
    [60_000],
  );
  assert.equal(made.outbox.bytes, 60_000, 'it is still held');
});

test('while nothing gets through, no event is taken for the one that keeps the others back', async (t) => {
  let isAway = true;
  const made = await rig((events) => (isAway ? undefined : stored(events)));
  t.after(() => made.gateway.close());
  const sent = ['a', 'b', 'c', 'd'];
  for (const id of sent) made.outbox.add(entry(id, 100));
  for (let post = 0; post < 9; post++) assert(await made.poster.post());
  assert.deepEqual(made.stuck, []);
  // An attempt with the first event follows those without it.
  while (made.outbox.suspect) await made.poster.post();
  isAway = false;
  while (made.outbox.waiting > 0) await made.poster.post();
  assert.deepEqual(made.ids, sent);
});

test('the size that fits: halved by what fails, grown by what passes, never by less', () => {
  const fit = new Fit(64_000, 256_000);
  fit.passed(100, 64_000);
  assert.equal(fit.bytes, 64_000, 'a short body says nothing of long ones');
  fit.passed(64_000, 64_000);
  assert.equal(fit.bytes, 128_000);
  fit.passed(64_000, 64_000);
  assert.equal(fit.bytes, 128_000, 'one that was sent before it grew says nothing new');
  fit.passed(128_000, 128_000, false);
  assert.equal(fit.bytes, 128_000, 'a slow one is long enough');
  fit.failed(120_000, true);
  assert.deepEqual([fit.bytes, fit.careful], [60_000, true]);
  fit.passed(60_000, 60_000);
  assert.deepEqual([fit.bytes, fit.careful], [67_500, false]);
  fit.passed(120_000, 67_500);
  assert.equal(fit.bytes, 240_000, 'what failed before gets through now');
});
