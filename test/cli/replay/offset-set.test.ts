import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OffsetSet, PartitionedOffsets } from '../../../src/cli/replay/offset-set.ts';
import { SeededRandom } from '../../../testing/random.ts';

test('a set of offsets equals a set of numbers, whatever is added and removed', () => {
  const random = new SeededRandom(1, 'offsets');
  for (let round = 0; round < 200; round++) {
    const set = new OffsetSet();
    const model = new Set<number>();
    for (let step = 0; step < 30; step++) {
      const first = random.int(0, 39);
      const last = first + random.int(0, 7);
      const isAdded = random.chance(0.7);
      if (isAdded) set.add(first, last);
      else set.remove(first, last);
      for (let offset = first; offset <= last; offset++) {
        if (isAdded) model.add(offset);
        else model.delete(offset);
      }
    }
    const all = [...model].sort((a, b) => a - b);
    for (let offset = 0; offset < 50; offset++) {
      assert.equal(set.has(offset), model.has(offset));
      assert.equal(set.sizeFrom(offset), all.filter((each) => each >= offset).length);
    }
    assert.equal(set.size, model.size);
    assert.equal(set.last, all.at(-1));
    const { ranges } = set;
    assert.ok(
      ranges.every(([from], at) => at === 0 || from > ranges[at - 1]![1] + 1),
      'disjoint',
    );
    if (set.size > 0) assert.deepEqual(OffsetSet.parse(set.text)?.ranges, ranges);
  }
});

test('texts of sets: ranges, and nothing else', () => {
  const set = new OffsetSet();
  set.add(3);
  set.add(7, 12);
  assert.equal(set.text, '3,7-12');
  for (const wrong of ['', '3,', '-3', '5-3', '1.5', '01', '1-2-3', 'x', '9007199254740993']) {
    assert.equal(OffsetSet.parse(wrong), undefined, wrong);
  }
});

test('sets by partition: sums, differences and their JSON', () => {
  const one = new PartitionedOffsets();
  one.of(0).add(1, 5);
  one.of(2).add(9);
  one.of(3);
  const other = new PartitionedOffsets();
  other.of(0).add(2, 3);
  one.removeAll(other);
  assert.deepEqual(JSON.parse(JSON.stringify(one)), { 0: '1,4-5', 2: '9' });
  assert.equal(one.size, 4);
  assert.deepEqual(one.partitions, [0, 2]);
  one.addAll(other);
  assert.equal(PartitionedOffsets.parse({ 0: '1-5', 2: '9' })?.size, one.size);
  for (const wrong of [null, [], { x: '1' }, { 0: 1 }, { 0: '' }, { '-1': '1' }]) {
    assert.equal(PartitionedOffsets.parse(wrong), undefined);
  }
});
