import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Counters, cell, cells, histogram } from '../../../src/metrics/counters.ts';
import { declaredSlots, streamCellsOf } from '../../../src/metrics/slots.ts';
import { COLUMNS } from '../../../src/primary/live-view/columns.ts';
import { Sampler } from '../../../src/primary/live-view/sampler.ts';
import { MetricTotals } from '../../../src/primary/metric-totals.ts';
import type { WorkerState } from '../../../src/primary/supervisor.ts';

const received = cells('forebay_events_received_total', ['ws', 'http']);
const refused = cells('forebay_events_refused_total', ['schema', 'buffer_full']);
const dropped = cells('forebay_events_dropped_total', ['buffer_full']);
const stored = cell('forebay_events_stored_total');
const inFlight = cell('forebay_events_in_flight');
const buffer = cell('forebay_buffer_bytes');
const oldest = cell('forebay_buffer_oldest_seconds');
const cpu = cell('forebay_worker_cpu_seconds_total');
const ack = histogram('forebay_ack_duration_seconds');

/** Two workers with metrics set by the test, and a manual clock. */
function instance() {
  let nowMs = 0;
  const now = () => nowMs;
  const totals = new MetricTotals(2, now);
  totals.begin(1, 1);
  totals.begin(2, 2);
  const workers = [new Counters(), new Counters()] as const;
  const states: WorkerState[][] = [['ready'], ['ready']];
  const restarts = { crash: 0, hang: 0 };
  const outage = undefined;
  const infos = [{ stream: 'default', topic: 'events', owner: '' }];
  const readiness = () => ({ ready: true, reasons: [] });
  const facts = {
    readiness,
    outage: () => outage,
    restartFailure: () => undefined,
    states: () => states,
    restarts: (of: 'crash' | 'hang') => restarts[of],
    streams: () => infos,
    senders: () => [],
    keyStreams: () => [],
  };
  const sampler = new Sampler(totals, facts, now);
  const second = () => {
    nowMs += 1_000;
    for (const [index, worker] of workers.entries()) totals.update(index + 1, worker.snapshot());
    const point = sampler.point();
    return (column: string) => point[COLUMNS.indexOf(column)];
  };
  return { totals, workers, states, restarts, infos, sampler, second };
}

test('a point has rates of all workers, sums of gauges, counts of this second only', () => {
  const { workers, second } = instance();
  const [one, two] = workers;
  one.add(received.ws, 100);
  one.add(stored, 80);
  one.add(refused.schema, 20);
  two.add(received.http, 50);
  two.add(stored, 40);
  two.add(dropped.buffer_full, 6);
  two.set(inFlight, 4);
  one.set(buffer, 1_000);
  two.set(buffer, 500);
  one.set(oldest, 3);
  two.set(oldest, 7);
  two.add(cpu, 0.25);
  one.observe(ack, 0.002, 120);
  const first = second();
  assert.equal(first('received'), 150);
  assert.equal(first('stored'), 120);
  assert.equal(first('refused'), 20);
  assert.equal(first('dropped'), 6);
  assert.equal(first('refused.schema'), 20);
  assert.equal(first('dropped.buffer_full'), 6);
  assert.equal(first('inFlight'), 4);
  assert.equal(first('bufferBytes'), 1_500);
  assert.equal(first('oldestSeconds'), 7, 'of the worker that is most behind');
  assert.equal(first('cpu'), 0.25);
  assert.equal(first('ackP50'), 1.75);
  assert.equal(first('produceP50'), null);
  assert.equal(first('unaccounted'), 0);
  one.add(received.ws, 10);
  one.add(refused.buffer_full, 10);
  const next = second();
  assert.equal(next('received'), 10);
  assert.equal(next('refused.schema'), 0);
  assert.equal(next('refused.buffer_full'), 10);
});

test('a death: lost events are counted once, nothing falls below 0, the slot is empty', () => {
  const { totals, workers, states, restarts, sampler, second } = instance();
  workers[0].add(received.ws, 10);
  workers[0].set(inFlight, 10);
  workers[0].add(cpu, 2);
  second();
  totals.retire(1, 'crash');
  states[0] = [];
  restarts.crash = 1;
  const after = second();
  assert.equal(after('lost.crash'), 10);
  assert.equal(after('restarts.crash'), 1);
  assert.equal(after('unaccounted'), 0);
  assert.equal(second()('lost.crash'), 0);
  assert.equal(second()('received'), 0, 'its last rate does not stay');
  const { workers: shown, counts } = sampler.status();
  assert.deepEqual(
    shown.map((worker) => worker.states),
    [[], ['ready']],
  );
  assert.equal(counts['lost.crash'], 10);
  assert.equal(counts['restarts.crash'], 1);
});

test('the status has a row per worker and every lane state', () => {
  const { workers, sampler, second } = instance();
  workers[1].add(received.ws, 3);
  workers[1].set(inFlight, 3);
  workers[1].set(buffer, 64);
  second();
  const { summary, workers: shown, lanes } = sampler.status();
  assert.equal(summary.text, 'Events arrive; none is stored yet');
  assert.deepEqual(
    shown.map((worker) => Reflect.get(worker, 'inFlight')),
    [0, 3],
  );
  assert.deepEqual(Object.keys(lanes), ['empty', 'filling', 'in_flight', 'retrying', 'unknown']);
});

test('a row per stream with its rates of the last seconds; none without a stream file', () => {
  const { workers, infos, sampler, second } = instance();
  second();
  assert.deepEqual(sampler.status().streams, []);
  const slots = declaredSlots(['a', 'b']);
  infos.splice(0, 1, { stream: '(none)', topic: '', owner: '' });
  infos.push({ stream: 'a', topic: 't', owner: 'team' }, { stream: 'b', topic: 'u', owner: '' });
  for (const worker of workers) worker.assign(slots);
  const [ofA, ofB] = [streamCellsOf(slots, 'a'), streamCellsOf(slots, 'b')];
  second();
  for (let count = 0; count < 20; count++) {
    for (const worker of workers) {
      worker.add(received.ws + ofA, 10);
      worker.add(stored + ofA, 9);
      worker.add(received.http + ofB, 4);
      worker.add(dropped.buffer_full + ofB, 4);
      worker.observe(ack, 0.002, 9, ofA);
    }
    workers[0].add(refused.schema, 1);
    workers[0].add(received.ws, 1);
    workers[1].set(inFlight + ofA, 1 + count);
    workers[0].set(buffer + ofA, 100);
    second();
  }
  workers[0].set(inFlight + ofA, 20);
  second();
  const [none, a, b] = sampler.status().streams;
  assert.deepEqual([none?.received, none?.refused, none?.ackP99], [0.8, 0.8, null]);
  assert.deepEqual([a?.stream, a?.topic, a?.owner], ['a', 't', 'team']);
  assert.deepEqual([a?.received, a?.stored, a?.inFlight, a?.bufferBytes], [16, 14.4, 40, 100]);
  assert.equal(a?.ackP99, 2.49);
  assert.deepEqual([a?.unaccounted, b?.unaccounted], [0, 0]);
  assert.deepEqual([b?.received, b?.dropped, b?.stored], [6.4, 6.4, 0]);
});
