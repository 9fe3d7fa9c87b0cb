import assert from 'node:assert/strict';
import { test } from 'node:test';
import { describeFirst, firstPositions, resumedPositions } from '../../../src/cli/listen/choose.ts';
import { StartError } from '../../../src/common/errors.ts';

const at = (...offsets: bigint[]) =>
  new Map(offsets.map((offset, partition) => [partition, offset]));
const ALL = { from: 'beginning', partitions: undefined } as const;
const bounds = { low: at(0n, 10n), high: at(5n, 20n) };

const SOURCE = { topic: 't', brokers: ['a:1', 'b:2'] };

test('beginning, end, and a time: the first offsets of each partition', () => {
  assert.deepEqual(firstPositions(bounds, ALL), at(0n, 10n));
  assert.deepEqual(firstPositions(bounds, { ...ALL, from: 'end' }), at(5n, 20n));
  const since = at(3n, 20n);
  assert.deepEqual(firstPositions({ ...bounds, since }, { ...ALL, from: 1 }), since);
});

test('only the selected partitions; a nonexistent one is an invalid option', () => {
  const partitions = new Set([1]);
  assert.deepEqual(firstPositions(bounds, { ...ALL, partitions }), new Map([[1, 10n]]));
  assert.throws(
    () => firstPositions(bounds, { ...ALL, partitions: new Set([1, 2]) }),
    (error) =>
      error instanceof StartError &&
      error.exitCode === 2 &&
      /partition 2 does not exist/.test(error.message),
  );
});

test('it resumes at its positions, except those that no longer exist', () => {
  assert.deepEqual(resumedPositions(bounds, ALL, at(3n, 15n)), at(3n, 15n));
  assert.deepEqual(resumedPositions(bounds, ALL, at(6n, 9n)), at(0n, 10n));
  const more = { low: at(0n, 0n, 0n), high: at(1n, 1n, 1n) };
  assert.deepEqual(resumedPositions(more, ALL, at(1n, 1n)), at(1n, 1n, 0n));
  assert.deepEqual(
    resumedPositions(more, { ...ALL, partitions: new Set([2]) }, at()),
    new Map([[2, 0n]]),
  );
});

test('it prints the partitions, the start, and why no events arrive', () => {
  const lines = (...args: Parameters<typeof describeFirst>) => describeFirst(...args);
  assert.deepEqual(lines(SOURCE, bounds, ALL), [
    'reading t at a:1,b:2, 2 partitions, from its beginning',
  ]);
  const one = { from: 'end', partitions: new Set([1]) } as const;
  assert.deepEqual(lines(SOURCE, bounds, one), ['reading t at a:1,b:2, partition 1, from its end']);
  const both = { from: 'end', partitions: new Set([1, 0]) } as const;
  assert.deepEqual(lines(SOURCE, bounds, both), [
    'reading t at a:1,b:2, partitions 0, 1, from its end',
  ]);
});

test('an empty topic is called empty, also if all its records are deleted', () => {
  const empty = { low: at(0n, 7n), high: at(0n, 7n) };
  assert.equal(describeFirst(SOURCE, empty, ALL)[1], 't is empty; waiting for events');
  const zero = describeFirst(
    SOURCE,
    { low: at(0n, 7n), high: at(0n, 9n) },
    { ...ALL, partitions: new Set([0]) },
  );
  assert.equal(zero[1], 'these partitions of t are empty; waiting for events');
  const half = { low: at(0n, 7n), high: at(1n, 7n) };
  assert.equal(describeFirst(SOURCE, half, ALL)[1], undefined);
});

test('a time after all records is reported', () => {
  const late = { ...bounds, since: bounds.high };
  const [first, second] = describeFirst(SOURCE, late, { ...ALL, from: 0 });
  assert.match(first ?? '', /from 1970-01-01T00:00:00\.000Z$/);
  assert.equal(second, 'no events since then; waiting for events');
});
