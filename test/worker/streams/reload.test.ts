import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readConfig } from '../../../src/config/config.ts';
import { LIMITS, MIB } from '../../../src/config/limits.ts';
import { implicitStream } from '../../../src/streams/implicit-stream.ts';
import { REFUSE, type StreamFile, type StreamSpec } from '../../../src/streams/stream-file.ts';
import { Accumulator } from '../../../src/worker/accumulator/accumulator.ts';
import { Budget } from '../../../src/worker/accumulator/budget.ts';
import type { Topic } from '../../../src/worker/accumulator/topic.ts';
import { ANONYMOUS } from '../../../src/worker/admission/identity.ts';
import { Faults } from '../../../src/worker/faults.ts';
import { ActiveStreams } from '../../../src/worker/streams/active-streams.ts';
import { createStreams, createTopics } from '../../../src/worker/streams/create-streams.ts';
import { StreamReload } from '../../../src/worker/streams/reload.ts';
import { RejectingRoute } from '../../../src/worker/streams/route.ts';
import { appendEvent } from '../../../testing/batches.ts';
import { until } from '../../../testing/wait.ts';
import { reportingTo } from './record-stage.ts';

const [IMPLICIT] = implicitStream(readConfig({})).streams;
const EVENT_TIMEOUT_MS = 400;
const MAX_EVENT_BYTES = 65_536;
const SETTINGS = { maxFrameBytes: MAX_EVENT_BYTES, instance: 'here' };
const LEADER = {
  id: 1,
  address: { host: 'broker', port: 9092 },
  connected: true,
  sentAtMs: 0,
  mutedUntilMs: 0,
};

type Streams = Readonly<Record<string, Partial<StreamSpec>>>;

/** A version in which each stream has a topic of its name unless it states another. */
function fileOf(streams: Streams): StreamFile {
  return {
    routing: { field: ['type'], unknown: REFUSE },
    deadLetter: undefined,
    streams: Object.entries(streams).map(([name, spec]) => {
      return { ...IMPLICIT!, name, topic: name, match: [name], create: undefined, ...spec };
    }),
  };
}

/** The streams of a worker whose producer only keeps topics and their batches. */
class Rig {
  readonly budget = new Budget(16 * MIB);
  readonly topics: Topic[];
  readonly streams: ActiveStreams;
  readonly removed: string[] = [];
  readonly accumulator = new Accumulator({
    budget: this.budget,
    batchBytes: 16_384,
    maxEventBytes: MAX_EVENT_BYTES,
  });
  readonly reload: StreamReload;
  /** Arrival of a frame that is not decoded yet. */
  queuedAtMs = Number.POSITIVE_INFINITY;
  resumed = 0;
  applied = 0;

  /** @param isKnown false = Kafka never answers for the topic */
  constructor(
    streams: Streams,
    isKnown: (topic: string) => boolean = () => true,
    eventTimeoutMs = EVENT_TIMEOUT_MS,
  ) {
    const file = fileOf(streams);
    const { counters, log } = reportingTo();
    const reporting = { counters, log, faults: new Faults(() => {}) };
    const users = { ...file, areDeclared: true };
    this.topics = createTopics(users, this.budget, MAX_EVENT_BYTES);
    this.topics.forEach(makeUsable);
    this.streams = new ActiveStreams(
      createStreams({ file, areDeclared: true }, this, SETTINGS, reporting),
    );
    this.reload = new StreamReload({
      streams: this.streams,
      budget: this.budget,
      topics: this.topics,
      producer: {
        addTopic: (topic) => {
          this.topics.push(topic);
          if (isKnown(topic.name)) makeUsable(topic);
        },
        removeTopic: (topic) => {
          this.removed.push(topic.name);
          this.topics.splice(this.topics.indexOf(topic), 1);
        },
        resume: () => this.resumed++,
      },
      connections: {
        applyStreams: () => this.applied++,
        decodesFramesUntil: (ms) => this.queuedAtMs <= ms,
      },
      reporting,
      settings: SETTINGS,
      eventTimeoutMs,
    });
  }

  apply(streams: Streams): Promise<boolean> {
    return this.reload.apply(fileOf(streams));
  }

  topic(name: string): Topic {
    const topic = this.topics.find((each) => each.name === name);
    assert(topic !== undefined, name);
    return topic;
  }

