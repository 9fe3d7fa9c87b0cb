import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { KIB, LIMITS, MIB } from '../../../src/config/limits.ts';
import { Budget } from '../../../src/worker/accumulator/budget.ts';

const LIMIT = MIB;

type Step =
  | { readonly do: 'take' | 'takeAnyway' | 'charge'; readonly bytes: number }
  | { readonly do: 'give' | 'release'; readonly which: number }
  | { readonly do: 'reserve'; readonly bytes: number };

const bytes = fc.integer({ min: 1, max: LIMIT / 4 });
const anyStep: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant('take' as const), bytes }) },
  fc.record({ do: fc.constant('takeAnyway' as const), bytes }),
  { weight: 2, arbitrary: fc.record({ do: fc.constant('charge' as const), bytes }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('give' as const), which: fc.nat() }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('release' as const), which: fc.nat() }) },
  fc.record({ do: fc.constant('reserve' as const), bytes: fc.nat(LIMIT / 2) }),
);

/** Takes the element that `which` points at. */
function pull<T>(list: T[], which: number): T | undefined {
  return list.splice(which % (list.length || 1), 1)[0];
}

test('what is used never passes the limit but by force, and all of it comes back', () => {
  fc.assert(
    fc.property(fc.array(anyStep, { maxLength: 100, size: 'max' }), (steps) => {
      const budget = new Budget(LIMIT);
      const buffers: Buffer[] = [];
      const charges: number[] = [];
      let reserve = 0;
      for (const step of steps) {
        const before = budget.usedBytes;
        if (step.do === 'take') {
          const buffer = budget.take(step.bytes);
          if (buffer === undefined) assert.equal(budget.usedBytes, before);
          else {
            assert(
              buffer.length >= step.bytes && buffer.length < Math.max(2 * step.bytes, 2 * KIB),
            );
            assert(budget.usedBytes <= LIMIT - reserve, 'the reserve is kept');
            buffers.push(buffer);
          }
        } else if (step.do === 'takeAnyway') buffers.push(budget.takeAnyway(step.bytes));
        else if (step.do === 'charge') {
          const taken = budget.charge(step.bytes);
          assert.equal(taken, before + step.bytes <= LIMIT - reserve);
          if (taken) charges.push(step.bytes);
        } else if (step.do === 'give') {
          const buffer = pull(buffers, step.which);
          if (buffer !== undefined) budget.give(buffer);
        } else if (step.do === 'release') budget.release(pull(charges, step.which) ?? 0);
        else if (step.do === 'reserve') {
          reserve = step.bytes;
          budget.reserve(reserve);
        }
        const held = buffers.reduce((sum, { length }) => sum + length, 0);
        const charged = charges.reduce((sum, charge) => sum + charge, 0);
        assert.equal(budget.usedBytes, held + charged);
        const room = Math.max(0, LIMIT - reserve - budget.usedBytes);
        assert(budget.freeBytes <= room, 'free buffers fit beside what is used and reserved');
        assert.equal(new Set(buffers).size, buffers.length, 'no buffer has two owners');
      }
      for (const buffer of buffers) budget.give(buffer);
      for (const charge of charges) budget.release(charge);
      assert.equal(budget.usedBytes, 0);
    }),
  );
});

test('a buffer that was given back is used again, by force too', () => {
  const budget = new Budget(LIMIT);
  const first = budget.take(3 * KIB)!;
  budget.give(first);
  assert.equal(budget.freeBytes, 4 * KIB);
  assert.equal(budget.take(4 * KIB), first);
  budget.give(first);
  assert.equal(budget.takeAnyway(2 * KIB + 1), first);
  assert.equal(budget.freeBytes, 0);
});

test('free buffers make way for what is needed in another size', () => {
  const budget = new Budget(64 * KIB);
  const small = Array.from({ length: 64 }, () => budget.take(KIB)!);
  for (const buffer of small) budget.give(buffer);
  assert.equal(budget.freeBytes, 64 * KIB);
  assert.equal(budget.take(32 * KIB)?.length, 32 * KIB);
  assert.equal(budget.freeBytes, 32 * KIB);
});

test('the reserve is kept from events, and copies of requests do not ask for room', () => {
  const budget = new Budget(64 * KIB);
  budget.reserve(32 * KIB);
  assert.equal(budget.take(33 * KIB), undefined);
  assert.equal(budget.take(32 * KIB)?.length, 32 * KIB);
  assert.equal(budget.charge(1), false);
  budget.copies(32 * KIB);
  assert.equal(budget.usedBytes, 64 * KIB);
  budget.copies(-32 * KIB);
  assert.equal(budget.usedBytes, 32 * KIB);
});

test('giving back more than was taken is a defect, not a number', () => {
  const budget = new Budget(LIMIT);
  assert.throws(() => budget.release(1), /more was released/);
  assert.throws(() => new Budget(LIMIT).copies(-1), /more copies/);
  assert.throws(() => new Budget(LIMIT).reserve(LIMIT / 2 + 1), /leaves room/);
});

test('it is pressed from the high mark until it is below the low one, and tells when that is over', () => {
  const budget = new Budget(LIMIT);
  let reliefs = 0;
  budget.onRelief(() => reliefs++);
  const [high, low] = [LIMIT * LIMITS.highWater.stop, LIMIT * LIMITS.highWater.resume];
  assert(budget.charge(Math.ceil(high) - 1));
  assert(!budget.pressed);
  assert(budget.charge(1));
  assert(budget.pressed);
  const above = budget.eventBytes - Math.ceil(low);
  budget.release(above);
  assert(budget.pressed, 'between the marks it stays what it was');
  budget.release(1);
  assert(!budget.pressed);
  assert(budget.charge(1 + above - 1));
  assert(!budget.pressed);
  assert.equal(reliefs, 1);
});

test('a larger reserve for copies brings the marks down', () => {
  const budget = new Budget(LIMIT);
  assert(budget.charge(LIMIT / 2));
  assert(!budget.pressed);
  budget.reserve(LIMIT / 2);
  assert(budget.charge(0));
  assert(budget.pressed);
});
