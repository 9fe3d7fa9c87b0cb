import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { WorkerStatus } from '../../src/ipc.ts';
import { ReadinessCheck, sameReadiness } from '../../src/primary/readiness-check.ts';

const fit: WorkerStatus = {
  listening: true,
  kafkaReached: true,
  kafka: '',
  refusedByPolicy: false,
  memoryShort: false,
  bufferedBytes: 0,
  bufferLimitBytes: 100,
  topicCreation: undefined,
  delivery: {
    unreachableMs: 0,
    stuckMs: 0,
    unansweredMs: 0,
    stuckPartitions: 0,
    partitions: 1,
    storedAgoMs: 0,
    reason: '',
  },
  leaderlessPartitions: 0,
  waiting: { events: 0, bytes: 0, oldestMs: 0 },
};
const buffered = (bufferedBytes: number): WorkerStatus => ({ ...fit, bufferedBytes });

test('ready when every worker listens, knows the topic and has room', () => {
  const answer = new ReadinessCheck().update([fit, fit], false);
  assert.deepEqual(answer, { ready: true, reasons: [] });
});

test('not ready while a worker is missing or does not listen', () => {
  const expected = { ready: false, reasons: ['not all workers are listening'] };
  const gate = new ReadinessCheck();
  assert.deepEqual(gate.update([undefined, undefined], false), expected);
  assert.deepEqual(gate.update([fit, undefined], false), expected);
  assert.deepEqual(gate.update([fit, { ...fit, listening: false }], false), expected);
  assert.equal(gate.update([fit, fit], false).ready, true);
});

test('not ready while at least half of the workers exceed the memory limit', () => {
  const short = { ...fit, memoryShort: true };
  const reasons = ['at least half of the workers exceed the memory limit and reject connections'];
  const gate = new ReadinessCheck();
  for (const statuses of [[short], [short, fit], [short, short, fit], [short, fit, undefined]]) {
    const { ready, reasons: found } = gate.update(statuses, false);
    assert.equal(ready, false);
    const isMost = statuses.filter((status) => status === short).length >= statuses.length / 2;
    assert.equal(found.includes(reasons[0]!), isMost, JSON.stringify(found));
  }
  assert.deepEqual(gate.update([short, fit, fit], false), { ready: true, reasons: [] });
});

test('not ready while a partition has had no leader for long, with one reason', () => {
  const leaderless = { ...fit, leaderlessPartitions: 2 };
  const reasons = ['a partition has had no leader for 30 s'];
  const gate = new ReadinessCheck();
  assert.deepEqual(gate.update([leaderless, fit, leaderless], false), { ready: false, reasons });
  assert.equal(gate.update([fit, fit, fit], false).ready, true);
});

test('reports once why Kafka is not reached', () => {
  const away = { ...fit, kafkaReached: false, kafka: 'Kafka cannot be reached' };
  const silent = { ...fit, kafkaReached: false };
  const gate = new ReadinessCheck();
  assert.deepEqual(gate.update([away, away], false).reasons, ['Kafka cannot be reached']);
  assert.deepEqual(gate.update([fit, silent], false).reasons, ['the topic is not known yet']);
});

test('a failed topic creation adds a second reason while Kafka is not reached', () => {
  const missing = { ...fit, kafkaReached: false, kafka: 'the topic does not exist' };
  const topicCreation = 'Kafka answers POLICY_VIOLATION';
  const gate = new ReadinessCheck();
  assert.deepEqual(gate.update([{ ...missing, topicCreation }, missing], false).reasons, [
    'the topic does not exist',
    'topic creation failed: Kafka answers POLICY_VIOLATION',
  ]);
  assert.deepEqual(gate.update([{ ...fit, topicCreation }, fit], false).reasons, []);
});

test('a full buffer: not ready at 80% of the instance, ready again below 60%', () => {
  const gate = new ReadinessCheck();
  assert.equal(gate.update([buffered(100), buffered(59)], false).ready, true, '79.5% of both');
  const full = gate.update([buffered(100), buffered(60)], false);
  assert.deepEqual(full.reasons, ['the buffer reached 80% and has not fallen below 60%']);
  assert.equal(gate.update([buffered(60), buffered(60)], false).ready, false);
  assert.equal(gate.update([buffered(60), buffered(59)], false).ready, true);
  assert.equal(gate.update([buffered(79), buffered(79)], false).ready, true);
});

test('a drain is one of several reasons', () => {
  assert.deepEqual(new ReadinessCheck().update([fit, undefined], true).reasons, [
    'draining',
    'not all workers are listening',
  ]);
});

test('readiness is compared by content', () => {
  assert(sameReadiness({ ready: false, reasons: ['a'] }, { ready: false, reasons: ['a'] }));
  assert(!sameReadiness({ ready: false, reasons: ['a'] }, { ready: false, reasons: ['b'] }));
});

test('an instance whose writes Kafka rejects by ACL or policy is not ready', () => {
  const gate = new ReadinessCheck();
  const { ready, reasons } = gate.update([fit, { ...fit, refusedByPolicy: true }], false);
  assert.equal(ready, false);
  assert.match(reasons.join(), /ACLs and policies/);
  assert.equal(gate.update([fit, fit], false).ready, true);
});
