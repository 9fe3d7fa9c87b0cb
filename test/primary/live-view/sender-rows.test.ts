import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LIMITS } from '../../../src/config/limits.ts';
import { cellOf, firstCell, KEY_CELLS } from '../../../src/metrics/layout.ts';
import { SenderRows } from '../../../src/primary/live-view/sender-rows.ts';
import type { MetricTotals } from '../../../src/primary/metric-totals.ts';

const STORED = cellOf('forebay_key_events_total', 'stored');
const REFUSED = cellOf('forebay_key_events_total', 'refused');
const BYTES = firstCell('forebay_key_bytes_total');

/** Totals of two workers. */
class FakeTotals {
  readonly slots = 2;
  readonly #cells = [new Map<number, number>(), new Map<number, number>()];

  add(worker: number, slot: number, cell: number, count: number): void {
    const cells = this.#cells[worker - 1]!;
    const at = cell + slot * KEY_CELLS;
    cells.set(at, (cells.get(at) ?? 0) + count);
  }
  at(worker: number, cell: number): number {
    return this.#cells[worker - 1]!.get(cell) ?? 0;
  }
  sum(cell: number): number {
    return this.at(1, cell) + this.at(2, cell);
  }
}

const SENDERS = [
  { name: 'web', slot: 2, eventsPerSecond: 100 },
  { name: 'app', slot: 3, eventsPerSecond: undefined },
  { name: 'silent', slot: 4, eventsPerSecond: 1 },
];

function setUp() {
  const totals = new FakeTotals();
  const rows = new SenderRows(totals as unknown as MetricTotals, () => SENDERS);
  rows.sample(1_000);
  return { totals, rows };
}

test('a sender has rates, totals and the share of its limit on its busiest worker', () => {
  const { totals, rows } = setUp();
  totals.add(1, 2, STORED, 160);
  totals.add(2, 2, STORED, 20);
  totals.add(2, 2, REFUSED, 10);
  totals.add(1, 2, BYTES, 5_000);
  rows.sample(3_000);
  assert.deepEqual(rows.rows(), [
    {
      name: 'web',
      stored: 90,
      refused: 5,
      dropped: 0,
      bytesPerSecond: 2_500,
      storedTotal: 180,
      refusedTotal: 10,
      limitShare: 0.8,
    },
  ]);
});

test('senders nearest to their limit come first, then the busiest; silent ones are left out', () => {
  const { totals, rows } = setUp();
  totals.add(1, 3, STORED, 5_000);
  totals.add(1, 2, STORED, 1);
  rows.sample(2_000);
  const all = rows.rows();
  assert.deepEqual(
    all.map(({ name }) => name),
    ['web', 'app'],
  );
  assert.equal(all[1]!.limitShare, undefined);
});

test('rates are those of the last seconds, and of a replaced worker never negative', () => {
  const { totals, rows } = setUp();
  totals.add(1, 2, STORED, 100);
  for (let second = 2; second <= 2 * LIMITS.liveView.samples; second++) rows.sample(second * 1_000);
  assert.equal(rows.rows()[0]!.stored, 0);
  totals.add(1, 2, STORED, -100);
  totals.add(2, 2, STORED, 100);
  rows.sample(3 * LIMITS.liveView.samples * 1_000);
  assert(rows.rows()[0]!.limitShare! >= 0);
});
