import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { CATALOGUE } from '../../src/metrics/catalogue.ts';
import {
  Counters,
  cell,
  cells,
  histogram,
  type MetricSnapshot,
} from '../../src/metrics/counters.ts';
import { cellCount, cellOf, firstCell, seriesOf } from '../../src/metrics/layout.ts';
import {
  declaredSlots,
  type MetricSlots,
  streamCellsOf,
  withStreams,
} from '../../src/metrics/slots.ts';
import { MetricTotals } from '../../src/primary/metric-totals.ts';

const received = cells('forebay_events_received_total', ['ws', 'http']);
const refused = cells('forebay_events_refused_total', ['schema', 'too_large']);
const dropped = cells('forebay_events_dropped_total', ['buffer_full']);
const stored = cell('forebay_events_stored_total');
const inFlight = firstCell('forebay_events_in_flight');
const cpu = firstCell('forebay_worker_cpu_seconds_total');
const oldest = firstCell('forebay_buffer_oldest_seconds');
const notAfter = firstCell('forebay_tls_certificate_not_after_seconds');
const lanes = firstCell('forebay_lanes');
const ack = histogram('forebay_ack_duration_seconds');

/** Metrics of a worker with these received, stored and in-flight events. */
function numbers(values: { received: number; stored: number; inFlight: number }): MetricSnapshot {
  const counters = new Counters();
  counters.add(received.ws, values.received);
  counters.add(stored, values.stored);
  counters.set(inFlight, values.inFlight);
  return counters.snapshot();
}

test('slots are summed, gauges are per slot', () => {
  const totals = new MetricTotals(2);
  totals.begin(1, 101);
  totals.begin(2, 102);
  totals.update(101, numbers({ received: 10, stored: 7, inFlight: 3 }));
  totals.update(102, numbers({ received: 5, stored: 5, inFlight: 0 }));
  assert.equal(totals.sum(received.ws), 15);
  assert.equal(totals.sum(stored), 12);
  assert.equal(totals.inFlight(101), 3);
  assert.equal(totals.inFlight(102), 0);
  assert.equal(totals.unaccounted(), 0);
});

test('dead letters without a result in the last report of a dead worker are lost, by code and stream', () => {
  const totals = new MetricTotals(1);
  const slots = declaredSlots(['a', 'b']);
  const counters = new Counters();
  counters.assign(slots);
  const offset = streamCellsOf(slots, 'b');
  const endedAs = (code: string, result: string) =>
    cellOf('forebay_dead_letters_total', code, result) + offset;
  counters.add(cellOf('forebay_dead_letters_attempted_total', 'schema') + offset, 10);
  counters.add(cellOf('forebay_dead_letters_attempted_total', 'too_large') + offset, 2);
  counters.add(endedAs('schema', 'written'), 5);
  counters.add(endedAs('schema', 'dropped'), 1);
  counters.add(endedAs('schema', 'lost'), 1);
  counters.add(endedAs('too_large', 'written'), 2);
  counters.set(cellOf('forebay_dead_letters_in_flight') + offset, 3);
  totals.begin(1, 7);
  totals.update(7, counters.snapshot());
  assert.equal(totals.sum(endedAs('schema', 'lost')), 1);
  totals.retire(7, 'crash');
  assert.equal(totals.sum(endedAs('schema', 'lost')), 4);
  assert.equal(totals.sum(endedAs('too_large', 'lost')), 0);
  assert.equal(totals.sum(cellOf('forebay_dead_letters_in_flight') + offset), 0);
});

test('ages and times of two workers in a slot are not summed', () => {
  const totals = new MetricTotals(1);
  for (const [worker, value] of [
    [7, 100],
    [8, 300],
  ] as const) {
    totals.begin(1, worker);
    const counters = new Counters();
    counters.set(oldest, value);
    counters.set(notAfter, value);
    totals.update(worker, counters.snapshot());
  }
  assert.deepEqual([totals.at(1, oldest), totals.at(1, notAfter)], [300, 300]);
  totals.retire(8, 'crash');
  assert.deepEqual([totals.at(1, oldest), totals.at(1, notAfter)], [100, 100]);
});

test('a death keeps counters, drops gauges and loses events in flight', () => {
  const totals = new MetricTotals(1);
  totals.begin(1, 7);
  const counters = new Counters();
  counters.add(received.ws, 10);
  counters.add(stored, 6);
  counters.set(inFlight, 4);
  counters.set(lanes, 12);
  counters.set(cpu, 1.5);
  counters.observe(ack, 0.004, 6);
  totals.update(7, counters.snapshot());
  assert.equal(totals.retire(7, 'crash'), 4);
  assert.equal(totals.sum(received.ws), 10);
  assert.equal(totals.sum(ack.first + 2), 6, 'the bucket up to 5 ms');
  assert.equal(totals.at(1, cpu), 1.5);
  assert.equal(totals.sum(lanes), 0);
  assert.equal(totals.at(1, inFlight), 0);
  assert.equal(totals.lost('crash'), 4);
  assert.equal(totals.lost('hang'), 0);
  assert.equal(totals.unaccounted(), 0);

  totals.begin(1, 8);
  totals.update(8, numbers({ received: 2, stored: 2, inFlight: 0 }));
  assert.equal(totals.sum(received.ws), 12);
  assert.equal(totals.unaccounted(), 0);
});

