/** `POST /micro/expect`: when it is met, when it ends early, and what it accepts. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { Expectations } from '../../src/micro/expectation.ts';
import { MICRO_LIMITS } from '../../src/micro/limits.ts';
import { BadRequest, readExpectation, readSelection } from '../../src/micro/requests.ts';
import { event, openStand } from './stand.ts';

const HOUR_MS = 3_600_000;
const never = () => new AbortController().signal;

test('it is met at once by events before it, and by later ones when they arrive', async () => {
  const { send, log } = openStand();
  const expectations = new Expectations(log);
  const wanted = { stream: 'default', good: 2, bad: 1, withinMs: HOUR_MS };
  send(event('one'));
  await turn();
  const waiting = expectations.wait(wanted, never());
  send(`[${event('two')},7]`);
  const { met, good, bad } = await waiting;
  assert.deepEqual([met, good, bad], [true, 2, 1]);
  assert.equal((await expectations.wait({ ...wanted, withinMs: 0 }, never())).met, true);
});

test('one event too many fails it at once: it cannot be met any longer', async () => {
  const { send, log } = openStand();
  const expectations = new Expectations(log);
  const waiting = expectations.wait(
    { stream: undefined, good: undefined, bad: 0, withinMs: HOUR_MS },
    never(),
  );
  assert.equal((await waiting).met, true);
  send(`[${event('one')},${event('two')}]`);
  await turn();
  const tooMany = { stream: 'default', good: 1, bad: undefined, withinMs: HOUR_MS };
  const { met, good } = await expectations.wait(tooMany, never());
  assert.deepEqual([met, good], [false, 2]);
});

test('it ends at its timeout, and when its client has gone', async () => {
  const { log } = openStand();
  const expectations = new Expectations(log);
  const wanted = { stream: undefined, good: 1, bad: undefined };
  const late = await expectations.wait({ ...wanted, withinMs: 1 }, never());
  assert.deepEqual([late.met, late.good], [false, 0]);
  const gone = new AbortController();
  const waiting = expectations.wait({ ...wanted, withinMs: HOUR_MS }, gone.signal);
  gone.abort();
  assert.equal((await waiting).met, false);
});

test('only so few may wait at a time that none can take all memory', async () => {
  const { log } = openStand();
  const expectations = new Expectations(log);
  const gone = new AbortController();
  const wanted = { stream: undefined, good: 1, bad: undefined, withinMs: HOUR_MS };
  const all = Array.from({ length: MICRO_LIMITS.expectations }, () => {
    assert(expectations.hasRoom);
    return expectations.wait(wanted, gone.signal);
  });
  assert.equal(expectations.hasRoom, false);
  gone.abort();
  await Promise.all(all);
  assert.equal(expectations.hasRoom, true);
});

test('a dead letter counts as good for its own stream only', async () => {
  const { send, log } = openStand({
    streams: { clicks: { deadLetter: 'rejected' }, rejected: { internal: true } },
  });
  send('[{"n":1},7]', 'clicks');
  await turn();
  await turn();
  const expectations = new Expectations(log);
  const found = async (stream: string | undefined) => {
    const wanted = { stream, good: 0, bad: 0, withinMs: 0 };
    const { good, bad } = await expectations.wait(wanted, never());
    return [good, bad];
  };
  assert.deepEqual(await found('clicks'), [1, 1]);
  assert.deepEqual(await found('rejected'), [1, 0]);
  assert.deepEqual(await found(undefined), [1, 1]);
});

const STREAMS = ['clicks', 'orders'];

test('bad bodies of an expectation are rejected with a message that names the field', () => {
  for (const [body, message] of [
    ['', /not valid JSON/],
    ['[]', /must be a JSON object/],
    ['null', /must be a JSON object/],
    ['{}', /^good or bad is required/],
    ['{"good":-1}', /^good must be a whole number from 0 to 1000000000$/],
    ['{"bad":1.5}', /^bad must be/],
    ['{"good":"3"}', /^good must be/],
    ['{"good":null}', /^good must be/],
    ['{"good":1,"withinMs":60001}', /^withinMs must be a whole number from 0 to 60000$/],
    ['{"good":1,"stream":7}', /^stream must be a string$/],
    ['{"good":1,"stream":"click"}', /^no stream "click": there are clicks, orders$/],
    ['{"good":1,"within":5}', /^unknown field "within"/],
    ['{"good":1,"__proto__":5}', /^unknown field "__proto__"/],
  ] as const) {
    assert.throws(() => readExpectation(body, STREAMS), { message }, body);
    assert.throws(() => readExpectation(body, STREAMS), BadRequest);
  }
  const { default: withinMs } = MICRO_LIMITS.withinMs;
  assert.deepEqual(readExpectation('{"stream":"clicks","good":3,"bad":0}', STREAMS), {
    stream: 'clicks',
    good: 3,
    bad: 0,
    withinMs,
  });
});

test('bad queries of the events are rejected with a message that names the parameter', () => {
  for (const [query, message] of [
    ['?stream=click', /^no stream "click"/],
    ['?format=xml', /^format must be one of json, ndjson$/],
    ['?outcome=good', /^outcome must be one of stored, rejected, dead_letter$/],
    ['?since=-1', /^since must be a whole number/],
    ['?since=1e3', /^since must be/],
    ['?limit=0', /^limit must be a whole number from 1 to 10000$/],
    ['?limit=10001', /^limit must be/],
    ['?steam=clicks', /^unknown parameter "steam"/],
    ['?since=1&since=2', /^since is repeated$/],
  ] as const) {
    assert.throws(() => readSelection(`/micro/events${query}`, STREAMS), { message }, query);
  }
  const { default: limit, bytes } = MICRO_LIMITS.listed;
  const selection = {
    stream: undefined,
    outcome: undefined,
    since: 0,
    limit,
    bytes,
    format: 'json',
  };
  assert.deepEqual(readSelection('/micro/events', STREAMS), selection);
  assert.deepEqual(
    readSelection('/micro/events?stream=orders&outcome=stored&since=7&limit=2', STREAMS),
    {
      stream: 'orders',
      outcome: 'stored',
      since: 7,
      limit: 2,
      bytes,
      format: 'json',
    },
  );
});