  /** Accepts an event into the topic. */
  append(name: string, arrivalMs = performance.now()): void {
    const value = Buffer.from('{}');
    const code = appendEvent(this.accumulator, this.topic(name), undefined, value, { arrivalMs });
    assert.equal(code, undefined);
  }

  /** Takes the next batch of the topic, as the producer does; its senders have their results. */
  take(name: string): boolean {
    const batch = this.topic(name).partitions[0]!.queue.take();
    if (batch !== undefined) this.accumulator.release(batch);
    return batch !== undefined;
  }

  /** Answer to an event for the stream: its topic, or the code of its rejection. */
  answer(name: string): string {
    const route = this.streams.table.routeOf(name, {
      identity: ANONYMOUS,
      origin: '',
      plain: false,
    });
    if (route instanceof RejectingRoute) return route.rejection;
    return route.stream?.topic.name ?? 'no stream';
  }
}

function makeUsable(topic: Topic): void {
  topic.state = 'known';
  topic.resize(1);
  for (const partition of topic.partitions) {
    partition.lane.setProducerId(1n, 0);
    partition.setLeader(LEADER, performance.now());
  }
}

const open = { access: 'open' } as const;
const A = { a: open };

test('a removed stream answers draining while an event of it has no result, then unknown_stream', async () => {
  const rig = new Rig({ ...A, b: open });
  rig.append('b');
  assert(await rig.apply(A));
  assert.equal(rig.answer('b'), 'draining');
  const route = rig.streams.table.routeOf(undefined, {
    identity: ANONYMOUS,
    origin: '',
    plain: false,
  });
  assert.equal(route.streamOf({ type: 'b' }), 'draining', 'by its field too');
  assert.deepEqual(route.names, ['a']);
  rig.take('b');
  await until(() => rig.answer('b') === 'unknown_stream', { everyMs: 1, what: 'its end' });
  assert.equal(rig.applied, 2, 'connections learn of both');
});

test('a removed stream without results ends after the event timeout; a queued frame keeps it too', async () => {
  const rig = new Rig({ ...A, b: open, c: open });
  rig.append('b');
  rig.queuedAtMs = performance.now();
  const startMs = performance.now();
  await rig.apply(A);
  assert.deepEqual([rig.answer('b'), rig.answer('c')], ['draining', 'draining']);
  rig.queuedAtMs = Number.POSITIVE_INFINITY;
  await until(() => rig.answer('c') === 'unknown_stream', { everyMs: 1, what: 'the end of c' });
  assert.equal(rig.answer('b'), 'draining');
  await until(() => rig.answer('b') === 'unknown_stream', { everyMs: 1, what: 'the end of b' });
  assert(performance.now() - startMs >= EVENT_TIMEOUT_MS);
});

test('a stream that returns before its end accepts events at once', async () => {
  const rig = new Rig({ ...A, b: open });
  rig.append('b');
  await rig.apply(A);
  await rig.apply({ ...A, b: open });
  assert.equal(rig.answer('b'), 'b');
  rig.take('b');
  await rig.apply(A);
  await until(() => rig.answer('b') === 'unknown_stream', { everyMs: 1, what: 'its end' });
});

test('batches of a new topic wait for the frames and events of the old one', async () => {
  const rig = new Rig(A);
  rig.append('a');
  rig.queuedAtMs = performance.now();
  await rig.apply({ a: { ...open, topic: 'b' } });
  assert.equal(rig.answer('a'), 'b');
  rig.append('b');
  assert(!rig.take('b'), 'a frame for the old topic is queued');
  // It is decoded after the switch.
  rig.append('a');
  rig.queuedAtMs = Number.POSITIVE_INFINITY;
  assert(rig.take('a') && !rig.take('a'));
  await until(() => rig.resumed === 1, { everyMs: 1, what: 'the release' });
  assert(rig.take('b'));
});