test('a late snapshot of a dead worker is ignored, with and without a successor', () => {
  const totals = new MetricTotals(1);
  totals.begin(1, 7);
  totals.update(7, numbers({ received: 10, stored: 10, inFlight: 0 }));
  totals.retire(7, 'crash');
  const late = numbers({ received: 11, stored: 11, inFlight: 0 });
  totals.update(7, late);
  assert.equal(totals.sum(stored), 10);
  totals.begin(1, 8);
  totals.update(7, late);
  assert.equal(totals.retire(7, 'crash'), 0, 'nor does it die twice');
  assert.equal(totals.sum(stored), 10);
});

test('a missing event shows as unaccounted, one counted twice as -1', () => {
  const totals = new MetricTotals(1);
  totals.begin(1, 1);
  totals.update(1, numbers({ received: 10, stored: 7, inFlight: 2 }));
  assert.equal(totals.unaccounted(), 1);
  totals.update(1, numbers({ received: 10, stored: 9, inFlight: 2 }));
  assert.equal(totals.unaccounted(), -1);
});

test('the age of a slot counts from its last report, across a death', () => {
  let now = 1_000;
  const totals = new MetricTotals(1, () => now);
  now += 500;
  assert.equal(totals.ageSeconds(1), 0.5);
  totals.begin(1, 1);
  totals.update(1, new Counters().snapshot());
  assert.equal(totals.ageSeconds(1), 0);
  totals.retire(1, 'crash');
  totals.begin(1, 2);
  now += 3_000;
  assert.equal(totals.ageSeconds(1), 3);
});

test('ids are not reused, and unknown slots are rejected', () => {
  const totals = new MetricTotals(1);
  totals.begin(1, 1);
  assert.throws(() => totals.begin(1, 1), /worker 1 already exists/);
  assert.throws(() => totals.begin(2, 2), /unknown slot 2/);
});

test('two workers in a slot: amounts are summed, ages are not, and each ends independently', () => {
  let now = 0;
  const oldest = firstCell('forebay_buffer_oldest_seconds');
  const lag = firstCell('forebay_event_loop_lag_seconds');
  const totals = new MetricTotals(1, () => now);
  totals.begin(1, 7);
  const before = numbers({ received: 10, stored: 6, inFlight: 4 });
  before.values[oldest] = 3;
  before.values[lag] = 0.2;
  totals.update(7, before);
  now = 2_000;
  totals.begin(1, 8);
  assert.equal(totals.ageSeconds(1), 2, 'one that has not spoken has no numbers to be old');
  const next = numbers({ received: 5, stored: 4, inFlight: 1 });
  next.values[oldest] = 1;
  next.values[lag] = 0.5;
  totals.update(8, next);
  assert.equal(totals.sum(stored), 10);
  assert.equal(totals.at(1, inFlight), 5);
  assert.equal(totals.at(1, oldest), 3);
  assert.equal(totals.at(1, lag), 0.5);
  assert.deepEqual([totals.inFlight(7), totals.inFlight(8)], [4, 1]);
  assert.equal(totals.ageSeconds(1), 2, 'the older numbers count');
  assert.equal(totals.unaccounted(), 0);

  totals.update(7, numbers({ received: 10, stored: 10, inFlight: 0 }));
  assert.equal(totals.retire(7, 'crash'), 0, 'it left cleanly');
  assert.equal(totals.sum(stored), 14);
  assert.equal(totals.at(1, inFlight), 1);
  assert.equal(totals.unaccounted(), 0);
});

test('a counter does not decrease by a rounding error when the younger worker dies first', () => {
  const totals = new MetricTotals(1);
  totals.begin(1, 1);
  totals.begin(1, 2);
  for (const [worker, seconds] of [
    [1, 0.1],
    [2, 0.7],
    [3, 0.2],
  ] as const) {
    if (worker === 3) totals.begin(1, 3);
    const counters = new Counters();
    counters.add(cpu, seconds);
    totals.update(worker, counters.snapshot());
  }
  const before = totals.at(1, cpu);
  for (const worker of [2, 3, 1]) {
    totals.retire(worker, 'crash');
    assert.equal(totals.at(1, cpu), before);
  }
});

