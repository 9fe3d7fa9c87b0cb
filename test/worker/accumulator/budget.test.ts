import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { KIB, LIMITS, MIB } from '../../../src/config/limits.ts';
import { Budget } from '../../../src/worker/accumulator/budget.ts';

const LIMIT = MIB;

type Step =
  | { readonly do: 'allocate' | 'forceAllocate' | 'charge'; readonly bytes: number }
  | { readonly do: 'deallocate' | 'release'; readonly which: number }
  | { readonly do: 'reserve'; readonly bytes: number };

const bytes = fc.integer({ min: 1, max: LIMIT / 4 });
const anyStep: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant('allocate' as const), bytes }) },
  fc.record({ do: fc.constant('forceAllocate' as const), bytes }),
  { weight: 2, arbitrary: fc.record({ do: fc.constant('charge' as const), bytes }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('deallocate' as const), which: fc.nat() }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('release' as const), which: fc.nat() }) },
  fc.record({ do: fc.constant('reserve' as const), bytes: fc.nat(LIMIT / 2) }),
);

/** Removes the element that `which` selects. */
function pull<T>(list: T[], which: number): T | undefined {
  return list.splice(which % (list.length || 1), 1)[0];
}

test('usage exceeds the limit only by force, and ends at zero', () => {
  fc.assert(
    fc.property(fc.array(anyStep, { maxLength: 100, size: 'max' }), (steps) => {
      const budget = new Budget(LIMIT);
      const buffers: Buffer[] = [];
      const charges: number[] = [];
      let reserve = 0;
      for (const step of steps) {
        const before = budget.usedBytes;
        if (step.do === 'allocate') {
          const buffer = budget.allocate(step.bytes);
          if (buffer === undefined) assert.equal(budget.usedBytes, before);
          else {
            assert(
              buffer.length >= step.bytes && buffer.length < Math.max(2 * step.bytes, 2 * KIB),
            );
            assert(budget.usedBytes <= LIMIT - reserve, 'the reserve is kept');
            buffers.push(buffer);
          }
        } else if (step.do === 'forceAllocate') buffers.push(budget.forceAllocate(step.bytes));
        else if (step.do === 'charge') {
          const taken = budget.charge(step.bytes);
          assert.equal(taken, before + step.bytes <= LIMIT - reserve);
          if (taken) charges.push(step.bytes);
        } else if (step.do === 'deallocate') {
          const buffer = pull(buffers, step.which);
          if (buffer !== undefined) budget.deallocate(buffer);
        } else if (step.do === 'release') budget.release(pull(charges, step.which) ?? 0);
        else if (step.do === 'reserve') {
          reserve = step.bytes;
          budget.reserve(reserve);
        }
        const held = buffers.reduce((sum, { length }) => sum + length, 0);
        const charged = charges.reduce((sum, charge) => sum + charge, 0);
        assert.equal(budget.usedBytes, held + charged);
        const room = Math.max(0, LIMIT - reserve - budget.usedBytes);
        assert(budget.freeBytes <= room, 'free buffers fit into the remaining budget');
        assert.equal(new Set(buffers).size, buffers.length, 'no buffer has two owners');
      }
      for (const buffer of buffers) budget.deallocate(buffer);
      for (const charge of charges) budget.release(charge);
      assert.equal(budget.usedBytes, 0);
    }),
  );
});

test('a deallocated buffer is reused, by forced allocations too', () => {
  const budget = new Budget(LIMIT);
  const first = budget.allocate(3 * KIB)!;
  budget.deallocate(first);
  assert.equal(budget.freeBytes, 4 * KIB);
  assert.equal(budget.allocate(4 * KIB), first);
  budget.deallocate(first);
  assert.equal(budget.forceAllocate(2 * KIB + 1), first);
  assert.equal(budget.freeBytes, 0);
});

test('free buffers are dropped for an allocation of another size', () => {
  const budget = new Budget(64 * KIB);
  const small = Array.from({ length: 64 }, () => budget.allocate(KIB)!);
  for (const buffer of small) budget.deallocate(buffer);
  assert.equal(budget.freeBytes, 64 * KIB);
  assert.equal(budget.allocate(32 * KIB)?.length, 32 * KIB);
  assert.equal(budget.freeBytes, 32 * KIB);
});

test('the reserve is not available to events, and copies of requests always fit', () => {
  const budget = new Budget(64 * KIB);
  budget.reserve(32 * KIB);
  assert.equal(budget.allocate(33 * KIB), undefined);
  assert.equal(budget.allocate(32 * KIB)?.length, 32 * KIB);
  assert.equal(budget.charge(1), false);
  budget.copies(32 * KIB);
  assert.equal(budget.usedBytes, 64 * KIB);
  budget.copies(-32 * KIB);
  assert.equal(budget.usedBytes, 32 * KIB);
});

test('releasing more than was charged fails an assertion', () => {
  const budget = new Budget(LIMIT);
  assert.throws(() => budget.release(1), /more was released/);
  assert.throws(() => new Budget(LIMIT).copies(-1), /more copies/);
  assert.throws(() => new Budget(LIMIT).reserve(LIMIT / 2 + 1), /leaves room/);
});

test('it is under pressure from the high-water mark to the low one, and reports the end', () => {
  const budget = new Budget(LIMIT);
  let pressureEnds = 0;
  budget.onPressureEnd(() => pressureEnds++);
  const [high, low] = [LIMIT * LIMITS.highWater.stop, LIMIT * LIMITS.highWater.resume];
  assert(budget.charge(Math.ceil(high) - 1));
  assert(!budget.underPressure);
  assert(budget.charge(1));
  assert(budget.underPressure);
  const above = budget.eventBytes - Math.ceil(low);
  budget.release(above);
  assert(budget.underPressure, 'unchanged between the marks');
  budget.release(1);
  assert(!budget.underPressure);
  assert(budget.charge(1 + above - 1));
  assert(!budget.underPressure);
  assert.equal(pressureEnds, 1);
});

test('a larger reserve for copies lowers the marks', () => {
  const budget = new Budget(LIMIT);
  assert(budget.charge(LIMIT / 2));
  assert(!budget.underPressure);
  budget.reserve(LIMIT / 2);
  assert(budget.charge(0));
  assert(budget.underPressure);
});
