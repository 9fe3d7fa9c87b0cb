import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DecidedShares, decidedIn } from '../../../bench/lab/decided.ts';
import { Metrics } from '../../../testing/metrics.ts';

test('the counts of all streams are added; a version without the metric has none', () => {
  const series = [
    'forebay_events_decided_total{stream="a",by="bytes"} 5',
    'forebay_events_decided_total{stream="a",by="value"} 1',
    'forebay_events_decided_total{stream="b",by="bytes"} 30',
    'forebay_events_decided_total{stream="b",by="value"} 0',
  ];
  assert.deepEqual(decidedIn(new Metrics(series.join('\n'))), { bytes: 35, value: 1 });
  assert.equal(decidedIn(new Metrics('forebay_events_received_total 7')), undefined);
});

test('a share is that of the events between two counts, one value per run', () => {
  const shares = new DecidedShares();
  shares.add('gateway, load', { bytes: 10, value: 10 }, { bytes: 40, value: 20 });
  shares.add('gateway, load', { bytes: 40, value: 20 }, { bytes: 140, value: 20 });
  shares.add('other, load', { bytes: 0, value: 0 }, { bytes: 0, value: 3 });
  assert.deepEqual(shares.figures(), [
    { name: 'decided without parsing: gateway, load', unit: '%', values: [75, 100] },
    { name: 'decided without parsing: other, load', unit: '%', values: [0] },
  ]);
});

test('a run without events or without the metric has no share', () => {
  const shares = new DecidedShares();
  const none = { bytes: 4, value: 4 };
  shares.add('idle', none, none);
  shares.add('old', undefined, undefined);
  assert.deepEqual(shares.figures(), []);
});
