import assert from 'node:assert/strict';
import { test } from 'node:test';
import { noAnswer, outcomeOf } from '../../../src/worker/producer/error-table.ts';
import { Lane } from '../../../src/worker/producer/lane.ts';
import { batchOfValues, recordsOf, valuesOf } from '../../../testing/batches.ts';
import { headerOf } from '../../fakes/broker/record-batch.ts';
import { PRODUCER_ID, Rig, WALL_MS } from './rig.ts';

const OPEN_FATE = [7, 20, 6, 3, 56, 5, 8, 9, 13, -1, 1, 99];
const DEFINITE = [19, 74, 75];
const BY_POLICY = [29, 31, 17, 44, 43, 76];
const SEQUENCE = [45, 47, 59];
const NO_ANSWER = ['connection', 'request_timeout', 'missing_partition'] as const;

test('a stored batch leaves, and the next one continues its sequence', () => {
  const rig = new Rig();
  const first = rig.start('a', 'b', 'c');
  assert.deepEqual(headerOf(rig.send()), {
    producerId: PRODUCER_ID,
    epoch: 0,
    sequence: 0,
    records: 3,
    firstTimestamp: 1_000,
  });
  assert.deepEqual(rig.settle({ kind: 'stored' }), { do: 'stored', batch: first });
  assert.equal(rig.lane.idle, true);
  rig.start('d');
  assert.equal(headerOf(rig.send()).sequence, 3);
});

test('DUPLICATE_SEQUENCE_NUMBER counts as stored and raises an alarm', () => {
  const rig = new Rig();
  const batch = rig.start('a');
  assert.deepEqual(rig.attempt(46), { do: 'stored', batch, class: 'duplicate_sequence' });
  assert.equal(rig.lane.position.nextSequence, 1);
});

test('an answer that leaves the fate open: refresh, and identical bytes again', () => {
  for (const code of OPEN_FATE) {
    const rig = new Rig();
    rig.start('a', 'b');
    const bytes = rig.send();
    const settlement = rig.settleCode(code);
    const errorClass = [-1, 1, 99].includes(code) ? 'unexpected' : 'unknown';
    assert.deepEqual(settlement, { do: 'retry', class: errorClass, refresh: true });
    assert.equal(rig.lane.unknown, true);
    assert.equal(rig.lane.state, 'unknown');
    assert.deepEqual(rig.send(), bytes);
  }
});

test('no response leaves the fate open too: refresh, and identical bytes again', () => {
  for (const why of NO_ANSWER) {
    const rig = new Rig();
    rig.start('a');
    const bytes = rig.send();
    assert.deepEqual(rig.settle(noAnswer(why)), { do: 'retry', class: why, refresh: true });
    assert.equal(rig.lane.unknown, true);
    assert.deepEqual(rig.send(), bytes);
  }
});

test('an error before the append is definite: refresh, the same bytes again, fate known', () => {
  for (const code of DEFINITE) {
    const rig = new Rig();
    rig.start('a');
    const bytes = rig.send();
    const settlement = rig.settleCode(code);
    assert.deepEqual(settlement, { do: 'retry', class: 'not_appended', refresh: true });
    assert.equal(rig.lane.unknown, false);
    assert.equal(rig.lane.state, 'retrying');
    assert.deepEqual(rig.send(), bytes);
  }
});

test('CORRUPT_MESSAGE is a fault of the network once, of the record the second time', () => {
  const rig = new Rig();
  const batch = rig.start('a');
  assert.deepEqual(rig.attempt(2), { do: 'retry', class: 'not_appended', refresh: true });
  rig.attempt(19);
  assert.deepEqual(rig.attempt(2), {
    do: 'reject',
    batch,
    class: 'poison',
    code: 'rejected_by_kafka',
  });
  rig.start('b');
  assert.equal(rig.attempt(2).do, 'retry', 'each batch counts separately');
});

test('a record rejected for good is rejected alone, with the code for the reason', () => {
  for (const [code, refusal] of [
    [10, 'too_large'],
    [18, 'too_large'],
    [87, 'rejected_by_kafka'],
  ] as const) {
    const rig = new Rig();
    const batch = rig.start('a');
    const settlement = rig.attempt(code);
    assert.deepEqual(settlement, { do: 'reject', batch, class: 'poison', code: refusal });
    assert.equal(rig.lane.idle, true);
    assert.equal(rig.lane.position.nextSequence, 0, 'the next batch gets its sequence');
  }
});

