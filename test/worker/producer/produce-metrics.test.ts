import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Counters, cell, cells, histogram } from '../../../src/metrics/counters.ts';
import { RecordBatch } from '../../../src/worker/accumulator/batch.ts';
import { noAnswer, type Outcome, outcomeOf } from '../../../src/worker/producer/error-table.ts';
import { ProduceMetrics } from '../../../src/worker/producer/produce-metrics.ts';
import { batchOfValues, topicOf } from '../../../testing/batches.ts';
import { recordFaults } from '../faults.ts';

const ERRORS = cells('forebay_produce_errors_total', ['unexpected', 'connection', 'unknown']);

/** Log line of a failed attempt, and its count. */
function failed(outcome: Outcome, errorClass: keyof typeof ERRORS) {
  const { faults, lines } = recordFaults();
  const counters = new Counters();
  const metrics = new ProduceMetrics(counters, faults);
  for (let attempt = 0; attempt < 2; attempt++) {
    metrics.settled(topicOf(4).partitions[3]!, outcome, {
      do: 'retry',
      class: errorClass,
      refresh: true,
    });
  }
  assert.equal(counters.values[ERRORS[errorClass]], 2);
  return lines.map(({ level, partition, error, errorCode }) => [
    level,
    partition,
    error,
    errorCode,
  ]);
}

test('an error that is not in the table is named in its log line, as an alarm', () => {
  const lines = failed(outcomeOf(42), 'unexpected');
  assert.deepEqual(lines, [['error', 3, 'INVALID_REQUEST', 42]]);
});

test('an error in the table is named too: a class has several', () => {
  const lines = failed(outcomeOf(7), 'unknown');
  assert.deepEqual(lines, [['warn', 3, 'REQUEST_TIMED_OUT', 7]]);
});

test('an attempt without a response is counted; its connection has its own log line', () => {
  assert.deepEqual(failed(noAnswer('connection'), 'connection'), []);
});

test('the lane stage of a batch ends with its first attempt, the produce stage with its result', () => {
  const counters = new Counters();
  const metrics = new ProduceMetrics(counters, recordFaults().faults);
  const stage = (name: string) => {
    const { first, bounds } = histogram('forebay_stage_duration_seconds', name);
    const cells = counters.values.subarray(first, first + bounds.length + 2);
    return { times: cells.slice(0, -1).reduce((a, b) => a + b, 0), seconds: cells.at(-1) };
  };
  const batch = batchOfValues(['x', 'y']);
  batch.openedAtMs = 1_000;
  metrics.ended(batch, 1_500);
  assert.deepEqual(stage('produce'), { times: 0, seconds: 0 }, 'it was never sent');
  metrics.sending(batch, 3_000);
  metrics.sending(batch, 4_000);
  assert.deepEqual(stage('lane'), { times: 1, seconds: 2 }, 'the second attempt is not counted');
  const rest = new RecordBatch(Buffer.alloc(batch.buffer.length), batch.partition);
  batch.split(1, rest);
  metrics.sending(rest, 5_000);
  assert.equal(stage('lane').times, 1, 'the split-off part was sent before');
  metrics.ended(batch, 7_000);
  metrics.ended(rest, 8_000);
  assert.deepEqual(stage('produce'), { times: 2, seconds: 4 + 5 });
});

test('a stored batch counts its sent bytes, and separately those before compression', () => {
  const counters = new Counters();
  const metrics = new ProduceMetrics(counters, recordFaults().faults);
  const batch = batchOfValues(['x'.repeat(400)]);
  metrics.stored(batch);
  batch.setCompressed({ buffer: Buffer.alloc(128), length: 100, codec: 1 });
  metrics.stored(batch);
  const { first, bounds } = histogram('forebay_batch_bytes');
  assert.equal(counters.values[first + bounds.length + 1], batch.length + 100, 'the sum');
  const uncompressed = cell('forebay_batch_uncompressed_bytes_total');
  assert.equal(counters.values[uncompressed], 2 * batch.length);
});
