import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { CATALOGUE } from '../../src/metrics/catalogue.ts';
import { Counters, cell, cells, histogram } from '../../src/metrics/counters.ts';
import { cellCount, firstCell, LAYOUT_CELLS, seriesOf } from '../../src/metrics/layout.ts';
import { Totals } from '../../src/primary/totals.ts';

const received = cells('forebay_events_received_total', ['ws', 'http']);
const refused = cells('forebay_events_refused_total', ['schema', 'too_large']);
const dropped = cells('forebay_events_dropped_total', ['buffer_full']);
const stored = cell('forebay_events_stored_total');
const inFlight = firstCell('forebay_events_in_flight');
const cpu = firstCell('forebay_worker_cpu_seconds_total');
const lanes = firstCell('forebay_lanes');
const ack = histogram('forebay_ack_duration_seconds');

/** Numbers of a worker that has received, stored and still holds so many events. */
function numbers(values: { received: number; stored: number; inFlight: number }): Float64Array {
  const counters = new Counters();
  counters.add(received.ws, values.received);
  counters.add(stored, values.stored);
  counters.set(inFlight, values.inFlight);
  return counters.values;
}

test('slots add up, and each gauge stands by itself', () => {
  const totals = new Totals(2);
  totals.begin(1, 101);
  totals.begin(2, 102);
  totals.take(1, 101, numbers({ received: 10, stored: 7, inFlight: 3 }));
  totals.take(2, 102, numbers({ received: 5, stored: 5, inFlight: 0 }));
  assert.equal(totals.sum(received.ws), 15);
  assert.equal(totals.sum(stored), 12);
  assert.equal(totals.inFlight(1), 3);
  assert.equal(totals.inFlight(2), 0);
  assert.equal(totals.unaccounted(), 0);
});

test('a death keeps counters, drops gauges and loses what was in flight', () => {
  const totals = new Totals(1);
  totals.begin(1, 7);
  const counters = new Counters();
  counters.add(received.ws, 10);
  counters.add(stored, 6);
  counters.set(inFlight, 4);
  counters.set(lanes, 12);
  counters.set(cpu, 1.5);
  counters.observe(ack, 0.004, 6);
  totals.take(1, 7, counters.values);
  assert.equal(totals.retire(1, 7, 'crash'), 4);
  assert.equal(totals.sum(received.ws), 10);
  assert.equal(totals.sum(ack.first + 2), 6, 'the bucket up to 5 ms');
  assert.equal(totals.at(1, cpu), 1.5);
  assert.equal(totals.sum(lanes), 0);
  assert.equal(totals.inFlight(1), 0);
  assert.equal(totals.lost('crash'), 4);
  assert.equal(totals.lost('hang'), 0);
  assert.equal(totals.unaccounted(), 0);

  totals.begin(1, 8);
  totals.take(1, 8, numbers({ received: 2, stored: 2, inFlight: 0 }));
  assert.equal(totals.sum(received.ws), 12);
  assert.equal(totals.unaccounted(), 0);
});

test('a late snapshot of a dead worker is not taken, with and without a successor', () => {
  const totals = new Totals(1);
  totals.begin(1, 7);
  totals.take(1, 7, numbers({ received: 10, stored: 10, inFlight: 0 }));
  totals.retire(1, 7, 'crash');
  const late = numbers({ received: 11, stored: 11, inFlight: 0 });
  totals.take(1, 7, late);
  assert.equal(totals.sum(stored), 10);
  totals.begin(1, 8);
  totals.take(1, 7, late);
  assert.equal(totals.retire(1, 7, 'crash'), 0, 'nor does it die twice');
  assert.equal(totals.sum(stored), 10);
});

test('a forgotten event shows as unaccounted, one counted twice as -1', () => {
  const totals = new Totals(1);
  totals.begin(1, 1);
  totals.take(1, 1, numbers({ received: 10, stored: 7, inFlight: 2 }));
  assert.equal(totals.unaccounted(), 1);
  totals.take(1, 1, numbers({ received: 10, stored: 9, inFlight: 2 }));
  assert.equal(totals.unaccounted(), -1);
});

test('the age of a slot counts from its last numbers, across a death', () => {
  let now = 1_000;
  const totals = new Totals(1, () => now);
  now += 500;
  assert.equal(totals.ageSeconds(1), 0.5);
  totals.begin(1, 1);
  totals.take(1, 1, new Float64Array(LAYOUT_CELLS));
  assert.equal(totals.ageSeconds(1), 0);
  totals.retire(1, 1, 'crash');
  totals.begin(1, 2);
  now += 3_000;
  assert.equal(totals.ageSeconds(1), 3);
});

test('a slot is never given away twice', () => {
  const totals = new Totals(1);
  totals.begin(1, 1);
  assert.throws(() => totals.begin(1, 2), /slot 1 still has worker 1/);
  assert.throws(() => totals.begin(2, 2), /no slot 2/);
});

/** Cells of everything that must never fall. */
const rising: number[] = [];
for (const { name } of CATALOGUE) {
  const series = seriesOf(name);
  if (series.from === 'primary' || series.type === 'gauge') continue;
  for (let i = 0; i < cellCount(series); i++) rising.push(firstCell(name) + i);
}

const SLOTS = 3;
const slot = fc.integer({ min: 1, max: SLOTS });
const count = fc.integer({ min: 0, max: 1_000 });
const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('work' as const), slot, count }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('death' as const), slot, count }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('late' as const), slot, count }) },
);

/** A worker as it counts itself: each event goes to exactly one fate or is in flight. */
class Worker {
  readonly counters = new Counters();
  readonly id: number;
  constructor(id: number) {
    this.id = id;
  }
  work(events: number): void {
    const { counters } = this;
    const fates = [stored, refused.schema, refused.too_large, dropped.buffer_full];
    const settled = Math.floor((counters.values[inFlight]! + events) * 0.7);
    counters.add(events % 2 === 0 ? received.ws : received.http, events);
    counters.add(fates[events % fates.length]!, settled);
    counters.set(inFlight, counters.values[inFlight]! + events - settled);
    counters.observe(ack, events / 1_000, settled);
    counters.add(cpu, events / 100);
  }
}

test('whatever happens counters never fall, and balanced workers leave 0 unaccounted', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const totals = new Totals(SLOTS);
      let ids = 0;
      const dead: Worker[] = [];
      const workers = Array.from({ length: SLOTS }, (_, index) => {
        const worker = new Worker(++ids);
        totals.begin(index + 1, worker.id);
        return worker;
      });
      let before = rising.map((index) => totals.sum(index));
      for (const { kind, slot, count } of steps) {
        const worker = workers[slot - 1]!;
        if (kind === 'work') {
          worker.work(count);
          totals.take(slot, worker.id, worker.counters.values.slice());
        } else if (kind === 'death') {
          totals.retire(slot, worker.id, count % 2 === 0 ? 'crash' : 'hang');
          dead.push(worker);
          const next = new Worker(++ids);
          workers[slot - 1] = next;
          totals.begin(slot, next.id);
        } else {
          const late = dead[count % Math.max(1, dead.length)];
          if (late === undefined) continue;
          late.work(count);
          totals.take(slot, late.id, late.counters.values.slice());
        }
        const now = rising.map((index) => totals.sum(index));
        assert(now.every((value, index) => value >= before[index]!));
        before = now;
        assert.equal(totals.unaccounted(), 0);
      }
    }),
  );
});
