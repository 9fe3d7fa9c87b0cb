/** Rejections while Kafka accepts no events: credit, buffer, drain. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type KafkaCluster, startCluster } from '../../deploy/kafka/cluster.ts';
import { LIMITS } from '../../src/config/limits.ts';
import { arrayOf, good, goodOfBytes } from '../../testing/events.ts';
import { FrameClient } from '../../testing/frame-client.ts';
import { PlainClient } from '../../testing/plain-client.ts';
import { ponged } from '../../testing/socket.ts';
import {
  accountOf,
  freshMetrics,
  metricsAtRest,
  type PostAnswer,
  post,
  Tally,
} from '../../testing/stage.ts';
import { until } from '../../testing/wait.ts';
import { RawHttp } from '../support/raw-http.ts';
import { assertRefused } from '../support/refusals.ts';
import { useFrameClient, useStage } from '../support/use-stage.ts';

const MAX_FRAME_BYTES = 65_536;
const LIMIT_BYTES = 4 * 1_048_576;
const RESTART = { code: 1012, reason: 'restart' };

let cluster: KafkaCluster;
let plain: PlainClient;
const tally = new Tally();

const stage = useStage(async () => {
  // A paused node stays the leader: stalled, not dead.
  cluster = await startCluster({ overrides: { 'broker.session.timeout.ms': '9000' } });
  const env = { FOREBAY_BUFFER_BYTES: String(LIMIT_BYTES), FOREBAY_HTTP_TIMEOUT_MS: '60000' };
  return { brokers: cluster.brokers, env };
});
const client = useFrameClient(stage);
stage.atStart(async () => {
  plain = await new PlainClient({ url: stage.gateway.wsUrl }).open();
  stage.atEnd(() => plain.close());
  stage.atEnd(() => cluster.resume(0));
});
after(() => cluster?.close());

/** Resumes Kafka and waits until everything is stored. */
async function resume(): Promise<void> {
  cluster.resume(0);
  await metricsAtRest(stage.gateway, 30_000);
}

test('credit_exceeded: one frame or byte beyond the credit ends the connection with 1008', async () => {
  cluster.pause(0);
  // Nothing settles, so the first grant is all credit.
  const many = await FrameClient.open(stage.gateway.wsUrl);
  const { credit } = many.incoming;
  const frames = Array.from({ length: credit.frames }, (_, index) => good(`f${index}`));
  for (const frame of frames) many.send(frame);
  const long = await FrameClient.open(stage.gateway.wsUrl);
  const events: string[] = [];
  for (let bytes = 0; bytes < credit.bytes; bytes += MAX_FRAME_BYTES) {
    events.push(goodOfBytes(`b${bytes}`, MAX_FRAME_BYTES));
    long.send(events.at(-1)!);
  }
  assert.equal(events.join('').length, credit.bytes);
  // A ping is answered after everything before it: everything within the credit was accepted.
  await Promise.all([many, long].map(({ socket }) => ponged(socket)));
  assert(many.isOpen && long.isOpen);
  many.send(good('beyond'));
  long.send(' ');
  const exceeded = { code: 1008, reason: 'credit_exceeded' };
  assert.deepEqual([await many.ended(), await long.ended()], [exceeded, exceeded]);
  assert.deepEqual([...many.texts, ...long.texts].length, 2, 'only hello');
  await resume();
  tally.ws(frames.length + events.length);
  assert.deepEqual(
    await accountOf(stage.gateway),
    tally.account,
    'frames beyond the credit are not counted',
  );
  assert.deepEqual((await stage.newValues()).sort(), [...frames, ...events].sort());
  const metrics = await stage.gateway.metrics();
  const closed = metrics.value('forebay_connections_closed_total', { reason: 'credit_exceeded' });
  assert.equal(closed, 2);
  assert(client.isOpen, 'other connections stay open');
});

/**
 * Overfills the buffer, so that no partition's batch has room for a long event, with bodies that
 * stay unanswered while Kafka is paused.
 */
async function fill(): Promise<{ events: string[]; answer: Promise<PostAnswer> }[]> {
  const bodies = Array.from({ length: 8 }, (_, body) => {
    const events = Array.from({ length: 10 }, (_, index) =>
      goodOfBytes(`h${body}-${index}`, 60_000),
    );
    return { events, answer: post(stage, arrayOf(events)) };
  });
  await until(async () => {
    const metrics = await stage.gateway.metrics();
    const received = metrics.value('forebay_events_received_total', { transport: 'http' });
    return received === tally.received.http + 10 * bodies.length;
  });
  return bodies;
}