test('a batch rejected for good is split until rejected records are alone, others in order', () => {
  const rig = new Rig();
  rig.start('a', 'b', 'BAD', 'c', 'BAD', 'd', 'e');
  const stored: string[] = [];
  const sequences: number[] = [];
  let refused = 0;
  while (rig.lane.advance()) {
    const bytes = rig.send();
    const isBad = valuesOf(rig.lane.head!).includes('BAD');
    const settlement = rig.settleCode(isBad ? 87 : 0);
    if (settlement.do === 'split') rig.halve(settlement.batch);
    else if (settlement.do === 'reject') refused += settlement.batch.records;
    else {
      assert(settlement.do === 'stored');
      sequences.push(headerOf(bytes).sequence);
      stored.push(...valuesOf(settlement.batch));
    }
  }
  assert.deepEqual(stored, ['a', 'b', 'c', 'd', 'e']);
  assert.equal(refused, 2);
  assert.equal(sequences[0], 0);
  assert.equal(rig.lane.position.nextSequence, 5);
});

test('split-off batches precede queued ones, and are visited in order', () => {
  const rig = new Rig();
  rig.start('a', 'b', 'c', 'd');
  rig.attempt(10);
  rig.halve(rig.lane.head!);
  rig.attempt(10);
  rig.halve(rig.lane.head!);
  const seen: string[] = [];
  rig.lane.walk((batch) => seen.push(...valuesOf(batch)));
  assert.deepEqual(seen, ['a', 'b', 'c', 'd']);
  rig.attempt(0);
  assert.equal(rig.lane.idle, false);
  assert.equal(rig.lane.advance(), true);
  assert.deepEqual(valuesOf(rig.lane.head!), ['b']);
});

test('once unknown, definite errors change nothing: identical bytes until it is stored', () => {
  const definite = [...DEFINITE, ...BY_POLICY, 2];
  for (const first of [...OPEN_FATE, undefined]) {
    for (const code of definite) {
      const rig = new Rig();
      const batch = rig.start('a', 'b');
      const bytes = rig.send();
      rig.settle(first === undefined ? noAnswer('connection') : outcomeOf(first));
      assert.deepEqual(rig.send(), bytes);
      assert.equal(rig.settleCode(code).do, 'retry', `${first} then ${code}`);
      assert.equal(rig.lane.unknown, true);
      assert.deepEqual(rig.send(), bytes, `${first} then ${code}`);
      assert.deepEqual(rig.settle({ kind: 'stored' }), { do: 'stored', batch });
      assert.equal(rig.lane.position.nextSequence, 2);
    }
  }
});

test('an unknown batch that can no longer be stored is given up behind a new epoch', () => {
  for (const code of [...SEQUENCE, 10, 18, 32, 87]) {
    const rig = new Rig({ epoch: 4, sequence: 100 });
    const batch = rig.start('a', 'b');
    rig.attempt(7);
    const other = code === 32 ? 'timestamp' : 'poison';
    const errorClass = SEQUENCE.includes(code) ? 'sequence' : other;
    assert.deepEqual(rig.attempt(code), {
      do: 'giveUp',
      batch,
      class: errorClass,
      reset: 'epoch',
    });
    assert.equal(rig.lane.idle, true);
    rig.start('c');
    const { epoch, sequence } = headerOf(rig.send());
    assert.deepEqual({ epoch, sequence }, { epoch: 5, sequence: 0 });
  }
});

test('a sequence error of a batch that is not stored: new epoch, the same records at 0', () => {
  for (const code of SEQUENCE) {
    const rig = new Rig({ epoch: 4, sequence: 100 });
    const batch = rig.start('a', 'b');
    rig.attempt(19);
    const records = recordsOf(batch);
    assert.deepEqual(rig.attempt(code), {
      do: 'retry',
      class: 'sequence',
      refresh: true,
      reset: 'epoch',
    });
    const { epoch, sequence, producerId } = headerOf(rig.send());
    assert.deepEqual([producerId, epoch, sequence], [PRODUCER_ID, 5, 0]);
    assert.deepEqual(recordsOf(batch), records);
    rig.settle({ kind: 'stored' });
    assert.equal(rig.lane.position.nextSequence, 2);
  }
});

