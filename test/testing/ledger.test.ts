import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encode } from '@msgpack/msgpack';
import { describeReconciliation, Ledger, type Reconciliation } from '../../testing/ledger.ts';
import type { TopicRecord } from '../../testing/topic.ts';

let offset = 0;
function record(id: string, attempt = 1, more: Partial<TopicRecord> = {}): TopicRecord {
  const value = Buffer.from(JSON.stringify({ id, attempt }));
  return { partition: 0, offset: offset++, timestamp: 0, key: null, value, ...more };
}

test('records stored as MessagePack are found by their id and attempt', () => {
  const ledger = new Ledger();
  ledger.sent('a');
  ledger.refused('a', 'timeout');
  ledger.sent('a', 2);
  ledger.acknowledged('a', 2);
  const headers = [{ name: 'content-type', value: Buffer.from('application/msgpack') }];
  const packed = (id: string, attempt: number) =>
    record(id, attempt, { headers, value: Buffer.from(encode({ id, attempt })) });
  assert.deepEqual(accused(ledger.reconcile([packed('a', 1), packed('a', 2)])), {});
  const broken = record('a', 2, { headers, value: Buffer.from([0xc1]), offset: 7 });
  assert.deepEqual(accused(ledger.reconcile([packed('a', 2), broken])), {
    phantom: ['partition 0 offset 7'],
  });
});

/** Lists with entries. */
function accused(verdict: Reconciliation): Partial<Reconciliation> {
  const found = Object.entries(verdict).filter(([, value]) => Array.isArray(value) && value.length);
  assert.equal(verdict.clean, found.length === 0);
  return Object.fromEntries(found);
}

test('an event acknowledged and stored once is clean', () => {
  const ledger = new Ledger();
  for (let i = 0; i < 3_000; i++) {
    ledger.sent(`e${i}`);
    ledger.acknowledged(`e${i}`);
  }
  const verdict = ledger.reconcile(Array.from({ length: 3_000 }, (_, i) => record(`e${i}`)));
  assert.deepEqual(accused(verdict), {});
  assert.equal(verdict.sent, 3_000);
  assert.equal(verdict.acknowledged, 3_000);
  assert.equal(verdict.stored, 3_000);
});

test('missing: acknowledged and not stored', () => {
  const ledger = new Ledger();
  for (const id of ['a', 'b', 'c']) ledger.sent(id);
  ledger.acknowledged('a');
  ledger.acknowledged('b');
  const verdict = ledger.reconcile([record('a')]);
  assert.deepEqual(accused(verdict), { missing: ['b'] });
});

test('missing: another attempt’s record does not replace the acknowledged one', () => {
  const ledger = new Ledger();
  ledger.sent('a', 1);
  ledger.sent('a', 2);
  ledger.acknowledged('a');
  assert.deepEqual(accused(ledger.reconcile([record('a', 1)])), { missing: ['a#2'] });
});

test('doubled: the same attempt stored twice; two attempts of an id are allowed', () => {
  const ledger = new Ledger();
  ledger.sent('a', 1);
  ledger.sent('a', 2);
  ledger.acknowledged('a', 2);
  const both = [record('a', 1), record('a', 2)];
  const verdict = ledger.reconcile(both);
  assert.deepEqual(accused(verdict), {});
  assert.equal(verdict.unacknowledgedStored, 1);
  assert.deepEqual(accused(ledger.reconcile([...both, record('a', 2)])), { doubled: ['a#2'] });
});

test('phantom: stored and never sent, also by attempt; an invalid event is named by offset', () => {
  const ledger = new Ledger();
  ledger.sent('a');
  const alien = record('x', 1, { value: Buffer.from('not json'), offset: 77 });
  const verdict = ledger.reconcile([record('a'), record('a', 2), record('b'), alien]);
  assert.deepEqual(accused(verdict), { phantom: ['a#2', 'b', 'partition 0 offset 77'] });
});

test('refusedStored: stored although rejected; after `timeout` both are allowed', () => {
  const ledger = new Ledger();
  for (const id of ['full', 'late', 'lost']) ledger.sent(id);
  ledger.refused('full', 'buffer_full');
  ledger.refused('late', 'timeout');
  ledger.refused('lost', 'timeout');
  const verdict = ledger.reconcile([record('full'), record('late')]);
  assert.deepEqual(accused(verdict), { refusedStored: ['full'] });
  assert.equal(verdict.refused, 3);
  assert.equal(verdict.unacknowledgedStored, 2);
});

test('wrongKey: another key than the sender’s, or none; unchecked if none was recorded', () => {
  const ledger = new Ledger();
  ledger.sent('a', 1, { key: 'k' });
  ledger.sent('b', 1, { key: 'k' });
  ledger.sent('c', 1, { key: null });
  ledger.sent('d');
  const key = Buffer.from('k');
  const good = [record('a', 1, { key }), record('c'), record('d', 1, { key })];
  assert.deepEqual(accused(ledger.reconcile(good)), {});
  const bad = [record('b'), record('c', 1, { key })];
  assert.deepEqual(accused(ledger.reconcile(bad)), { wrongKey: ['b', 'c'] });
});

