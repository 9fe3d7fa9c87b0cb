import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { BURST_MS, DutyCycle } from '../../../src/worker/intake/duty-cycle.ts';

/** A duty cycle with a clock of its own, and the work that it permits. */
function setUp(share: number) {
  const work = { nowMs: 0, spentMs: 0, done: 0, clockReads: 0 };
  const duty = new DutyCycle(share, () => {
    work.clockReads++;
    return work.nowMs;
  });
  /** Offers pieces of work that cost `costMs`, one every `everyMs`. @returns the pieces done */
  const offer = (pieces: number, everyMs: number, costMs: number): number[] => {
    const done: number[] = [];
    for (let piece = 0; piece < pieces; piece++) {
      work.nowMs += everyMs;
      if (!duty.begin()) continue;
      work.nowMs += costMs;
      work.spentMs += costMs;
      duty.end();
      done.push(piece);
    }
    return done;
  };
  return { duty, work, offer };
}

const anyMs = (min: number, max: number) => fc.double({ min, max, noNaN: true });

test('work takes up to its share of the time, plus a burst and its last piece', () => {
  fc.assert(
    fc.property(
      anyMs(0.001, 1),
      fc.array(fc.tuple(fc.nat(400), anyMs(0, 2), anyMs(0, 20)), { maxLength: 12 }),
      (share, phases) => {
        const { work, offer } = setUp(share);
        let longestMs = 0;
        for (const [pieces, everyMs, costMs] of phases) {
          if (offer(pieces, everyMs, costMs).length > 0) longestMs = Math.max(longestMs, costMs);
          const maxMs = share * work.nowMs + BURST_MS + longestMs + 1e-6;
          assert(work.spentMs <= maxMs, `${work.spentMs} of ${work.nowMs} ms, up to ${maxMs}`);
        }
      },
    ),
  );
});

test('work uses its share, without a look at the clock for each piece', () => {
  const { work, offer } = setUp(0.05);
  offer(1_000_000, 0.002, 0.004);
  const spentShare = (work.spentMs - BURST_MS) / work.nowMs;
  assert(spentShare > 0.045 && spentShare <= 0.0501, `${spentShare}`);
  assert(work.clockReads < 200_000, `${work.clockReads} reads`);
  const before = work.clockReads;
  offer(1_000_000, 0.0002, 1);
  assert(work.clockReads - before < 20_000, `${work.clockReads - before} reads when short of time`);
});

test('all work is done that takes less than its share, also after more', () => {
  const { offer } = setUp(0.05);
  assert.equal(offer(1_000, 10, 0.1).length, 1_000);
  assert(offer(100_000, 0.001, 0.1).length < 1_000);
  offer(1_000, 10, 0.1);
  assert.equal(offer(1_000, 10, 0.1).length, 1_000);
});

test('pieces that alternate are done alike', () => {
  for (const period of [2, 8, 63, 64, 128]) {
    const done = setUp(0.05).offer(1_000_000, 0.002, 0.004);
    const counts = Array(period).fill(0) as number[];
    for (const piece of done) counts[piece % period]!++;
    const mean = done.length / period;
    for (const count of counts) {
      assert(count > mean / 2 && count < 2 * mean, `${count} of ${mean} with period ${period}`);
    }
  }
});