test('at the last epoch a lane requests a new producer id and waits for it', () => {
  for (const wasUnknown of [true, false]) {
    const rig = new Rig({ epoch: 32_767, sequence: 9 });
    rig.start('a');
    rig.attempt(wasUnknown ? 7 : 19);
    const settlement = rig.attempt(45);
    assert('reset' in settlement);
    assert.equal(settlement.reset, 'producer_id');
    assert.equal(settlement.do, wasUnknown ? 'giveUp' : 'retry');
    assert.equal(rig.lane.needsProducerId, true);
    assert.equal(rig.lane.mayContinue(1e9), false);
    rig.lane.setProducerId(5_005n, 0);
    if (wasUnknown) rig.start('b');
    const { producerId, epoch, sequence } = headerOf(rig.send());
    assert.deepEqual([producerId, epoch, sequence], [5_005n, 0, 0]);
  }
});

test('the last epoch itself is used', () => {
  const rig = new Rig({ epoch: 32_766 });
  rig.start('a');
  rig.attempt(45);
  assert.equal(headerOf(rig.send()).epoch, 32_767);
});

test('sequences wrap from 2^31 - 1 to 0 as in the broker', () => {
  for (const [from, records, next] of [
    [2_147_483_640, 10, 2],
    [2_147_483_640, 8, 0],
    [2_147_483_640, 7, 2_147_483_647],
  ] as const) {
    const rig = new Rig({ sequence: from });
    rig.start(...Array.from({ length: records }, () => 'x'));
    assert.equal(headerOf(rig.send()).sequence, from);
    rig.settle({ kind: 'stored' });
    rig.start('y');
    assert.equal(headerOf(rig.send()).sequence, next);
  }
});

test('INVALID_TIMESTAMP restamps and seals again, with the same sequence and no refresh', () => {
  const rig = new Rig({ sequence: 6 });
  rig.start('a', 'b');
  const bytes = rig.send();
  const settlement = rig.settleCode(32);
  assert.deepEqual(settlement, { do: 'retry', class: 'timestamp', refresh: false });
  const again = rig.send();
  assert.deepEqual(headerOf(again), { ...headerOf(bytes), firstTimestamp: WALL_MS });
  assert.deepEqual(valuesOf(rig.lane.head!), ['a', 'b']);
});

test('INVALID_TIMESTAMP and times of events: known fate, split until rejected alone', () => {
  const rig = new Rig({ sequence: 6 });
  const batch = rig.start('a', 'b');
  batch.hasEventTimes = true;
  const { firstTimestamp } = headerOf(rig.send());
  assert.deepEqual(rig.settleCode(32), { do: 'split', batch, class: 'poison' });
  rig.halve(batch);
  const code = 'rejected_by_kafka';
  assert.deepEqual(rig.attempt(32), { do: 'reject', batch, class: 'poison', code });
  assert(rig.lane.advance());
  assert.deepEqual(headerOf(rig.send()), {
    producerId: PRODUCER_ID,
    epoch: 0,
    sequence: 6,
    records: 1,
    firstTimestamp,
  });
  const rest = rig.lane.head;
  assert.deepEqual(rig.settleCode(32), { do: 'reject', batch: rest, class: 'poison', code });
});

test('INVALID_TIMESTAMP and times of events: unknown fate, the whole batch is given up', () => {
  const rig = new Rig();
  const batch = rig.start('a', 'b');
  batch.hasEventTimes = true;
  rig.attempt(7);
  assert.deepEqual(rig.attempt(32), {
    do: 'giveUp',
    batch,
    class: 'timestamp',
    reset: 'epoch',
  });
  rig.start('c');
  const { epoch, sequence } = headerOf(rig.send());
  assert.deepEqual([epoch, sequence], [1, 0]);
});