test('events that the new topic had before are not held, and other streams wait a second at most', async () => {
  const eventTimeoutMs = 10 * LIMITS.sharedTopicHoldMs;
  const rig = new Rig({ ...A, b: open }, () => true, eventTimeoutMs);
  rig.append('a');
  rig.append('b');
  const startMs = performance.now();
  await rig.apply({ a: { ...open, topic: 'b' }, b: open });
  rig.append('b');
  assert(rig.take('b'), 'it was there before');
  assert(!rig.take('b'));
  await until(() => rig.resumed === 1, { everyMs: 1, what: 'the release' });
  assert(rig.take('b'));
  const heldMs = performance.now() - startMs;
  assert(heldMs >= LIMITS.sharedTopicHoldMs, `${heldMs} ms`);
  assert(heldMs < eventTimeoutMs, `${heldMs} ms`);
});

test('two streams that exchange topics do not wait for each other’s new events', async () => {
  const rig = new Rig({ ...A, b: open });
  rig.append('a');
  rig.append('b');
  await rig.apply({ a: { ...open, topic: 'b' }, b: { ...open, topic: 'a' } });
  rig.append('a');
  rig.append('b');
  for (const name of ['a', 'b']) assert(rig.take(name) && !rig.take(name), name);
  const startMs = performance.now();
  await until(() => rig.take('a'), { everyMs: 1, what: 'the new events of one' });
  await until(() => rig.take('b'), { everyMs: 1, what: 'the new events of the other' });
  assert(performance.now() - startMs < EVENT_TIMEOUT_MS);
});

test('topics that exchange streams while a frame is queued, or exchange them back, do not block', async () => {
  const eventTimeoutMs = 10 * LIMITS.sharedTopicHoldMs;
  for (const back of [false, true]) {
    const rig = new Rig({ ...A, b: open }, () => true, eventTimeoutMs);
    rig.queuedAtMs = performance.now();
    const startMs = performance.now();
    await rig.apply({ a: { ...open, topic: 'b' }, b: { ...open, topic: 'a' } });
    rig.append('a');
    rig.append('b');
    if (back) await rig.apply({ ...A, b: open });
    rig.append('a');
    rig.queuedAtMs = Number.POSITIVE_INFINITY;
    await until(() => rig.take('a'), { everyMs: 1, what: 'the new events of one' });
    await until(() => rig.take('b'), { everyMs: 1, what: 'the new events of the other' });
    assert(performance.now() - startMs < eventTimeoutMs / 2, `back: ${back}`);
  }
});

test('topics in a circle, each with old frames behind held batches, wait a second at most', async () => {
  const eventTimeoutMs = 10 * LIMITS.sharedTopicHoldMs;
  const rig = new Rig({ ...A, b: open }, () => true, eventTimeoutMs);
  const arrivalMs = performance.now();
  rig.queuedAtMs = arrivalMs;
  await rig.apply({ a: { ...open, topic: 'b' }, b: { ...open, topic: 'a' } });
  rig.append('a', arrivalMs);
  rig.append('b', arrivalMs);
  rig.queuedAtMs = Number.POSITIVE_INFINITY;
  await until(() => rig.take('a'), { everyMs: 1, what: 'the events of one' });
  await until(() => rig.take('b'), { everyMs: 1, what: 'the events of the other' });
  assert(performance.now() - arrivalMs < eventTimeoutMs / 2);
});

test('a stream does not wait for the stuck topic of another that moves to the same one', async () => {
  const eventTimeoutMs = 10 * LIMITS.sharedTopicHoldMs;
  const rig = new Rig({ ...A, b: open }, () => true, eventTimeoutMs);
  rig.append('a');
  const startMs = performance.now();
  await rig.apply({ a: { ...open, topic: 'c' }, b: { ...open, topic: 'c' } });
  rig.append('c');
  await until(() => rig.take('c'), { everyMs: 1, what: 'the event of b' });
  assert(performance.now() - startMs < eventTimeoutMs / 2);
});

test('a drain does not wait for the event timeout of a former topic', async () => {
  const eventTimeoutMs = 10 * LIMITS.sharedTopicHoldMs;
  const rig = new Rig(A, () => true, eventTimeoutMs);
  rig.append('a');
  const startMs = performance.now();
  await rig.apply({ a: { ...open, topic: 'b' } });
  rig.append('b');
  rig.reload.drain();
  await until(() => rig.take('b'), { everyMs: 1, what: 'the new event' });
  assert(performance.now() - startMs < eventTimeoutMs / 2);
});

