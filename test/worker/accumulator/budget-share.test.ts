import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { KIB, LIMITS, MIB } from '../../../src/config/limits.ts';
import { Budget } from '../../../src/worker/accumulator/budget.ts';
import { BudgetShare, guaranteedBytes } from '../../../src/worker/accumulator/budget-share.ts';

const LIMIT = 64 * MIB;

/** Charges a share until it rejects more. @returns its bytes */
function fill(share: BudgetShare, bytes = KIB): number {
  while (share.charge(bytes));
  return share.usedBytes;
}

function setUp(...fractions: number[]) {
  const budget = new Budget(LIMIT);
  return { budget, shares: fractions.map((fraction) => new BudgetShare(budget, fraction)) };
}

test('a stuck topic holds its fraction of what is shared, a second one that of the rest', () => {
  const { budget, shares } = setUp(0.5, 0.5, 0.5, 0.5);
  const sharedBytes = LIMIT * (1 - LIMITS.guaranteedShare);
  const held = shares.map((share) => (fill(share) - guaranteedBytes(budget)) / sharedBytes);
  const expected = [1 / 2, 1 / 4, 1 / 8, 1 / 16];
  for (const [index, part] of held.entries()) {
    assert(Math.abs(part - expected[index]!) < 0.001, `${index}: ${part}`);
  }
  assert(budget.eventBytes < LIMIT, 'there is room left for others');
});

const MAX_EVENT_BYTES = 64 * KIB;

test('whatever other topics are stuck, a topic finds the bytes that it is guaranteed', () => {
  const stuck = fc.array(
    fc.record({
      fraction: fc.double({ min: LIMITS.streamFile.bufferShareMin, max: 1, noNaN: true }),
      bytes: fc.integer({ min: 1, max: MIB }),
    }),
    { maxLength: LIMITS.streams - 1 },
  );
  fc.assert(
    fc.property(stuck, fc.integer({ min: 0, max: 16 * MIB }), (others, reserveBytes) => {
      const budget = new Budget(LIMIT);
      budget.reserve(reserveBytes);
      const minBytes = 4 * MAX_EVENT_BYTES;
      const healthy = new BudgetShare(budget, LIMITS.streamFile.bufferShareMin, minBytes);
      for (const { fraction, bytes } of others) {
        fill(new BudgetShare(budget, fraction, minBytes), bytes);
      }
      assert(!healthy.underPressure && healthy.acceptsFrames);
      assert(healthy.charge(guaranteedBytes(budget)), `${others.length} stuck topics`);
    }),
    { numRuns: 200 },
  );
});

test('a small share holds an event of maximum size, if the budget has room', () => {
  const budget = new Budget(4 * MIB);
  const [stuck, small] = [new BudgetShare(budget, 0.5), new BudgetShare(budget, 1 / 64, 256 * KIB)];
  fill(stuck);
  const buffer = small.allocate(64 * KIB + 100);
  assert(buffer !== undefined && small.charge(LIMITS.eventOverheadBytes));
});

test('pressure begins as well when other topics lower the mark', () => {
  const { budget, shares } = setUp(0.5, 0.5);
  const [one, other] = shares as [BudgetShare, BudgetShare];
  let ends = 0;
  budget.onPressureEnd(() => ends++);
  assert(one.charge(0.24 * LIMIT) && !one.underPressure);
  fill(other);
  assert(one.underPressure, 'before an event is rejected');
  assert(one.acceptsFrames && one.charge(MIB), 'there is room for credit granted before');
  other.release(other.usedBytes);
  assert(!one.underPressure && ends > 0);
});

test('the limit of a topic rises when others release memory', () => {
  const { shares } = setUp(0.5, 0.5);
  const [stuck, other] = shares as [BudgetShare, BudgetShare];
  const held = fill(stuck);
  const before = fill(other);
  stuck.release(held);
  assert(fill(other) > 1.9 * before);
});

