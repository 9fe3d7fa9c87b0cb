import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Metrics } from '../../testing/metrics.ts';

const text = `# HELP a_total Something.
# TYPE a_total counter
a_total{transport="ws",worker="1"} 3
a_total{transport="ws",worker="12"} 4
a_total{transport="http",worker="1"} 0.5
b 1e3
c_bucket{le="+Inf"} +Inf
`;

test('one series, sums over omitted labels, and none', () => {
  const metrics = new Metrics(text);
  assert.equal(metrics.value('a_total', { transport: 'ws', worker: '1' }), 3);
  assert.equal(metrics.value('a_total', { worker: '1' }), 3.5);
  assert.equal(metrics.value('a_total'), 7.5);
  assert.equal(metrics.value('b'), 1_000);
  assert.equal(metrics.value('c_bucket', { le: '+Inf' }), Number.POSITIVE_INFINITY);
  assert.throws(() => metrics.value('a'), /no series a/);
  assert.throws(() => metrics.value('a_total', { worker: '2' }), /no series/);
});

test('an invalid sample is an error', () => {
  assert.throws(() => new Metrics('<html>'), /no sample: <html>/);
});
