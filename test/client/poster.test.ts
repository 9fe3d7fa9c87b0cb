/** Bodies without a timely response: they are halved, and grow again with each success. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Entry, type EntryEvents, progress } from '../../src/client/entry.ts';
import { Key } from '../../src/client/key.ts';
import { REQUEST_CODES as ANY_SIZE } from '../../src/client/messages.ts';
import { Outbox } from '../../src/client/outbox.ts';
import { Poster } from '../../src/client/poster.ts';
import { SizeLimit } from '../../src/client/size-limit.ts';
import { REQUEST_CODES, requestCodes, streamCodes } from '../../src/common/errors.ts';
import { FakeGateway } from '../page/fake-gateway.ts';

function entry(id: string, bytes: number): Entry {
  const text = JSON.stringify({ id }).padEnd(bytes);
  return { event: {}, text, bytes: text.length, ...progress(), stored() {}, failed() {} };
}

const idOf = ({ text }: Entry) => (JSON.parse(text) as { id: string }).id;
const stored = (events: readonly object[]) => ({ accepted: events.length, errors: [] });

interface Rig {
  readonly gateway: FakeGateway;
  readonly outbox: Outbox;
  readonly poster: Poster;
  readonly ids: string[];
  readonly sent: string[];
  readonly stuck: Entry[];
}

async function rig(answer: FakeGateway['answer']): Promise<Rig> {
  const gateway = await new FakeGateway().listen();
  gateway.answer = answer;
  const outbox = new Outbox(10_000_000);
  const ids: string[] = [];
  const sent: string[] = [];
  const stuck: Entry[] = [];
  const fates: EntryEvents = {
    sent: (entry) => void sent.push(idOf(entry)),
    stored: (entry) => {
      if (outbox.done(entry)) ids.push(idOf(entry));
    },
    refused: (_, { code }) => assert.fail(code),
    stuck: (entry) => {
      assert(outbox.setAside(entry));
      stuck.push(entry);
    },
    left() {},
  };
  const poster = new Poster(`${gateway.url}events`, new Key(undefined), outbox, fates);
  return { gateway, outbox, poster, ids, sent, stuck };
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

test('failures independent of the size: bodies are long again soon', async (t) => {
  let failures = 13;
  const made = await rig((events) => (failures-- > 0 ? undefined : stored(events)));
  t.after(() => made.gateway.close());
  for (let index = 0; index < 5_000; index++) made.outbox.add(entry(`e${index}`, 200));
  while (made.outbox.waiting > 0) await made.poster.post();
  // The first event may have been excluded while the others got through.
  for (const entry of made.stuck) made.outbox.again(entry);
  while (made.outbox.waiting > 0) await made.poster.post();
  const all = lengths(made);
  assert(Math.min(...all.slice(0, -1)) < 1_000, 'they were halved');
  assert(Math.max(...all.slice(-10)) > 100_000, `${all.slice(0, 100)}`);
  assert(all.length < 60, `${all.length} bodies`);
  assert.equal(new Set(made.ids).size, 5_000);
});

for (const [what, failure] of [
  ['the connection was cut', undefined],
  ['a proxy answered', new Response('no server', { status: 503 })],
] as const) {
  test(`an attempt counts as sent when the gateway has responded, not when ${what}`, async (t) => {
    const made = await rig((events) =>
      made.gateway.bodies.length === 1 ? failure : stored(events),
    );
    t.after(() => made.gateway.close());
    made.outbox.add(entry('a', 100));
    while (made.outbox.waiting > 0) await made.poster.post();
    assert.equal(made.gateway.bodies.length, 2, 'each attempt reached the port');
    assert.deepEqual(made.sent, ['a']);
  });
}

const html = (status: number) => new Response('<html>', { status });
const error = (status: number, code: string) =>
  new Response(JSON.stringify({ error: { code, message: 'no' } }), { status });

for (const [what, answer, again] of [
  ['an HTML 400', () => html(400), 'a'],
  ['an HTML 401', () => html(401), 'a'],
  ['an HTML 403', () => html(403), 'a'],
  ['an HTML 429', () => html(429), 'a'],
  ['an HTML 500', () => html(500), 'a'],
  ['an HTML 503', () => html(503), 'a'],
  ['JSON of a proxy', () => error(503, 'upstream_failed'), 'a'],
  ['a text as error', () => new Response('{"error":"too long"}', { status: 400 }), 'a'],
  ['the gateway’s 408', () => error(408, 'request_timeout'), 'a'],
  ['the gateway’s 503', () => error(503, 'too_many_connections'), 'ab'],
  ['the gateway’s 401', () => error(401, 'unauthorized'), 'ab'],
] as const) {
  const how = again === 'a' ? 'half as much' : 'the same';
  test(`after ${what} the next body has ${how}`, async (t) => {
    const made = await rig((events) =>
      made.gateway.bodies.length === 1 ? answer() : stored(events),
    );
    t.after(() => made.gateway.close());
    for (const id of ['a', 'b']) made.outbox.add(entry(id, 500));
    assert(await made.poster.post());
    assert.equal(await made.poster.post(), undefined);
    assert.equal(made.ids.join(''), again);
  });
}

test('the codes that do not affect the size are those of the catalog, except request_timeout', () => {
  const ofHttp = requestCodes.filter((code) => 'http' in REQUEST_CODES[code]);
  const ofRequests = [...ofHttp, ...streamCodes];
  assert.deepEqual([...ANY_SIZE, 'request_timeout'].sort(), ofRequests.sort());
});

test('an event that never gets through blocks no other, and is finally excluded', async (t) => {
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

test('while nothing gets through, no event is taken for the blocking one', async (t) => {
  let isAway = true;
  const made = await rig((events) => (isAway ? undefined : stored(events)));
  made.gateway.admission = () => (isAway ? new Response(null, { status: 502 }) : stored([]));
  t.after(() => made.gateway.close());
  const sent = ['a', 'b', 'c', 'd'];
  for (const id of sent) made.outbox.add(entry(id, 100));
  for (let post = 0; post < 50; post++) assert(await made.poster.post());
  assert.deepEqual(made.stuck, []);
  // An attempt with all events follows the one without the suspects.
  while (made.outbox.suspects.size > 0) await made.poster.post();
  isAway = false;
  while (made.outbox.waiting > 0) await made.poster.post();
  assert.deepEqual(made.ids, sent);
});

test('the size limit: halved by failures, raised by successes, never by less', () => {
  const fit = new SizeLimit(64_000, 256_000);
  fit.passed(100, 64_000);
  assert.equal(fit.bytes, 64_000, 'a short body says nothing of long ones');
  fit.passed(64_000, 64_000);
  assert.equal(fit.bytes, 128_000);
  fit.passed(64_000, 64_000);
  assert.equal(fit.bytes, 128_000, 'one that was sent before it grew says nothing new');
  fit.passed(128_000, 128_000, false);
  assert.equal(fit.bytes, 128_000, 'a slow one is long enough');
  fit.failed(300_000, true);
  assert.deepEqual([fit.bytes, fit.careful], [128_000, true], 'a failure never raises it');
  fit.failed(120_000, true);
  assert.deepEqual([fit.bytes, fit.careful], [60_000, true]);
  fit.passed(60_000, 60_000);
  assert.deepEqual([fit.bytes, fit.careful], [67_500, false]);
  fit.passed(120_000, 67_500);
  assert.equal(fit.bytes, 240_000, 'what failed before gets through now');
});