test('a pressed share ends its pressure below the low-water mark, also by releases of others', () => {
  const { budget, shares } = setUp(0.5, 0.5);
  const [one, other] = shares as [BudgetShare, BudgetShare];
  let ends = 0;
  budget.onPressureEnd(() => ends++);
  fill(other);
  fill(one);
  assert(one.underPressure && !one.acceptsFrames);
  assert(other.underPressure, 'each has its own mark');
  other.release(other.usedBytes);
  assert(!one.underPressure, 'its limit has doubled');
  assert(!budget.underPressure);
  assert.equal(ends, 2, 'of both shares');
  fill(one);
  assert(one.underPressure);
  one.release(one.usedBytes - one.eventLimitBytes * LIMITS.highWater.resume);
  assert(one.underPressure, 'at the low mark, not below it');
  one.release(1);
  assert(!one.underPressure);
  assert.equal(ends, 3);
  assert.equal(budget.pressedShares.size, 0);
});

type Kind = 'charge' | 'allocate' | 'release' | 'deallocate' | 'force';
interface Step {
  readonly share: number;
  readonly bytes: number;
  readonly kind: Kind;
}

/** Share 1 allocates in spite of a mark that has fallen below its bytes. */
const FALLEN_MARK: Step[] = [
  { share: 1, bytes: 2_097_153, kind: 'allocate' },
  { share: 0, bytes: 1_451_779, kind: 'charge' },
  { share: 1, bytes: 4_194_287, kind: 'charge' },
  { share: 1, bytes: 3_184_690, kind: 'charge' },
  { share: 0, bytes: 3_242_106, kind: 'charge' },
  { share: 1, bytes: 1_048_577, kind: 'allocate' },
];

test('whatever the order, a share counts its bytes, and leaves room for the others', () => {
  const step = fc.record({
    share: fc.nat(2),
    bytes: fc.integer({ min: 1, max: 4 * MIB }),
    kind: fc.constantFrom<Kind>('charge', 'allocate', 'release', 'deallocate', 'force'),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const { budget, shares } = setUp(0.5, 0.25, 1);
      const charges: number[][] = shares.map(() => []);
      const buffers: Buffer[][] = shares.map(() => []);
      for (const { share: index, bytes, kind } of steps) {
        const share = shares[index]!;
        const { usedBytes: before, eventLimitBytes, headroomBytes } = share;
        const limit = eventLimitBytes * LIMITS.highWater.stop + headroomBytes;
        if (kind === 'charge' && share.charge(bytes)) charges[index]!.push(bytes);
        if (kind === 'force') {
          share.forceCharge(bytes);
          charges[index]!.push(bytes);
        }
        const buffer = kind === 'allocate' ? share.allocate(bytes) : undefined;
        if (buffer !== undefined) buffers[index]!.push(buffer);
        if (kind === 'release') share.release(charges[index]!.pop() ?? 0);
        if (kind === 'deallocate') {
          const last = buffers[index]!.pop();
          if (last !== undefined) share.deallocate(last);
        }
        const grew = share.usedBytes > before;
        // What lies above a mark that has fallen leaves the room above the mark to the client.
        const most = Math.max(limit, before + headroomBytes);
        if (grew && kind !== 'force') assert(share.usedBytes <= most, `${kind} above the limit`);
        const used = shares.map(({ usedBytes }) => usedBytes);
        const usedBytes = used.reduce((sum, each) => sum + each, 0);
        assert.equal(budget.eventBytes, usedBytes);
        assert.equal(budget.shared.usedBytes, usedBytes);
      }
      for (const [index, share] of shares.entries()) {
        const sum = (values: number[]) => values.reduce((total, value) => total + value, 0);
        const expected = sum(charges[index]!) + sum(buffers[index]!.map(({ length }) => length));
        assert.equal(share.usedBytes, expected);
        share.release(expected);
      }
      assert.deepEqual(budget.shared, { usedBytes: 0, excessBytes: 0, baseBytes: 0 });
    }),
    { numRuns: 200, examples: [[FALLEN_MARK]] },
  );
});
