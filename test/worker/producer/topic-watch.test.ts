/** Credibility of partition counts, response by response. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LIMITS } from '../../../src/config/limits.ts';
import { type Finding, TopicWatch } from '../../../src/worker/producer/topic-watch.ts';

const { answers, steadyMs, aloneMs } = LIMITS.fewerPartitions;
const MISSING = 3;

/** A topic, and its brokers; a second passes between two responses. */
class Rig {
  readonly #watch = new TopicWatch();
  nowMs = 1_000;
  brokers = 3;

  /** Response with this number of partitions, all led by broker 7. */
  ask(count: number, broker: number | undefined, topicId?: string): Finding {
    this.nowMs += 1_000;
    const partitionMetadata = Array.from({ length: count }, (_, partitionId) => {
      return { partitionId, leader: 7 };
    });
    const answer = { topicErrorCode: 0, partitionMetadata, ...(topicId && { topicId }) };
    return this.#watch.evaluate(answer, { broker, brokers: this.brokers }, this.nowMs);
  }

  askInVain(topicErrorCode: number): Finding {
    const origin = { broker: 1, brokers: this.brokers };
    return this.#watch.evaluate({ topicErrorCode, partitionMetadata: [] }, origin, this.nowMs);
  }
}

const known = (count: number, recreated = false): Finding => ({
  state: 'known',
  leaders: new Array(count).fill(7),
  recreated,
  doubtful: false,
});
/** Response with `count` partitions while more are believed. */
const doubted = (count: number, believed: number): Finding => ({
  state: 'known',
  leaders: [...new Array(count).fill(7), ...new Array(believed - count).fill(-1)],
  recreated: false,
  doubtful: true,
});

test('more partitions are adopted at once, without sign of another topic', () => {
  const rig = new Rig();
  assert.deepEqual(rig.ask(3, 1), known(3));
  assert.deepEqual(rig.ask(12, 2), known(12));
});

test('fewer partitions are believed when a second broker reports them', () => {
  const rig = new Rig();
  rig.ask(12, 1);
  for (let time = 0; time < 3; time++) assert.deepEqual(rig.ask(3, 1), doubted(3, 12));
  assert.deepEqual(rig.ask(3, 2), known(3, true));
  assert.deepEqual(rig.ask(3, 1), known(3));
});

test('a response with all partitions in between restarts the count', () => {
  const rig = new Rig();
  rig.ask(12, 1);
  rig.ask(3, 1);
  assert.deepEqual(rig.ask(12, 2), known(12));
  assert.deepEqual(rig.ask(3, 2), doubted(3, 12));
  assert.deepEqual(rig.ask(4, 1), doubted(4, 12), 'they do not agree');
  assert.deepEqual(rig.ask(4, 3), known(4, true));
});

test('several equal responses of a single broker over a while are believed', () => {
  const rig = new Rig();
  rig.brokers = 1;
  rig.ask(12, 1);
  const firstMs = rig.nowMs + 1_000;
  for (;;) {
    const finding = rig.ask(3, 1);
    if (rig.nowMs - firstMs >= steadyMs) {
      assert.deepEqual(finding, known(3, true));
      break;
    }
    assert.deepEqual(finding, doubted(3, 12));
  }
  const slow = new Rig();
  slow.brokers = 1;
  slow.ask(12, 1);
  for (let time = 1; time < answers; time++) {
    assert.deepEqual(slow.ask(3, 1), doubted(3, 12), 'too few');
    slow.nowMs += steadyMs;
  }
  assert.deepEqual(slow.ask(3, 1), known(3, true));
});

test('while other brokers are known and do not respond, it takes longer', () => {
  const rig = new Rig();
  rig.ask(12, 1);
  const firstMs = rig.nowMs + 1_000;
  for (const broker of [1, undefined]) {
    for (let time = 0; time < 10; time++) assert.deepEqual(rig.ask(3, broker), doubted(3, 12));
  }
  rig.nowMs = firstMs + aloneMs;
  assert.deepEqual(rig.ask(3, undefined), known(3, true));
});

test('a topic that was missing in between is another one, whatever its partitions', () => {
  for (const count of [3, 12, 20]) {
    const rig = new Rig();
    rig.ask(12, 1);
    assert.deepEqual(rig.askInVain(MISSING), { state: 'missing' });
    assert.deepEqual(rig.ask(count, 1), known(count, true));
    assert.deepEqual(rig.ask(count, 1), known(count));
  }
  const first = new Rig();
  first.askInVain(MISSING);
  assert.deepEqual(first.ask(12, 1), known(12), 'it did not exist before');
});

test('another id is another topic, whatever its partitions', () => {
  for (const count of [3, 12, 20]) {
    const rig = new Rig();
    rig.ask(12, 1, 'a');
    assert.deepEqual(rig.ask(count, 1, 'b'), known(count, true));
    assert.deepEqual(rig.ask(count, 2, 'b'), known(count));
    assert.deepEqual(rig.ask(12, 3, 'a'), { state: 'stale' }, 'unaware of the deletion');
    assert.deepEqual(rig.ask(count, 1, 'b'), known(count));
  }
});

test('a topic taken for a former one returns when two brokers report it', () => {
  const rig = new Rig();
  rig.ask(2, 1, 'younger');
  assert.deepEqual(rig.ask(4, 3, 'older'), known(4, true), 'their order is unknown');
  assert.deepEqual(rig.ask(2, 1, 'younger'), { state: 'stale' });
  assert.deepEqual(rig.ask(2, 1, 'younger'), { state: 'stale' });
  assert.deepEqual(rig.ask(2, 2, 'younger'), known(2, true));
  assert.deepEqual(rig.ask(4, 3, 'older'), { state: 'stale' });
});

test('the same id is the same topic, missing in between or not', () => {
  const rig = new Rig();
  rig.ask(12, 1, 'a');
  rig.askInVain(MISSING);
  assert.deepEqual(rig.ask(12, 2, 'a'), known(12));
  const firstMs = rig.nowMs + 1_000;
  assert.deepEqual(rig.ask(3, 2, 'a'), doubted(3, 12));
  assert.deepEqual(rig.ask(3, 1, 'a'), doubted(3, 12), 'both may lag behind');
  rig.nowMs = firstMs + steadyMs;
  assert.deepEqual(rig.ask(3, 1, 'a'), known(3, true));
});

test('other errors say nothing about partitions, and zero partitions are never believed', () => {
  const rig = new Rig();
  rig.ask(12, 1);
  assert.deepEqual(rig.askInVain(29), { state: 'failed', errorCode: 29 });
  assert.deepEqual(rig.ask(12, 1), known(12));
  rig.brokers = 1;
  for (let time = 0; time < 60; time++) assert.deepEqual(rig.ask(0, 1), doubted(0, 12));
});

test('without partitions no topic is another one, and none is complete', () => {
  const first = new Rig();
  assert.deepEqual(first.ask(0, 1), doubted(0, 0));
  assert.deepEqual(first.ask(3, 1), known(3));
  const byId = new Rig();
  byId.ask(12, 1, 'a');
  assert.deepEqual(byId.ask(0, 1, 'b'), doubted(0, 12));
  assert.deepEqual(byId.ask(3, 1, 'b'), known(3, true));
  const missing = new Rig();
  missing.ask(12, 1);
  missing.askInVain(MISSING);
  assert.deepEqual(missing.ask(0, 1), doubted(0, 12));
  assert.deepEqual(missing.ask(3, 1), known(3, true), 'it was missing nevertheless');
});