test('a version that follows soon waits for the topics of the version before it', async () => {
  const rig = new Rig(A, () => false);
  const waiting = rig.apply({ ...A, b: open });
  const next = rig.apply({ ...A, b: { ...open, owner: 'team' } });
  assert.equal(await waiting, false);
  const first = await Promise.race([next, new Promise((resolve) => setTimeout(resolve, 100))]);
  assert.equal(first, undefined, 'it waits');
  makeUsable(rig.topic('b'));
  assert(await next);
});

test('a topic without a stream is forgotten after the event timeout, with no event awaited', async () => {
  const rig = new Rig({ ...A, b: open, c: open });
  rig.append('b');
  const startMs = performance.now();
  await rig.apply(A);
  assert(!rig.topic('b').required, 'it does not affect readiness');
  await until(() => rig.removed.length === 1, { everyMs: 1, what: 'the end of c' });
  assert.deepEqual(rig.removed, ['c']);
  assert(performance.now() - startMs >= EVENT_TIMEOUT_MS);
  rig.take('b');
  await until(() => rig.removed.length === 2, { everyMs: 1, what: 'the end of b' });
});

test('a version that waits for a topic is replaced by a later one; streams serve meanwhile', async () => {
  const rig = new Rig(A, (topic) => topic !== 'slow');
  const waiting = rig.apply({ ...A, slow: open });
  assert.equal(rig.answer('a'), 'a');
  assert.equal(rig.answer('slow'), 'unknown_stream');
  assert(await rig.apply({ ...A, b: open }));
  assert.equal(await waiting, false);
  assert.deepEqual([rig.answer('slow'), rig.answer('b')], ['unknown_stream', 'b']);
  await until(() => rig.removed.includes('slow'), { everyMs: 1, what: 'the end of its topic' });
});

test('a topic that does not exist delays the switch only if it is created', async () => {
  const rig = new Rig(A, () => false);
  const waiting = rig.apply({ ...A, b: open });
  rig.topic('b').state = 'missing';
  assert(await waiting);
  assert.equal(rig.answer('b'), 'b');
  const create = { partitions: 1, replication: 1, config: {} };
  const created = rig.apply({ ...A, b: open, c: { ...open, create } });
  rig.topic('c').state = 'missing';
  const first = await Promise.race([created, new Promise((resolve) => setTimeout(resolve, 100))]);
  assert.equal(first, undefined, 'it waits');
  makeUsable(rig.topic('c'));
  assert(await created);
});

test('an unusable schema changes nothing', async () => {
  const rig = new Rig(A);
  const text = '{"type":1}';
  const schema = { file: '/schema.json', text, mode: 'enforce', candidate: undefined } as const;
  await assert.rejects(rig.apply({ a: { ...open, topic: 'b', schema } }), /schema\.json/);
  assert.equal(rig.answer('a'), 'a');
  await until(() => rig.removed.includes('b'), { everyMs: 1, what: 'the end of its topic' });
});

test('the topic of an internal stream stays while the streams in use name it, and no longer', async () => {
  const rig = new Rig({ a: {}, letters: { internal: true } });
  const schema = {
    file: '/x.json',
    text: '{"type":1}',
    mode: 'enforce',
    candidate: undefined,
  } as const;
  await assert.rejects(rig.apply({ a: { schema }, b: {} }));
  await until(() => rig.removed.includes('b'), { everyMs: 1, what: 'the end of an unused topic' });
  assert.deepEqual(rig.removed, ['b']);
  assert(await rig.apply({ a: {} }));
  await until(() => rig.removed.includes('letters'), { everyMs: 1, what: 'the end of its topic' });
});

test('a stream that stays the same keeps its state, and a rate limit goes on', async () => {
  const limits = { eventBytes: undefined, eventsPerSecond: 5, bufferShare: 0.5 };
  const rig = new Rig({ a: { ...open, limits }, b: open });
  const [a, b] = rig.streams.table.streams;
  await rig.apply({ a: { ...open, limits, plain: 'refuse' }, b: open });
  const [changed, same] = rig.streams.table.streams;
  assert.equal(same, b);
  assert.notEqual(changed, a);
  assert.equal(changed?.buckets, a?.buckets);
  const limitBytes = rig.topic('b').share?.eventLimitBytes ?? 0;
  assert((rig.topic('a').share?.eventLimitBytes ?? limitBytes) < limitBytes, 'a smaller share');
});
