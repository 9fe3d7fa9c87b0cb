import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Steward } from '../../src/primary/topic-admin.ts';

function setUp() {
  const told: number[] = [];
  return { told, steward: new Steward((slot) => told.push(slot)) };
}

test('the first worker that is there looks after the topic, alone', () => {
  const { told, steward } = setUp();
  steward.workerUp(2);
  steward.workerUp(1);
  assert.deepEqual(told, [2]);
});

test('when it dies another does; without another the next that comes', () => {
  const { told, steward } = setUp();
  steward.workerUp(1);
  steward.workerUp(2);
  steward.workerDown(2, [1]);
  assert.deepEqual(told, [1], 'the death of another changes nothing');
  steward.workerDown(1, [2, 3]);
  assert.deepEqual(told, [1, 2]);
  steward.workerDown(2, []);
  steward.topicMissing();
  steward.workerUp(3);
  assert.deepEqual(told, [1, 2, 3]);
});

test('a missing topic is told once until the steward answers', () => {
  const { told, steward } = setUp();
  steward.workerUp(1);
  steward.topicMissing();
  assert.deepEqual(told, [1]);
  assert(steward.found({ maxMessageBytes: 1000 }));
  assert(!steward.found({ maxMessageBytes: 1000 }), 'no news');
  steward.topicMissing();
  steward.topicMissing();
  assert.deepEqual(told, [1, 1]);
  assert.deepEqual(steward.facts, { maxMessageBytes: 1000 });
});
