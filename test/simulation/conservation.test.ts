/**
 * Conservation of events: none is forgotten, none counted twice. The numbers come from simulated
 * workers whose clients send valid and invalid events, whose buffers overflow and whose brokers
 * fail; the primary adds them up while workers die and are replaced.
 */
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import fc from 'fast-check';
import { CATALOGUE, type SeriesName } from '../../src/metrics/catalogue.ts';
import { cell, type MetricSnapshot } from '../../src/metrics/counters.ts';
import { WORKER_CAUSES } from '../../src/metrics/labels.ts';
import {
  cellCount,
  cellOf,
  firstCell,
  STREAM_CELLS,
  seriesOf,
  slotDistances,
} from '../../src/metrics/layout.ts';
import { MetricTotals } from '../../src/primary/metric-totals.ts';
import { runHistory } from './history.ts';

/** Seeds of worker lives; enough that each kind of end occurs. */
const LIVES = 24;
const SLOTS = 3;
const STORED = cell('forebay_events_stored_total');
const STORED_LATE = cell('forebay_events_stored_late_total');
const SCHEMA = cellOf('forebay_events_refused_total', 'schema');
const IN_FLIGHT = firstCell('forebay_events_in_flight');

/** Snapshots of each worker, from the first to the last. */
const lives: MetricSnapshot[][] = [];

before(async () => {
  for (let seed = 1; seed <= LIVES; seed++) {
    const life: MetricSnapshot[] = [];
    const { violations } = await runHistory(seed, undefined, (metrics) => life.push(metrics));
    assert.deepEqual(violations, [], `seed ${seed}`);
    lives.push(life);
  }
});

/** Cells of counters, which never fall. */
const rising = CATALOGUE.flatMap(({ name }) => {
  const series = seriesOf(name);
  if (series.from === 'primary' || series.type === 'gauge') return [];
  return slotDistances(series).flatMap((distance) =>
    Array.from({ length: cellCount(series) }, (_, index) => firstCell(name) + distance + index),
  );
});

function sumOf(totals: MetricTotals, name: SeriesName): number {
  const series = seriesOf(name);
  let sum = 0;
  for (let index = 0; index < cellCount(series); index++) {
    sum += sumOverStreams(totals, firstCell(name) + index);
  }
  return sum;
}

function sumOverStreams(totals: MetricTotals, cell: number): number {
  let sum = 0;
  for (let stream = 0; stream < totals.streams; stream++) {
    sum += totals.sum(cell + stream * STREAM_CELLS);
  }
  return sum;
}

function inFlight({ values }: MetricSnapshot): number {
  let sum = 0;
  for (let cell = IN_FLIGHT; cell < values.length; cell += STREAM_CELLS) sum += values[cell]!;
  return sum;
}

interface Worker {
  readonly id: number;
  readonly slot: number;
  readonly life: readonly MetricSnapshot[];
  /** Number of snapshots sent. */
  sent: number;
}

/** Worker slots; each worker replays one life to its end, unless it dies first. */
class Instance {
  readonly totals = new MetricTotals(SLOTS);
  readonly living: Worker[] = [];
  readonly dead: Worker[] = [];
  readonly lost = { crash: 0, hang: 0 };
  #ids = 0;
  #before = rising.map(() => 0);

  begin(slot: number, life: number): void {
    const worker = { id: ++this.#ids, slot, life: lives[life % LIVES]!, sent: 0 };
    this.living.push(worker);
    this.totals.begin(slot, worker.id);
  }

  /** Takes the next snapshot of a worker; after the last one it ends with nothing in flight. */
  send(worker: Worker): void {
    if (worker.sent < worker.life.length)
      this.totals.update(worker.id, worker.life[worker.sent++]!);
    else this.end(worker, 'crash');
  }

  end(worker: Worker, cause: 'crash' | 'hang'): void {
    const last = worker.life[worker.sent - 1];
    this.lost[cause] += last === undefined ? 0 : inFlight(last);
    this.totals.retire(worker.id, cause);
    this.living.splice(this.living.indexOf(worker), 1);
    this.dead.push(worker);
  }

  check(): void {
    const { totals, lost } = this;
    assert.equal(totals.unaccounted(), 0);
    for (const cause of WORKER_CAUSES) assert.equal(totals.lost(cause), lost[cause], cause);
    const now = rising.map((one) => totals.sum(one));
    const fallen = rising.filter((_, index) => now[index]! < this.#before[index]!);
    assert.deepEqual(fallen, [], 'cells of counters that fell');
    this.#before = now;
  }
}

const any = fc.nat(1_000);
const anyStep = fc.record({
  do: fc.oneof(
    { weight: 30, arbitrary: fc.constant('numbers' as const) },
    ...(['crash', 'hang', 'late', 'second'] as const).map((kind) => fc.constant(kind)),
  ),
  which: any,
  life: any,
});
type Step = typeof anyStep extends fc.Arbitrary<infer T> ? T : never;

function run(instance: Instance, { do: kind, which, life }: Step): void {
  const { living, dead } = instance;
  const worker = living[which % living.length]!;
  if (kind === 'numbers') instance.send(worker);
  else if (kind === 'second') {
    const { slot } = worker;
    if (living.filter((other) => other.slot === slot).length === 1) instance.begin(slot, life);
  } else if (kind === 'late') {
    const late = dead[which % Math.max(1, dead.length)];
    const numbers = late?.life[late.sent];
    if (numbers !== undefined) instance.totals.update(late!.id, numbers);
  } else instance.end(worker, kind);
  for (let slot = 1; slot <= SLOTS; slot++) {
    if (!living.some((other) => other.slot === slot)) instance.begin(slot, life);
  }
}

test('each event is in exactly one place at any time: valid, invalid, dropped, late and lost ones', () => {
  const met = new Set<string>();
  fc.assert(
    fc.property(fc.array(anyStep, { maxLength: 400, size: 'max' }), any, (steps, life) => {
      const instance = new Instance();
      for (let slot = 1; slot <= SLOTS; slot++) instance.begin(slot, life + slot);
      for (const step of steps) {
        run(instance, step);
        instance.check();
      }
      const { totals, living, lost } = instance;
      for (const worker of [...living]) {
        while (living.includes(worker)) instance.send(worker);
      }
      instance.check();
      const dropped = sumOf(totals, 'forebay_events_dropped_total');
      const places =
        sumOverStreams(totals, STORED) + sumOf(totals, 'forebay_events_refused_total') + dropped;
      const received = sumOf(totals, 'forebay_events_received_total');
      assert.equal(received, places + lost.crash + lost.hang, 'with nothing in flight');
      if (sumOverStreams(totals, STORED) > 0) met.add('good');
      if (sumOverStreams(totals, SCHEMA) > 0) met.add('bad');
      if (sumOverStreams(totals, STORED_LATE) > 0) met.add('late');
      if (dropped > 0) met.add('dropped');
      if (lost.crash > 0) met.add('crashed');
      if (lost.hang > 0) met.add('hung');
    }),
    { numRuns: 100 },
  );
  assert.deepEqual([...met].sort(), ['bad', 'crashed', 'dropped', 'good', 'hung', 'late']);
});