test('buffer_full: events and frames beyond the buffer are rejected, accepted events stored once Kafka responds', async () => {
  cluster.pause(0);
  const bodies = await fill();
  const ready = await until(async () => {
    const answer = await fetch(`${stage.gateway.httpUrl}/readyz`);
    return answer.status === 503 ? answer.text() : undefined;
  });
  assert.match(ready, /buffer/);
  const big = goodOfBytes('big', 60_000);
  assertRefused(await client.exchange(big), ['buffer_full']);
  const mixed = arrayOf([good('before'), '{}', good('after')]);
  assertRefused(await client.exchange(mixed), ['buffer_full']);
  const alone = await post(stage, arrayOf([big, big, '{}']));
  assert.equal(alone.status, 503);
  assert.match(alone.headers.get('retry-after') ?? '', /^[1-9]\d*$/);
  assertRefused(alone.body.errors, ['buffer_full']);
  plain.socket.send(big);
  await until(async () => {
    const metrics = await stage.gateway.metrics();
    return metrics.value('forebay_events_dropped_total', { reason: 'buffer_full' }) === 1;
  });
  const full = await freshMetrics(stage.gateway);
  assert(full.value('forebay_buffer_bytes') <= LIMIT_BYTES);
  assert(full.value('forebay_events_in_flight') > 0);
  assert.equal(full.value('forebay_events_unaccounted'), 0);
  await resume();

  tally.drop('buffer_full', 1);
  tally.http(0, { buffer_full: 3 });
  tally.ws(0, { buffer_full: 4 });
  const stored: string[] = [];
  for (const { events, answer } of bodies) {
    const taken = notRefused(events, (await answer).body.errors);
    assert.equal((await answer).body.accepted, taken.length);
    tally.http(taken.length, { buffer_full: events.length - taken.length });
    stored.push(...taken);
  }
  assert.deepEqual((await stage.newValues()).sort(), stored.sort());
  assert.deepEqual(await accountOf(stage.gateway), tally.account);
  assert.deepEqual(await client.exchange(big), [], 'the buffer has room again');
  tally.ws(1);
  await stage.newRecords();
  await stage.gateway.ready();
});

/** Returns the events that no rejection names; without numbers, it names the whole body. */
function notRefused(events: readonly string[], errors: PostAnswer['body']['errors']): string[] {
  if (errors.some(({ events: named }) => named === undefined)) return [];
  const ranges = errors.flatMap(({ events: named }) => named ?? []);
  return events.filter((_, index) => !ranges.some(([a, b]) => a <= index && index <= b));
}

test('draining: frames after the grace period are rejected, earlier ones stored and acknowledged', async () => {
  const { gateway } = stage;
  cluster.pause(0);
  const inFlight = client.send(good('in flight'));
  const open = post(stage, good('open request'));
  const kept = new RawHttp(gateway.port);
  kept.request('POST /events', {}, '[]');
  assert.equal((await kept.answer()).status, 200);
  await until(async () => (await freshMetrics(gateway)).value('forebay_events_in_flight') === 2);
  gateway.signal('SIGTERM');
  await until(async () => {
    const metrics = await gateway.metrics();
    return metrics.value('forebay_workers', { state: 'draining' }) === 1;
  });
  await until(() => client.incoming.goaway !== undefined);
  await sleep(LIMITS.goawayGraceMs + 200);
  const frame = client.send(arrayOf([good('late'), '{}', good('later')]));
  plain.socket.send(arrayOf([good('late'), good('later')]));
  await until(async () => {
    const metrics = await gateway.metrics();
    return metrics.value('forebay_events_dropped_total', { reason: 'draining' }) === 2;
  });
  kept.request('POST /events', {}, good('late'));
  const late = await kept.answer();
  assert.equal(late.status, 503);
  assert.match(late.headers.get('retry-after') ?? '', /^\d+$/);
  assert.match(late.body, /"code":"draining".*"events":\[\[0,0\]\]/);
  await assert.rejects(once(connect(gateway.port, '127.0.0.1'), 'connect'), /ECONNREFUSED/);
  tally.drop('draining', 2);
  tally.ws(0, { draining: 2, schema: 1 });
  tally.http(0, { draining: 1 });
  const draining = await freshMetrics(gateway);
  assert.equal(draining.value('forebay_events_unaccounted'), 0);
  assert.equal(draining.value('forebay_draining'), 1);
  assert.equal(draining.value('forebay_events_refused_total', { reason: 'draining' }), 3);
  assert.equal(draining.value('forebay_events_in_flight'), 2);
  cluster.resume(0);
  assertRefused(await client.fate(frame), ['draining', [0, 0], [2, 2]], ['schema', [1, 1]]);
  assert.deepEqual(await client.fate(inFlight), []);
  assert.deepEqual((await open).body, { accepted: 1, errors: [] });
  assert.deepEqual([await client.ended(), await plain.closed], [RESTART, RESTART]);
  assert.equal((await gateway.exit).code, 0);
  assert.deepEqual((await stage.newValues()).sort(), [good('in flight'), good('open request')]);
  assert.deepEqual([...client.violations, ...plain.received, ...gateway.errors], []);
});
