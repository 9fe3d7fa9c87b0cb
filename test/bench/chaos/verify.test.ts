import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Account } from '../../../bench/chaos/outcome.ts';
import { type Evidence, verify } from '../../../bench/chaos/verify.ts';
import { outcomeOf } from './outcome-of.ts';

const CLEAN: Evidence = {
  account: outcomeOf('any').account!,
  seen: [{ decreases: [], unaccounted: [], unanswered: 0, residentBytesMax: 100 }],
  residentBytesBound: 100,
  violations: [],
  unsettled: 0,
  plainMayBeLost: false,
  plain: { sent: 100, stored: 90, dropped: 10 },
};

test('a balanced ledger has no problems', () => {
  assert.deepEqual(verify(CLEAN), []);
});

test('each non-empty list of the ledger is a problem', () => {
  const lists: (keyof Account)[] = [
    ...(['missing', 'doubled', 'phantom', 'refusedStored', 'wrongKey', 'disordered'] as const),
    ...(['unmarked', 'wrongMark'] as const),
  ];
  for (const list of lists) {
    const problems = verify({ ...CLEAN, account: { ...CLEAN.account, [list]: 3 } });
    assert.equal(problems.length, 1, list);
    assert.match(problems[0]!, /^3 events /);
  }
});

test('client retries and events of a deleted topic are not problems', () => {
  const account = {
    ...CLEAN.account,
    repeated: 7,
    marked: 5,
    deleted: 9,
    unacknowledgedStored: 11,
  };
  assert.deepEqual(verify({ ...CLEAN, account }), []);
});

test('decreasing counters, unaccounted events, failed scrapes and memory of any gateway are problems', () => {
  const bad = { decreases: ['a: 2 -> 1'], unaccounted: [1, 1, 1, 1], unanswered: 2 };
  const seen = [...CLEAN.seen, { ...bad, residentBytesMax: 101 }];
  assert.deepEqual(verify({ ...CLEAN, seen }), [
    'counters decreased (1): a: 2 -> 1',
    'nonzero forebay_events_unaccounted (4): 1; 1; 1 …',
    '2 scrapes failed',
    'worker RSS of 101 bytes exceeds 100',
  ]);
});

test('uncounted plain events are a problem unless their process was ended', () => {
  const plain = { sent: 100, stored: 90, dropped: 9 };
  assert.deepEqual(verify({ ...CLEAN, plain }), [
    '1 plain events neither stored nor counted as dropped',
  ]);
  assert.deepEqual(verify({ ...CLEAN, plain, plainMayBeLost: true }), []);
});

test('protocol violations and unsettled events are problems', () => {
  assert.deepEqual(verify({ ...CLEAN, violations: ['ack 3 after 4'], unsettled: 1 }), [
    'protocol violations (1): ack 3 after 4',
    '1 events of acknowledged clients were never settled',
  ]);
});
