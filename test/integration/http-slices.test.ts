/** Long bodies, which are decoded over many turns of the loop. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { arrayOf, good, goodOfBytes } from '../../testing/events.ts';
import { FrameClient } from '../../testing/frame-client.ts';
import { accountOf, post, Tally } from '../../testing/stage.ts';
import { until } from '../../testing/wait.ts';
import { RawHttp } from '../support/raw-http.ts';
import { assertRefused } from '../support/refusals.ts';
import { useStage } from '../support/use-stage.ts';

const LINES = 'application/x-ndjson';
/** Numbered events of one key, nearly 1 MiB in total. */
const EVENTS = Array.from({ length: 8_400 }, (_, index) =>
  good('same', { clientId: 'one key', number: index, filling: 'x'.repeat(20) }),
);
/** The slowest body to decode: only brackets, at the maximum depth. */
const NEST = `${'['.repeat(60)}${']'.repeat(60)},`;
const DEEP = arrayOf(
  Array.from({ length: 15 }, (_, index) =>
    good(`deep ${index}`, { deep: 0 }).replace('0}', `[${NEST.repeat(530)}1]}`),
  ),
);

let tally = new Tally();
const stage = useStage();

test('ten thousand events, as an array or lines: stored unchanged, those of one key in order', async () => {
  for (const [body, type] of [
    [arrayOf(EVENTS), 'application/json'],
    [` ${EVENTS.join('\r\n\n')}`, 'text/plain'],
    [EVENTS.join('\n'), LINES],
  ] as const) {
    const answer = await post(stage, body, type);
    assert.deepEqual(answer.body, { accepted: EVENTS.length, errors: [] });
    assert.deepEqual(await stage.newValues(), EVENTS);
    tally.http(EVENTS.length);
  }
});

test('a syntax error at the end of an array rejects it before anything is stored', async () => {
  for (const end of ['', ',]', ']x', `,${good('x').slice(0, -1)}]`]) {
    const answer = await post(stage, `[${EVENTS.join(',')}${end}`);
    assert.equal(answer.status, 400);
    assertRefused(answer.body.errors, ['invalid_json']);
    tally.http(0, { invalid_json: 1 });
  }
  assert.deepEqual(await stage.newValues(), []);
});

test('invalid events among many are named by index', async () => {
  const events = [...EVENTS];
  for (const at of [0, 4_999, 5_000, 8_399]) events[at] = '{}';
  events[77] = '1';
  events[5] = goodOfBytes('long', 65_537);
  const stored = events.filter((_, index) => ![0, 5, 77, 4_999, 5_000, 8_399].includes(index));
  for (const [body, type] of [[arrayOf(events)], [events.join('\n'), LINES]] as const) {
    const { status, body: answer } = await post(stage, body, type);
    assert.deepEqual([status, answer.accepted], [207, stored.length]);
    assertRefused(
      answer.errors,
      ['schema', [0, 0], [4_999, 5_000], [8_399, 8_399]],
      ['too_large', [5, 5]],
      ['not_an_object', [77, 77]],
    );
    assert.deepEqual(await stage.newValues(), stored);
    tally.http(stored.length, { schema: 4, too_large: 1, not_an_object: 1 });
  }
});

test('a client disconnects after its body: its events are stored nevertheless', async () => {
  const http = new RawHttp(stage.gateway.port);
  http.request('POST /events', { 'Content-Encoding': 'gzip' }, gzipSync(arrayOf(EVENTS)));
  await http.flushed();
  http.destroy();
  const values: string[] = [];
  await until(async () => values.push(...(await stage.newValues())) >= EVENTS.length);
  assert.deepEqual(values, EVENTS);
  tally.http(EVENTS.length);
});

test('concurrent long bodies of many clients: all are answered, and a frame among them', async () => {
  const client = await FrameClient.open(stage.gateway.wsUrl);
  let isOver = false;
  const bodies = Promise.all(Array.from({ length: 10 }, () => post(stage, DEEP))).finally(() => {
    isOver = true;
  });
  let frames = 0;
  while (!isOver) {
    assert.deepEqual(await client.exchange(good(`frame ${frames}`)), []);
    frames++;
  }
  for (const { body } of await bodies) assert.deepEqual(body, { accepted: 15, errors: [] });
  await client.close();
  tally.http(150);
  tally.ws(frames);
  assert(frames > 1, `${frames} frames between them`);
  assert.equal((await stage.newValues()).length, 150 + frames);
});

test('all events are accounted for', async () => {
  assert.deepEqual(await accountOf(stage.gateway), tally.account);
});

test('a stop while bodies wait for decoding: each has a correct response', async () => {
  tally = new Tally();
  const bodies = Array.from({ length: 20 }, () => new RawHttp(stage.gateway.port));
  // The first one is decoded soon.
  for (const [index, http] of bodies.entries()) {
    http.request('POST /events', {}, index === 0 ? arrayOf(EVENTS.slice(0, 500)) : DEEP);
  }
  await until(() => bodies.some(({ rest }) => rest !== ''), { everyMs: 1 });
  assert(
    bodies.some(({ rest }) => rest === ''),
    'some were unanswered when it began',
  );
  const stopped = stage.gateway.stop();
  let accepted = 0;
  for (const http of bodies) {
    const answer = await http.answer();
    assert([200, 503].includes(answer.status), `${answer.status}`);
    accepted += (JSON.parse(answer.body) as { accepted: number }).accepted;
  }
  assert.deepEqual(await stopped, { code: 0, signal: null });
  assert.equal((await stage.newValues()).length, accepted);
  assert.deepEqual(stage.gateway.errors, []);
});
