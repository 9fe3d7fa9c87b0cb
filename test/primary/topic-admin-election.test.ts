import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TopicAdminElection } from '../../src/primary/topic-admin-election.ts';

/** Workers that were asked, and the topics; `all` at first. */
function setUp() {
  const asked: (number | string)[] = [];
  const admins = new TopicAdminElection((slot, topic) =>
    asked.push(topic === undefined ? slot : topic),
  );
  return { asked, admins };
}

const facts = (topic: string, maxMessageBytes = 1_000) => ({
  topic,
  maxMessageBytes,
  timestamps: {},
});

test('the first worker administers the topics, alone', () => {
  const { asked, admins } = setUp();
  admins.workerUp(2);
  admins.workerUp(1);
  assert.deepEqual(asked, [2]);
});

test('after its death another one is elected; without another, the next to attach', () => {
  const { asked, admins } = setUp();
  admins.workerUp(1);
  admins.workerUp(2);
  admins.workerDown(2, [1]);
  assert.deepEqual(asked, [1], 'the death of another changes nothing');
  admins.workerDown(1, [2, 3]);
  assert.deepEqual(asked, [1, 3], 'the newest: it may know topics that older ones do not');
  admins.workerDown(3, []);
  admins.topicMissing('events');
  admins.workerUp(4);
  assert.deepEqual(asked, [1, 3, 4]);
});

test('a missing topic is asked for once until it is reported, regardless of other topics', () => {
  const { asked, admins } = setUp();
  admins.workerUp(1);
  admins.topicMissing('events');
  assert.deepEqual(asked, [1]);
  admins.found(facts('other'));
  admins.topicMissing('events');
  assert.deepEqual(asked, [1], 'it has not said yet what it found');
  admins.found(facts('events'));
  admins.topicMissing('events');
  admins.topicMissing('events');
  assert.deepEqual(asked, [1, 'events']);
  assert.deepEqual([...admins.facts], [facts('other'), facts('events')]);
});

test('a recreated topic is read again, also while the former one is being read', () => {
  const { asked, admins } = setUp();
  admins.workerUp(1);
  admins.topicRecreated('events');
  assert.deepEqual(asked, [1]);
  admins.found(facts('events'));
  assert.deepEqual(asked, [1, 'events']);
  admins.found(facts('events', 2_000));
  admins.topicRecreated('events');
  assert.deepEqual(asked, [1, 'events', 'events']);
  assert.deepEqual([...admins.facts], [facts('events', 2_000)]);
});
