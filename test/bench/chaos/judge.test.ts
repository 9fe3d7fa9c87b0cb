import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Evidence, judge } from '../../../bench/chaos/judge.ts';
import type { Account } from '../../../bench/chaos/outcome.ts';
import { outcomeOf } from './outcome-of.ts';

const CLEAN: Evidence = {
  account: outcomeOf('any').account!,
  seen: [{ falls: [], unaccounted: [], unanswered: 0, residentBytesMax: 100 }],
  residentBytesBound: 100,
  violations: [],
  unheard: 0,
  died: false,
  plain: { sent: 100, stored: 90, dropped: 10 },
};

test('books that balance: no problem', () => {
  assert.deepEqual(judge(CLEAN), []);
});

test('each list of the ledger that names an event is a problem', () => {
  const lists: (keyof Account)[] = [
    ...(['missing', 'doubled', 'phantom', 'refusedStored', 'wrongKey', 'disordered'] as const),
  ];
  for (const list of lists) {
    const problems = judge({ ...CLEAN, account: { ...CLEAN.account, [list]: 3 } });
    assert.equal(problems.length, 1, list);
    assert.match(problems[0]!, /^3 events /);
  }
});

test('what an acknowledged client sent again, and what a topic took along, is none', () => {
  const account = { ...CLEAN.account, repeated: 7, deleted: 9, unacknowledgedStored: 11 };
  assert.deepEqual(judge({ ...CLEAN, account }), []);
});

test('of every gateway: counters that fall, events unaccounted, silence and memory', () => {
  const bad = { falls: ['a: 2 -> 1'], unaccounted: [1, 1, 1, 1], unanswered: 2 };
  const seen = [...CLEAN.seen, { ...bad, residentBytesMax: 101 }];
  assert.deepEqual(judge({ ...CLEAN, seen }), [
    'counters fell (1): a: 2 -> 1',
    'forebay_events_unaccounted was (4): 1; 1; 1 …',
    '2 scrapes had no answer',
    'a worker took 101 bytes, more than 100',
  ]);
});

test('plain events that nobody counted are a problem only while what they were sent to lives', () => {
  const plain = { sent: 100, stored: 90, dropped: 9 };
  assert.deepEqual(judge({ ...CLEAN, plain }), ['1 plain events neither stored nor counted']);
  assert.deepEqual(judge({ ...CLEAN, plain, died: true }), []);
});

test('a breach of the protocol and an event without a fate are problems', () => {
  assert.deepEqual(judge({ ...CLEAN, violations: ['ack 3 after 4'], unheard: 1 }), [
    'breaches of the protocol (1): ack 3 after 4',
    '1 events of acknowledged clients were never settled',
  ]);
});
