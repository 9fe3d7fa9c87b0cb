/** Rejections by a topic's configuration: `too_large` and `rejected_by_kafka`. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { arrayOf, good, goodOfBytes } from '../../testing/events.ts';
import { FrameClient } from '../../testing/frame-client.ts';
import { accountOf, freshMetrics, post, Tally } from '../../testing/stage.ts';
import { assertRefused } from '../support/refusals.ts';
import { useAnyObjectSchema, useFrameClient, useStage } from '../support/use-stage.ts';

const MAX_MESSAGE_BYTES = 2_000;
const POISON_ERRORS = 'forebay_produce_errors_total';

const short = useStage({ config: { 'max.message.bytes': String(MAX_MESSAGE_BYTES) } });
const compact = useStage({
  config: { 'cleanup.policy': 'compact' },
  // Records with and without a key share a batch.
  partitions: 1,
  env: { FOREBAY_EVENT_SCHEMA: useAnyObjectSchema(), KAFKA_LINGER_MS: '50' },
});
const toShort = useFrameClient(short);
const toCompact = useFrameClient(compact);
const shortTally = new Tally();
const compactTally = new Tally();

test('too_large alone: an event longer than the topic’s max.message.bytes', async () => {
  assertRefused(await toShort.exchange(goodOfBytes('long', 3_000)), ['too_large', [0, 0]]);
  assert.deepEqual(await short.newRecords(), []);
  shortTally.ws(0, { too_large: 1 });
});

test('too_large among valid events: others with the same keys are stored in order', async () => {
  const key = { clientId: 'one key' };
  const events = Array.from({ length: 30 }, (_, index) =>
    index % 3 === 1 ? good(`${index}`, { ...key, msg: 'x'.repeat(2_500) }) : good(`${index}`, key),
  );
  const fits = events.filter((text) => text.length < 1_000);
  const ranges = Array.from({ length: 10 }, (_, index): [number, number] => {
    const third = 3 * index + 1;
    return [third, third];
  });
  assertRefused(await toShort.exchange(arrayOf(events)), ['too_large', ...ranges]);
  assert.deepEqual(await short.newValues(), fits);
  shortTally.ws(fits.length, { too_large: 10 });
});

test('too_large: a key makes a record longer than its event', async () => {
  const ofKey = (keyBytes: number) =>
    good('k', { clientId: 'k'.repeat(keyBytes), msg: 'x'.repeat(1_400 - keyBytes) });
  const [shortKey, longKey] = [ofKey(100), ofKey(800)];
  assert.equal(shortKey.length, longKey.length);
  assertRefused(await toShort.exchange(arrayOf([shortKey, longKey])), ['too_large', [1, 1]]);
  assert.deepEqual(await short.newValues(), [shortKey]);
  shortTally.ws(1, { too_large: 1 });
});

test('many events of one key are sent in batches within the topic’s limit', async () => {
  const before = (await freshMetrics(short.gateway)).value(POISON_ERRORS);
  const events = Array.from({ length: 500 }, (_, index) => good(`${index}`, { clientId: 'k' }));
  assert.deepEqual(await toShort.exchange(arrayOf(events)), []);
  assert.deepEqual(await short.newValues(), events);
  shortTally.ws(500);
  const after = (await freshMetrics(short.gateway)).value(POISON_ERRORS);
  assert.equal(after, before, 'the broker rejected nothing');
});

test('events around max.message.bytes are stored or rejected, never stuck', async () => {
  const edge = Array.from({ length: 130 }, (_, index) =>
    goodOfBytes(`edge${100 + index}`, MAX_MESSAGE_BYTES - 130 + index),
  );
  const stored: string[] = [];
  for (const event of edge) {
    const errors = await toShort.exchange(event);
    if (errors.length === 0) stored.push(event);
    else assertRefused(errors, ['too_large', [0, 0]]);
  }
  assert.deepEqual((await short.newValues()).sort(), stored);
  assert.deepEqual(stored, edge.slice(0, stored.length), 'events beyond one length are rejected');
  assert(stored.length > 0 && stored.length < edge.length);
  shortTally.ws(stored.length, { too_large: edge.length - stored.length });
});

const keyless = (id: string) => `{"id":"${id}"}`;
const keyed = (id: string) => `{"id":"${id}","clientId":"k"}`;

test('rejected_by_kafka alone: a compacted topic accepts no record without a key', async () => {
  assertRefused(await toCompact.exchange(keyless('a')), ['rejected_by_kafka', [0, 0]]);
  assert.deepEqual(await compact.newRecords(), []);
  compactTally.ws(0, { rejected_by_kafka: 1 });
});

test('rejected_by_kafka among valid events: the batch is split, the others stored in order', async () => {
  const before = (await accountOf(compact.gateway)).stored;
  const isBad = (index: number) => index % 7 === 3 || index === 10 || index === 99;
  const events = Array.from({ length: 100 }, (_, index) =>
    isBad(index) ? keyless(`${index}`) : keyed(`${index}`),
  );
  const bad = [...events.keys()].filter(isBad);
  const ranges: [number, number][] = [];
  for (const index of bad) {
    const last = ranges.at(-1);
    if (last?.[1] === index - 1) last[1] = index;
    else ranges.push([index, index]);
  }
  assertRefused(await toCompact.exchange(arrayOf(events)), ['rejected_by_kafka', ...ranges]);
  const stored = events.filter((_, index) => !isBad(index));
  assert.deepEqual(await compact.newValues(), stored);
  compactTally.ws(stored.length, { rejected_by_kafka: bad.length });
  assert.equal((await accountOf(compact.gateway)).stored, before + stored.length);
  const metrics = await compact.gateway.metrics();
  assert(metrics.value(POISON_ERRORS, { class: 'poison' }) > bad.length, 'batches were split');
});

test('rejected_by_kafka does not affect other connections in the same batch', async () => {
  const other = await FrameClient.open(compact.gateway.wsUrl);
  const fates = [];
  for (let index = 0; index < 10; index++) {
    fates.push(toCompact.exchange(keyless(`bad${index}`)));
    fates.push(other.exchange(keyed(`good${index}`)));
  }
  for (const [index, errors] of (await Promise.all(fates)).entries()) {
    if (index % 2 === 0) assertRefused(errors, ['rejected_by_kafka', [0, 0]]);
    else assert.deepEqual(errors, []);
  }
  const expected = Array.from({ length: 10 }, (_, index) => keyed(`good${index}`));
  assert.deepEqual(await compact.newValues(), expected);
  compactTally.ws(10, { rejected_by_kafka: 10 });
  await other.close();
});

test('HTTP: too_large and rejected_by_kafka are 400 alone and 207 among valid events', async () => {
  const long = await post(short, arrayOf([good('h'), goodOfBytes('long', 3_000)]));
  assert.equal(long.status, 207);
  assert.equal(long.body.accepted, 1);
  assertRefused(long.body.errors, ['too_large', [1, 1]]);
  shortTally.http(1, { too_large: 1 });
  const rejected = await post(compact, keyless('h'));
  assert.equal(rejected.status, 400);
  assertRefused(rejected.body.errors, ['rejected_by_kafka', [0, 0]]);
  const mixed = await post(compact, arrayOf([keyless('h'), keyed('h'), keyless('h')]));
  assert.equal(mixed.status, 207);
  assert.equal(mixed.body.accepted, 1);
  assertRefused(mixed.body.errors, ['rejected_by_kafka', [0, 0], [2, 2]]);
  compactTally.http(1, { rejected_by_kafka: 3 });
});

test('all events are accounted for, without protocol violations', async () => {
  assert.deepEqual(await accountOf(short.gateway), shortTally.account);
  assert.deepEqual(await accountOf(compact.gateway), compactTally.account);
  assert.deepEqual([...toShort.violations, ...toCompact.violations], []);
  assert(toShort.isOpen && toCompact.isOpen);
});