test('rejected by policy: retried slowly, and its fate stays known', () => {
  for (const code of BY_POLICY) {
    const rig = new Rig();
    rig.start('a');
    const settlement = rig.attempt(code);
    assert.deepEqual(settlement, { do: 'retry', class: 'refused_by_policy', refresh: true });
    assert.equal(rig.lane.unknown, false);
    assert.equal(rig.lane.notBeforeMs - rig.nowMs, 1_000);
  }
});

test('retries wait 20 to 200 ms, for policy errors 1 to 4 s, with 25% jitter', () => {
  const fast = [20, 40, 80, 160, 200, 200];
  const slow = [1_000, 2_000, 4_000, 4_000, 4_000, 4_000, 4_000];
  for (const [code, pauses] of [
    [7, fast],
    [19, fast],
    [29, slow],
  ] as const) {
    for (const [random, factor] of [
      [0, 0.75],
      [0.5, 1],
      [1, 1.25],
    ] as const) {
      const rig = new Rig({ random: () => random });
      rig.start('a');
      for (const pause of pauses) {
        rig.attempt(code);
        assert.equal(rig.lane.notBeforeMs - rig.nowMs, pause * factor);
        assert.equal(rig.lane.mayContinue(rig.lane.notBeforeMs - 0.01), false);
        assert.equal(rig.lane.mayContinue(rig.lane.notBeforeMs), true);
      }
      rig.attempt(0);
      assert.equal(rig.lane.mayContinue(rig.nowMs), true, 'no delay for the next batch');
    }
  }
});

test('the state describes the lane’s activity', () => {
  const rig = new Rig();
  assert.equal(rig.lane.state, 'empty');
  rig.start('a');
  assert.equal(rig.lane.state, 'filling');
  rig.send();
  assert.equal(rig.lane.state, 'in_flight');
  rig.settleCode(19);
  assert.equal(rig.lane.state, 'retrying');
  rig.attempt(7);
  assert.equal(rig.lane.state, 'unknown');
  rig.attempt(0);
  assert.equal(rig.lane.state, 'empty');
});

test('only a head that was never sent can be dropped', () => {
  const rig = new Rig();
  const batch = rig.start('a');
  assert.equal(rig.lane.dropUnsent(), batch);
  assert.equal(rig.lane.idle, true);
  rig.start('b');
  rig.attempt(19);
  assert.throws(() => rig.lane.dropUnsent(), assert.AssertionError);
});

test('one batch at a time, one attempt at a time, one outcome per attempt', () => {
  const rig = new Rig();
  assert.throws(() => rig.lane.send(0), /nothing may be sent/);
  assert.throws(() => rig.settle({ kind: 'stored' }), /an attempt is in flight/);
  rig.start('a');
  assert.throws(() => rig.start('b'), /one batch at a time/);
  assert.throws(() => rig.settle({ kind: 'stored' }), /an attempt is in flight/);
  rig.send();
  assert.throws(() => rig.send(), /nothing may be sent/);
  assert.throws(() => rig.lane.halved(batchOfValues(['x'])), assert.AssertionError);
  rig.settleCode(7);
  assert.throws(() => rig.lane.send(rig.nowMs), /nothing may be sent/, 'too early');
  assert.throws(() => rig.lane.halved(batchOfValues(['x'])), assert.AssertionError);
  assert.throws(() => rig.lane.setProducerId(1n, 0), /has one producer id/);
});

test('nothing is sent without a producer id', () => {
  const lane = new Lane();
  lane.start(batchOfValues(['a']));
  assert.equal(lane.mayContinue(1e9), false);
  assert.throws(() => lane.send(1e9), /nothing may be sent/);
  assert.throws(() => lane.setProducerId(-1n, 0), assert.AssertionError);
});

test('a head being compressed is neither sent nor dropped, and is sent afterwards', () => {
  const rig = new Rig();
  const batch = rig.start('a');
  rig.lane.beginCompression();
  assert.equal(rig.lane.mayContinue(1e9), false);
  assert.throws(() => rig.send(), /nothing may be sent/);
  assert.throws(() => rig.lane.dropUnsent(), /no thread reads its memory/);
  assert.throws(() => rig.lane.endCompression(), /its compression is over/);
  batch.skipCompression();
  rig.lane.endCompression();
  assert.deepEqual(rig.attempt(0), { do: 'stored', batch });
});