/** Metrics of a worker whose streams, in this order, have received and stored these events. */
function byStream(
  slots: MetricSlots,
  values: Readonly<Record<string, { received: number; stored: number; inFlight: number }>>,
): MetricSnapshot {
  const counters = new Counters();
  counters.assign(slots);
  for (const [name, one] of Object.entries(values)) {
    const offset = streamCellsOf(slots, name);
    counters.add(received.ws + offset, one.received);
    counters.add(stored + offset, one.stored);
    counters.set(inFlight + offset, one.inFlight);
  }
  return counters.snapshot();
}

test('conservation holds for each stream: what one lacks, another has no surplus of', () => {
  const slots = declaredSlots(['a', 'b']);
  const totals = new MetricTotals(1);
  totals.begin(1, 1);
  const good = { received: 5, stored: 3, inFlight: 2 };
  totals.update(1, byStream(slots, { a: good, b: good }));
  assert.deepEqual(
    [0, 1, 2].map((stream) => totals.unaccountedOf(stream)),
    [0, 0, 0],
  );
  assert.equal(totals.inFlight(1), 4);
  const [less, more] = [
    { ...good, stored: 2 },
    { ...good, stored: 4 },
  ];
  totals.update(1, byStream(slots, { a: less, b: more }));
  assert.deepEqual(
    [0, 1, 2].map((stream) => totals.unaccountedOf(stream)),
    [0, 1, -1],
  );
  assert.equal(totals.unaccounted(), 1, 'the sum is 0, but not each');
});

test('events in flight in a worker that dies are lost for their streams', () => {
  const slots = declaredSlots(['a', 'b']);
  const totals = new MetricTotals(1);
  totals.begin(1, 1);
  const values = {
    a: { received: 5, stored: 3, inFlight: 2 },
    b: { received: 9, stored: 0, inFlight: 9 },
  };
  totals.update(1, byStream(slots, values));
  assert.equal(totals.retire(1, 'hang'), 11);
  assert.deepEqual(
    [0, 1, 2].map((stream) => totals.lost('hang', stream)),
    [0, 2, 9],
  );
  assert.deepEqual([totals.lost('hang'), totals.lost('crash')], [11, 0]);
  assert.deepEqual(
    [0, 1, 2].map((stream) => totals.unaccountedOf(stream)),
    [0, 0, 0],
  );
});

test('workers of two versions are summed; a removed stream keeps its counters', () => {
  const before = declaredSlots(['a']);
  const after = withStreams(before, ['b'])!;
  const totals = new MetricTotals(1);
  totals.begin(1, 1);
  totals.update(1, byStream(before, { a: { received: 5, stored: 3, inFlight: 2 } }));
  assert.equal(totals.streams, 2);
  totals.begin(1, 2);
  totals.update(2, byStream(after, { b: { received: 4, stored: 4, inFlight: 0 } }));
  assert.equal(totals.streams, 3);
  totals.update(1, byStream(before, { a: { received: 5, stored: 5, inFlight: 0 } }));
  totals.retire(1, 'crash');
  const [ofA, ofB] = [streamCellsOf(after, 'a'), streamCellsOf(after, 'b')];
  assert.deepEqual([totals.sum(stored + ofA), totals.sum(stored + ofB)], [5, 4]);
  assert.equal(totals.unaccounted(), 0);
});

/** Cells that must never decrease. */
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
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('second' as const), slot, count }) },
);

/** A worker's own accounting: each event has exactly one result or is in flight. */
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

test('counters never decrease, and balanced workers leave 0 unaccounted', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const totals = new MetricTotals(SLOTS);
      let ids = 0;
      const dead: Worker[] = [];
      const begin = (slot: number) => {
        const worker = new Worker(++ids);
        totals.begin(slot, worker.id);
        return worker;
      };
      const slots = Array.from({ length: SLOTS }, (_, index) => [begin(index + 1)]);
      let before = rising.map((index) => totals.sum(index));
      for (const { kind, slot, count } of steps) {
        const workers = slots[slot - 1]!;
        const worker = workers[count % workers.length]!;
        if (kind === 'work') {
          worker.work(count);
          totals.update(worker.id, worker.counters.snapshot());
        } else if (kind === 'death') {
          totals.retire(worker.id, count % 2 === 0 ? 'crash' : 'hang');
          dead.push(worker);
          workers.splice(workers.indexOf(worker), 1);
          if (workers.length === 0) workers.push(begin(slot));
        } else if (kind === 'second') {
          if (workers.length === 1) workers.push(begin(slot));
        } else {
          const late = dead[count % Math.max(1, dead.length)];
          if (late === undefined) continue;
          late.work(count);
          totals.update(late.id, late.counters.snapshot());
        }
        const now = rising.map((index) => totals.sum(index));
        assert(now.every((value, index) => value >= before[index]!));
        before = now;
        assert.equal(totals.unaccounted(), 0);
      }
    }),
  );
});
