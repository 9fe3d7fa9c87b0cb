import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Verification } from '../../../src/cli/listen/verification.ts';
import { LIMITS } from '../../../src/config/limits.ts';

const record = {
  partition: 1,
  offset: 7n,
  timestamp: 0,
  key: Buffer.from('c'),
  headers: [],
  value: { bytes: null },
};
const RESENT = [{ name: 'fb-resent', value: Buffer.from('1') }];

/** @param events those with a field `marked` have the header fb-resent */
function verify(events: readonly object[], sequenceField?: string) {
  const said: string[] = [];
  const verification = new Verification({
    idField: 'id',
    sequenceField,
    say: (line) => said.push(line),
  });
  for (const event of events) {
    verification.check('marked' in event ? { ...record, headers: RESENT } : record, { ...event });
  }
  return { verification, said };
}

test('ids only: no mention of sequences', () => {
  const { verification, said } = verify([
    { id: 1, seq: 1 },
    { id: 2, seq: 1 },
  ]);
  assert.deepEqual(said, []);
  assert.equal(verification.clean, true);
  assert.equal(verification.describe().length, 1);
});

test('a repeated id, a missing or a repeated number is not clean', () => {
  for (const [events, what] of [
    [
      [
        { id: 1, seq: 1 },
        { id: 1, seq: 2 },
      ],
      'repeat of 1',
    ],
    [
      [
        { id: 1, seq: 1 },
        { id: 2, seq: 3 },
      ],
      '2 is missing before 3 of "c"',
    ],
    [
      [
        { id: 1, seq: 1 },
        { id: 2, seq: 1 },
      ],
      'repeat of 1 of "c"',
    ],
  ] as const) {
    const { verification, said } = verify(events, 'seq');
    assert.deepEqual(said, [`${what} at partition 1 offset 7`]);
    assert.equal(verification.clean, false, what);
    assert.equal(verification.describe().length, 2);
  }
});

test('a number that arrives late is clean, and the field may be nested', () => {
  const { verification } = verify(
    [1, 3, 2].map((n) => ({ id: n, meta: { n } })),
    'meta.n',
  );
  assert.equal(verification.clean, true);
  assert.match(verification.describe()[1] ?? '', /0 missing, 0 repeats, 1 late/);
});

test('findings above the limit are only counted', () => {
  const repeats = LIMITS.listenFindings + 50;
  const { verification, said } = verify(Array.from({ length: repeats + 1 }, () => ({ id: 'x' })));
  assert.equal(said.length, LIMITS.listenFindings + 1);
  assert.equal(said.at(-1), 'further findings are only counted');
  assert.match(verification.describe()[0] ?? '', new RegExp(` ${repeats} repeats`));
});

test('marked repeats are clean, before and after their original, also for sequences', () => {
  const [original, marked] = [
    { id: 'a', seq: 1 },
    { id: 'a', seq: 1, marked: true },
  ];
  for (const order of [
    [original, marked, marked],
    [marked, original, marked],
    [marked, marked, original],
  ]) {
    const { verification, said } = verify(order, 'seq');
    assert.deepEqual(said, []);
    assert.equal(verification.clean, true);
    assert.deepEqual(verification.describe(), [
      '3 events, 1 distinct id, 0 repeats, 2 marked repeats, 0 without id',
      'sequences of 1 client: 0 missing, 0 repeats, 2 marked repeats, 0 late, 0 not tracked',
    ]);
    const again = verify([...order, original], 'seq');
    assert.equal(again.verification.clean, false);
    assert.deepEqual(again.said, [
      'repeat of "a" at partition 1 offset 7',
      'repeat of 1 of "c" at partition 1 offset 7',
    ]);
  }
});

test('a number reused by an unmarked event with another id is a repeat', () => {
  const events = [
    { id: 'a', seq: 1, marked: true },
    { id: 'b', seq: 1 },
  ];
  const { verification, said } = verify(events, 'seq');
  assert.deepEqual(said, ['repeat of 1 of "c" at partition 1 offset 7']);
  assert.equal(verification.clean, false);
});

test('a mark with any value, or none, counts', () => {
  for (const value of [null, Buffer.alloc(0), Buffer.from('0')]) {
    const verification = new Verification({
      idField: 'id',
      sequenceField: undefined,
      say: assert.fail,
    });
    const headers = [{ name: 'fb-resent', value }];
    verification.check(record, { id: 1 });
    verification.check({ ...record, headers }, { id: 1 });
    assert.equal(verification.clean, true);
  }
});
