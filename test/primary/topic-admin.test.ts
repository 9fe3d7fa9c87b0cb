import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Steward } from '../../src/primary/topic-admin.ts';

/** Workers that were told, and of which topic; `all` at first. */
function setUp() {
  const told: (number | string)[] = [];
  const steward = new Steward((slot, topic) => told.push(topic === undefined ? slot : topic));
  return { told, steward };
}

const facts = (topic: string, maxMessageBytes = 1_000) => ({ topic, maxMessageBytes });

test('the first worker that is there looks after the topics, alone', () => {
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
  steward.topicMissing('events');
  steward.workerUp(3);
  assert.deepEqual(told, [1, 2, 3]);
});

test('a missing topic is told once until the steward has reported it, whatever others are', () => {
  const { told, steward } = setUp();
  steward.workerUp(1);
  steward.topicMissing('events');
  assert.deepEqual(told, [1]);
  steward.found(facts('other'));
  steward.topicMissing('events');
  assert.deepEqual(told, [1], 'it has not said yet what it found');
  steward.found(facts('events'));
  steward.topicMissing('events');
  steward.topicMissing('events');
  assert.deepEqual(told, [1, 'events']);
  assert.deepEqual([...steward.facts], [facts('other'), facts('events')]);
});

test('a topic created again is read again, also while the steward reads the former one', () => {
  const { told, steward } = setUp();
  steward.workerUp(1);
  steward.topicRecreated('events');
  assert.deepEqual(told, [1]);
  steward.found(facts('events'));
  assert.deepEqual(told, [1, 'events']);
  steward.found(facts('events', 2_000));
  steward.topicRecreated('events');
  assert.deepEqual(told, [1, 'events', 'events']);
  assert.deepEqual([...steward.facts], [facts('events', 2_000)]);
});