test('disordered: within a connection and key only', () => {
  const ledger = new Ledger();
  ledger.sent('a1', 1, { connection: 'A', key: 'k' });
  ledger.sent('b1', 1, { connection: 'B', key: 'k' });
  ledger.sent('a2', 1, { connection: 'A', key: 'k' });
  ledger.sent('o1', 1, { connection: 'A', key: 'other' });
  const stored = (id: string, key = 'k') => record(id, 1, { key: Buffer.from(key) });
  const fine = [stored('o1', 'other'), stored('a1'), stored('a2'), stored('b1')];
  assert.deepEqual(accused(ledger.reconcile(fine)), {});
  for (const id of ['h1', 'h2']) ledger.sent(id, 1, { key: 'k' });
  const apart = [stored('h2'), stored('h1'), stored('a1'), stored('b1'), stored('a2')];
  assert.deepEqual(accused(ledger.reconcile(apart)), {}, 'HTTP requests are in no order');
  const bad = [stored('a2'), stored('b1'), stored('a1')];
  assert.deepEqual(accused(ledger.reconcile(bad)), { disordered: ['a1'] });
});

test('incarnations: events acknowledged before a deletion are gone with it, later ones must exist', () => {
  const ledger = new Ledger();
  for (const id of ['old', 'open', 'refused', 'silent']) ledger.sent(id);
  ledger.acknowledged('old');
  ledger.topicDeleting();
  ledger.sent('between');
  ledger.acknowledged('between');
  ledger.refused('refused', 'kafka_unavailable');
  ledger.newIncarnation();
  ledger.acknowledged('open');
  ledger.sent('new');
  ledger.acknowledged('new');
  const emptied = ledger.reconcile([]);
  assert.deepEqual(accused(emptied), { missing: ['new'] });
  assert.equal(emptied.deleted, 3);
  assert.match(describeReconciliation(emptied).join('\n'), /\ndeleted with the topic 3\n/);
  const either = ledger.reconcile(['open', 'between', 'silent', 'new'].map((id) => record(id)));
  assert.deepEqual(accused(either), {});
  assert.deepEqual([either.deleted, either.unacknowledgedStored], [1, 1]);
  const wrong = ['old', 'between', 'between', 'refused', 'new', 'x'].map((id) => record(id));
  assert.deepEqual(accused(ledger.reconcile(wrong)), {
    doubled: ['old', 'between'],
    refusedStored: ['refused'],
    phantom: ['x'],
  });
});

test('incarnations: each deletion counts, without one nothing is excused', () => {
  const ledger = new Ledger();
  ledger.sent('a');
  ledger.acknowledged('a');
  for (const id of ['b', 'c']) {
    ledger.topicDeleting();
    ledger.newIncarnation();
    ledger.sent(id);
    ledger.acknowledged(id);
  }
  assert.deepEqual(accused(ledger.reconcile([record('c')])), {});
  assert.deepEqual(accused(ledger.reconcile([record('b')])), { missing: ['c'], doubled: ['b'] });
});

test('contradictory calls are an immediate error', () => {
  const ledger = new Ledger();
  ledger.sent('a');
  assert.throws(() => ledger.sent('a'), /a was already sent/);
  assert.throws(() => ledger.acknowledged('b'), /b was settled but never sent/);
  ledger.acknowledged('a');
  assert.throws(() => ledger.refused('a', 'schema'), /a was settled twice/);
});

test('the description has counts and examples', () => {
  const ledger = new Ledger();
  ledger.sent('a');
  ledger.acknowledged('a');
  const lines = describeReconciliation(ledger.reconcile([]));
  assert.deepEqual(lines, [
    'sent 1, acknowledged 1, rejected 0, stored 0 (0 without acknowledgement)',
    'missing 1: a',
  ]);
});

const MARK = { headers: [{ name: 'fb-resent', value: Buffer.from('1') }] };

/** Returns a ledger of an event sent once, and `repeats` times with a declaration. */
function resent(repeats: number): Ledger {
  const ledger = new Ledger({ hasMarks: true });
  ledger.sent('a', 1, { isRepeat: false });
  ledger.refused('a', 'timeout');
  for (let repeat = 1; repeat <= repeats; repeat++)
    ledger.sent('a', 1 + repeat, { isRepeat: true });
  return ledger;
}

test('one unmarked copy of an id is allowed, before or after the marked ones', () => {
  const verdict = resent(2).reconcile([
    record('a', 2, MARK),
    record('a'),
    record('a', 3, { ...MARK, partition: 1 }),
  ]);
  assert.deepEqual(accused(verdict), {});
  assert.equal(verdict.marked, 2);
});

test('wrongMark: a declared repeat without a mark, or a mark without a declaration', () => {
  assert.deepEqual(accused(resent(1).reconcile([record('a', 2)])), { wrongMark: ['a#2'] });
  assert.deepEqual(accused(resent(1).reconcile([record('a', 1, MARK)])), { wrongMark: ['a'] });
});

test('unmarked: two unmarked copies of an id, in any partitions; each id is named once', () => {
  const ledger = new Ledger({ hasMarks: true });
  for (let attempt = 1; attempt <= 3; attempt++) ledger.sent('a', attempt);
  const copies = [1, 2, 3].map((attempt) => record('a', attempt, { partition: attempt }));
  assert.deepEqual(accused(ledger.reconcile(copies)), { unmarked: ['a'] });
  const [first, ...others] = copies;
  const marked = others.map((copy) => ({ ...copy, ...MARK }));
  assert.deepEqual(accused(ledger.reconcile([first!, ...marked])), {});
});

test('marks are not checked where records have none', () => {
  const ledger = new Ledger();
  ledger.sent('a', 1, { isRepeat: false });
  ledger.sent('a', 2, { isRepeat: true });
  const verdict = ledger.reconcile([record('a'), record('a', 2)]);
  assert.deepEqual(accused(verdict), {});
  assert.equal(verdict.marked, 0);
});
