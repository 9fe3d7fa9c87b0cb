/** Lanes that do not share requests, and the back-off for each kind of error. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { noAnswer } from '../../../src/worker/producer/error-table.ts';
import { Rig } from './rig.ts';

test('a lane is troubled from a retry until a batch is stored on its first attempt', () => {
  for (const code of [7, 6, 19, 2, 29, 32, 45]) {
    const rig = new Rig();
    rig.start('a');
    rig.send();
    assert.equal(rig.lane.troubled, false, 'a first attempt is no trouble');
    rig.settleCode(code);
    assert.equal(rig.lane.troubled, true, `error ${code}`);
    rig.attempt(0);
    rig.start('b');
    assert.equal(rig.lane.troubled, true, 'the batch before needed a retry');
    rig.attempt(0);
    assert.equal(rig.lane.troubled, false, 'stored on its first attempt');
    rig.start('c');
    assert.equal(rig.lane.troubled, false);
  }
});

test('a flapping lane stays troubled', () => {
  const rig = new Rig();
  for (const name of ['a', 'b', 'c']) {
    rig.start(name);
    rig.attempt(7);
    rig.attempt(0);
    assert.equal(rig.lane.troubled, true);
  }
});

test('an abandoned batch was in trouble; one rejected at once does not count', () => {
  const rig = new Rig();
  rig.start('a');
  assert.equal(rig.attempt(10).do, 'reject');
  assert.equal(rig.lane.troubled, false);
  rig.start('b');
  rig.attempt(7);
  assert.equal(rig.attempt(10).do, 'giveUp');
  assert.equal(rig.lane.troubled, true);
  rig.start('c');
  assert.equal(rig.attempt(10).do, 'reject');
  assert.equal(rig.lane.troubled, true);
});

test('the halves of a split batch are as troubled as it was', () => {
  for (const code of [0, 19]) {
    const rig = new Rig();
    rig.start('a', 'b');
    if (code !== 0) rig.attempt(code);
    const settlement = rig.attempt(10);
    assert(settlement.do === 'split');
    rig.halve(settlement.batch);
    assert.equal(rig.lane.troubled, code !== 0);
    rig.attempt(0);
    rig.lane.advance();
    rig.attempt(0);
    assert.equal(rig.lane.troubled, false);
  }
});

test('after two attempts in a row without a response, the third one is sent alone', () => {
  const rig = new Rig();
  const unanswered = (why: 'connection' | 'request_timeout') => {
    rig.send();
    rig.settle(noAnswer(why));
  };
  rig.start('a');
  unanswered('connection');
  assert.equal(rig.lane.alone, false, 'a broker died');
  unanswered('request_timeout');
  assert.equal(rig.lane.alone, true);
  unanswered('connection');
  assert.equal(rig.lane.alone, true);
  rig.attempt(7);
  assert.equal(rig.lane.alone, false, 'any response counts');
  unanswered('connection');
  assert.equal(rig.lane.alone, false, 'the count restarts');
  unanswered('connection');
  rig.attempt(0);
  rig.start('b');
  assert.equal(rig.lane.alone, false, 'the count belongs to the batch');
  rig.send();
  rig.settle(noAnswer('missing_partition'));
  unanswered('connection');
  assert.equal(rig.lane.alone, false, 'a response without the partition counts');
});

test('fast and slow retries have separate back-offs', () => {
  const rig = new Rig();
  rig.start('a');
  const pauses = [29, 29, 29, 19, 29, 7, 6, 31, 3].map((code) => {
    rig.attempt(code);
    return rig.lane.notBeforeMs - rig.nowMs;
  });
  assert.deepEqual(pauses, [1_000, 2_000, 4_000, 20, 4_000, 40, 80, 4_000, 160]);
  rig.attempt(0);
  rig.start('b');
  rig.attempt(7);
  assert.equal(rig.lane.notBeforeMs - rig.nowMs, 20, 'both restart with the next batch');
  rig.attempt(29);
  assert.equal(rig.lane.notBeforeMs - rig.nowMs, 1_000);
});