test('attempted or sealed batches are not compressed', () => {
  const tried = new Rig();
  tried.start('a').skipCompression();
  assert.throws(() => tried.lane.beginCompression(), /may be compressed/);
  const sealed = new Rig();
  sealed.start('a');
  sealed.attempt(7);
  assert.throws(() => sealed.lane.beginCompression(), /may be compressed/);
});

test('a lane of a removed partition returns unsent batches, and the one that may be stored', () => {
  const unsent = new Rig();
  const batch = unsent.start('a');
  assert.deepEqual(unsent.lane.end(), { unsent: [batch], lost: undefined });
  const definite = new Rig();
  const refused = definite.start('a');
  definite.attempt(19);
  assert.deepEqual(definite.lane.end(), { unsent: [refused], lost: undefined });
  const open = new Rig();
  const lost = open.start('a');
  open.attempt(6);
  assert.deepEqual(open.lane.end(), { unsent: [], lost });
  const split = new Rig();
  const whole = split.start('a', 'b');
  split.attempt(10);
  split.halve(whole);
  split.attempt(7);
  const { unsent: rest, lost: half } = split.lane.end();
  assert.equal(half, whole);
  assert.deepEqual(rest.map(valuesOf), [['b']]);
  assert(split.lane.idle);
});

test('a batch whose attempts all got UNKNOWN_TOPIC_OR_PARTITION is not lost with the partition', () => {
  const absent = new Rig();
  const batch = absent.start('a');
  absent.attempt(3);
  absent.attempt(3);
  assert(absent.lane.unknown);
  assert.deepEqual(absent.lane.end(), { unsent: [batch], lost: undefined });
  const unanswered = new Rig();
  const lost = unanswered.start('a');
  unanswered.attempt(3);
  unanswered.send();
  unanswered.settle(noAnswer('connection'));
  unanswered.attempt(3);
  assert.deepEqual(unanswered.lane.end(), { unsent: [], lost });
});

test('an attempt in flight ends with its lane', () => {
  const rig = new Rig();
  const batch = rig.start('a');
  rig.send();
  assert.deepEqual(rig.lane.end(), { unsent: [], lost: undefined });
  assert.equal(rig.lane.head, batch, 'the socket reads its memory');
  assert.equal(rig.lane.endAttempt(), batch);
  assert(rig.lane.idle);
  assert.throws(() => rig.lane.endAttempt(), /an attempt was in flight/);
});

test('in a recreated topic a lane continues at once, with a new epoch', () => {
  const rig = new Rig({ sequence: 7 });
  rig.start('a');
  rig.attempt(29);
  assert(rig.lane.notBeforeMs > rig.nowMs);
  assert.equal(rig.lane.renew(), 'epoch');
  assert(rig.lane.mayContinue(rig.nowMs));
  assert.deepEqual(rig.lane.position, { producerId: PRODUCER_ID, epoch: 1, nextSequence: 0 });
  const { epoch, sequence } = headerOf(rig.send());
  assert.deepEqual([epoch, sequence], [1, 0], 'sealed again');
});

test('a batch of unknown fate keeps its bytes in a recreated topic', () => {
  const rig = new Rig({ sequence: 7 });
  rig.start('a');
  const bytes = rig.send();
  assert.equal(rig.lane.renew(), undefined, 'in flight');
  rig.settleCode(3);
  assert.equal(rig.lane.renew(), undefined);
  assert(rig.lane.mayContinue(rig.nowMs), 'at once');
  assert.deepEqual(rig.send(), bytes);
  const last = new Rig({ epoch: 32_767 });
  assert.equal(last.lane.renew(), 'producer_id');
  assert(last.lane.needsProducerId);
  assert.equal(last.lane.renew(), undefined, 'already requested');
});

test('a held lane resumes on proceed, but not before the end of its back-off', () => {
  const rig = new Rig();
  rig.start('a');
  rig.attempt(3);
  const backoffEndMs = rig.lane.notBeforeMs;
  rig.lane.hold(rig.nowMs + 2_000);
  assert(!rig.lane.mayContinue(rig.nowMs + 1_999));
  assert(rig.lane.mayContinue(rig.nowMs + 2_000));
  rig.lane.proceed();
  assert.equal(rig.lane.notBeforeMs, backoffEndMs);
});
