/** Which lanes travel apart, and how long each kind of trouble makes one wait. */
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

test('a lane that flaps stays troubled', () => {
  const rig = new Rig();
  for (const name of ['a', 'b', 'c']) {
    rig.start(name);
    rig.attempt(7);
    rig.attempt(0);
    assert.equal(rig.lane.troubled, true);
  }
});

test('a batch that was given up was in trouble; one refused at once says nothing', () => {
  const rig = new Rig();
  rig.start('a');
  assert.equal(rig.attempt(10).do, 'refuse');
  assert.equal(rig.lane.troubled, false);
  rig.start('b');
  rig.attempt(7);
  assert.equal(rig.attempt(10).do, 'giveUp');
  assert.equal(rig.lane.troubled, true);
  rig.start('c');
  assert.equal(rig.attempt(10).do, 'refuse');
  assert.equal(rig.lane.troubled, true);
});

test('the halves of a split batch are troubled as it was', () => {
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

test('two attempts in a row that nobody answered: the third has no company', () => {
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
  assert.equal(rig.lane.alone, false, 'an answer, whatever it says');
  unanswered('connection');
  assert.equal(rig.lane.alone, false, 'a row begins anew');
  unanswered('connection');
  rig.attempt(0);
  rig.start('b');
  assert.equal(rig.lane.alone, false, 'it belongs to the batch');
  rig.send();
  rig.settle(noAnswer('missing_partition'));
  unanswered('connection');
  assert.equal(rig.lane.alone, false, 'an answer without the partition is one');
});

test('fast and slow retries each have a back-off of their own', () => {
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
  assert.equal(rig.lane.notBeforeMs - rig.nowMs, 20, 'both begin anew with the next batch');
  rig.attempt(29);
  assert.equal(rig.lane.notBeforeMs - rig.nowMs, 1_000);
});
