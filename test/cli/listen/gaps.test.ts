import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Gaps } from '../../../src/cli/listen/gaps.ts';

const kinds = (gaps: Gaps, ...numbers: number[]) => numbers.map((n) => gaps.add(n).kind);

test('consecutive numbers leave nothing missing', () => {
  const gaps = new Gaps(7);
  assert.deepEqual(kinds(gaps, 8, 9, 10), ['next', 'next', 'next']);
  assert.equal(gaps.missing, 0);
});

test('a skipped number is missing until it arrives late, then it is a repeat', () => {
  const gaps = new Gaps(1);
  assert.deepEqual(gaps.add(5), { kind: 'gap', missing: { first: 2, last: 4 } });
  assert.equal(gaps.missing, 3);
  assert.deepEqual(kinds(gaps, 3, 3, 2, 4, 1, 5), [
    'late',
    'repeat',
    'late',
    'late',
    'repeat',
    'repeat',
  ]);
  assert.equal(gaps.missing, 0);
  assert.equal(gaps.ranges, 0);
});

test('lower numbers than the first are unknown', () => {
  assert.deepEqual(kinds(new Gaps(5), 4, 4, 5), ['unknown', 'unknown', 'repeat']);
});

test('a dropped range is unknown from then on: no false repeats', () => {
  const gaps = new Gaps(1);
  assert.deepEqual(kinds(gaps, 4, 9), ['gap', 'gap']);
  assert.equal(gaps.forgetOldest(), 2);
  assert.equal(gaps.missing, 4);
  assert.deepEqual(kinds(gaps, 2, 1, 4, 5), ['unknown', 'unknown', 'repeat', 'late']);
  assert.equal(new Gaps(1).forgetOldest(), 0);
});

test('in any order it agrees with a list of all received numbers', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 40 }), { minLength: 1 }), (numbers) => {
      const [first = 0, ...rest] = numbers;
      const gaps = new Gaps(first);
      const came = new Set([first]);
      for (const number of rest) {
        const { kind } = gaps.add(number);
        const greatest = Math.max(...came);
        if (number < first) assert.equal(kind, 'unknown');
        else if (came.has(number)) assert.equal(kind, 'repeat');
        else if (number < greatest) assert.equal(kind, 'late');
        else assert.equal(kind, number === greatest + 1 ? 'next' : 'gap');
        if (number >= first) came.add(number);
      }
      assert.equal(gaps.missing, Math.max(...came) - first + 1 - came.size);
    }),
  );
});
