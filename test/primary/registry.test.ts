import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readConfig } from '../../src/config/config.ts';
import { CATALOGUE } from '../../src/metrics/catalogue.ts';
import { Counters, histogram } from '../../src/metrics/counters.ts';
import { cellOf, firstCell } from '../../src/metrics/layout.ts';
import { labelNames, type Series, slotLabel } from '../../src/metrics/series.ts';
import { MetricTotals } from '../../src/primary/metric-totals.ts';
import { buildRegistry, type PrimaryFacts } from '../../src/primary/registry.ts';
import { SlotAssignment } from '../../src/primary/slot-assignment.ts';
import { StreamMetrics } from '../../src/primary/stream-metrics.ts';
import { implicitStream } from '../../src/streams/implicit-stream.ts';
import type { StreamFile, StreamSpec } from '../../src/streams/stream-file.ts';

const IMPLICIT = implicitStream(readConfig({ KAFKA_TOPIC: 'events' }));

function streamFileOf(streams: readonly Partial<StreamSpec>[]): StreamFile {
  return { ...IMPLICIT, streams: streams.map((one) => ({ ...IMPLICIT.streams[0]!, ...one })) };
}

const facts: PrimaryFacts = {
  version: '1.2.3',
  transport: 'uws',
  draining: () => false,
  workers: () => 0,
  restarts: () => 0,
  slots: new SlotAssignment(),
  streams: new StreamMetrics(IMPLICIT, false),
  schemas: { ages: [], failures: 0 },
};

const SCHEMA_AGE = 'forebay_schema_registry_age_seconds';

interface Exposition {
  readonly types: Map<string, string>;
  /** Keyed by the full name of the series with labels. */
  readonly samples: Map<string, number>;
}

/** Parses the text format; fails for any other line. */
function parse(text: string): Exposition {
  const types = new Map<string, string>();
  const samples = new Map<string, number>();
  for (const line of text.split('\n')) {
    if (line === '' || /^# HELP [a-z_]+ \S/.test(line)) continue;
    const type = line.match(/^# TYPE ([a-z_]+) (counter|gauge|histogram)$/);
    const sample = line.match(/^([a-z_]+(?:\{(?:[a-z]+="[^"\\]*",?)+\})?) (\S+)$/);
    if (type) types.set(type[1]!, type[2]!);
    else if (sample && !Number.isNaN(Number(sample[2]))) samples.set(sample[1]!, Number(sample[2]));
    else assert.fail(`not a line of the text format: ${line}`);
  }
  return { types, samples };
}

async function scrape(totals: MetricTotals, given: PrimaryFacts = facts): Promise<Exposition> {
  return parse(await buildRegistry(totals, given).metrics());
}

/** Every sample of the catalog for two workers, and these streams. */
function promised(series: Series, streams: readonly string[] = ['default']): string[] {
  const { name, label, secondLabel, buckets } = series;
  if (name === 'forebay_build_info') {
    return [`${name}{version="1.2.3",node="${process.version}",transport="uws"}`];
  }
  if (name === 'forebay_stream_info') return [`${name}{stream="default",topic="events",owner=""}`];
  if (slotLabel(series) === 'key' || name === SCHEMA_AGE) return [];
  const seconds = secondLabel?.values.map((value) => [`${secondLabel.name}="${value}"`]) ?? [[]];
  const values = label?.values.flatMap((value) =>
    seconds.map((rest) => [`${label.name}="${value}"`, ...rest]),
  ) ?? [[]];
  const slots = labelNames(series).includes('worker') ? [['worker="1"'], ['worker="2"']] : [[]];
  const named = streams.filter((stream) => stream !== '(none)' || series.slots !== 'stream');
  const inStreams = slotLabel(series) ? named.map((stream) => [`stream="${stream}"`]) : [[]];
  const pairs = inStreams.flatMap((stream) =>
    values.flatMap((value) => slots.map((slot) => [...slot, ...stream, ...value])),
  );
  if (!buckets) return pairs.map((labels) => written(name, labels));
  return pairs.flatMap((labels) => [
    ...[...buckets, '+Inf'].map((le) => written(`${name}_bucket`, [`le="${le}"`, ...labels])),
    written(`${name}_sum`, labels),
    written(`${name}_count`, labels),
  ]);
}

function written(name: string, labels: readonly string[]): string {
  return labels.length === 0 ? name : `${name}{${labels.join()}}`;
}

test('every series of the catalog exists from the start with 0, and no other', async () => {
  const { samples, types } = await scrape(new MetricTotals(2, () => 0));
  const expected = (CATALOGUE as readonly Series[]).flatMap((series) => promised(series));
  assert.deepEqual([...samples.keys()].sort(), expected.sort());
  for (const [name, value] of samples) {
    assert.equal(value, /^forebay_(build|stream)_info/.test(name) ? 1 : 0, name);
  }
  for (const { name, type } of CATALOGUE) assert.equal(types.get(name), type, name);
});

test('streams and keys have series from the start; events without a stream only where they count', async () => {
  const slots = new SlotAssignment(['a', 'b'], true);
  slots.assignKeys(['till']);
  const file = streamFileOf([
    { name: 'a', topic: 't1', owner: 'team' },
    { name: 'b', topic: 't2' },
  ]);
  const streams = new StreamMetrics(file, true);
  const { samples } = await scrape(new MetricTotals(2, () => 0), { ...facts, slots, streams });
  const names = [...samples.keys()].filter((name) => !/^forebay_(key|stream_info)/.test(name));
  const expected = (CATALOGUE as readonly Series[])
    .filter((series) => slotLabel(series) !== 'key' && series.name !== 'forebay_stream_info')
    .flatMap((series) => promised(series, ['(none)', 'a', 'b']));
  assert.deepEqual(names.sort(), expected.sort());
  const keyed = [...samples.keys()].filter((name) => name.startsWith('forebay_key'));
  assert.deepEqual(keyed, [
    ...['jwt', 'till'].flatMap((key) =>
      ['stored', 'refused', 'dropped'].map(
        (result) => `forebay_key_events_total{key="${key}",result="${result}"}`,
      ),
    ),
    'forebay_key_bytes_total{key="jwt"}',
    'forebay_key_bytes_total{key="till"}',
  ]);
  assert.equal(samples.get('forebay_streams_version'), 1);
  const infos = [...samples.keys()].filter((name) => name.startsWith('forebay_stream_info'));
  assert.deepEqual(infos, [
    'forebay_stream_info{stream="(none)",topic="",owner=""}',
    'forebay_stream_info{stream="a",topic="t1",owner="team"}',
    'forebay_stream_info{stream="b",topic="t2",owner=""}',
  ]);
});

test('a changed stream file changes version, topics and owners; removed streams keep theirs', async () => {
  const streams = new StreamMetrics(
    streamFileOf([
      { name: 'a', topic: 't1', owner: 'team' },
      { name: 'b', topic: 't2' },
    ]),
    true,
  );
  streams.rejected();
  streams.applied(2, streamFileOf([{ name: 'b', topic: 't3', owner: 'others' }]));
  const { samples } = await scrape(new MetricTotals(1), { ...facts, streams });
  assert.equal(samples.get('forebay_streams_version'), 2);
  assert.equal(samples.get('forebay_streams_reloads_total{result="applied"}'), 1);
  assert.equal(samples.get('forebay_streams_reloads_total{result="rejected"}'), 1);
  const infos = [...samples.keys()].filter((name) => name.startsWith('forebay_stream_info'));
  assert.deepEqual(infos, [
    'forebay_stream_info{stream="(none)",topic="",owner=""}',
    'forebay_stream_info{stream="a",topic="t1",owner="team"}',
    'forebay_stream_info{stream="b",topic="t3",owner="others"}',
  ]);
});

test('counters are summed over workers, label values stay separate', async () => {
  const totals = new MetricTotals(2);
  for (const slot of [1, 2]) {
    totals.begin(slot, slot);
    const counters = new Counters();
    counters.add(cellOf('forebay_events_received_total', 'http'), 5 * slot);
    counters.add(cellOf('forebay_events_refused_total', 'schema'), 5 * slot);
    counters.set(firstCell('forebay_buffer_bytes'), 100 * slot);
    counters.set(cellOf('forebay_connections', 'http'), 7 * slot);
    counters.observe(histogram('forebay_stage_duration_seconds', 'lane'), 0.004, slot);
    totals.update(slot, counters.snapshot());
  }
  const { samples } = await scrape(totals);
  assert.equal(samples.get('forebay_events_received_total{stream="default",transport="http"}'), 15);
  assert.equal(samples.get('forebay_events_received_total{stream="default",transport="ws"}'), 0);
  assert.equal(samples.get('forebay_events_refused_total{stream="default",reason="schema"}'), 15);
  assert.equal(samples.get('forebay_buffer_bytes{worker="2",stream="default"}'), 200);
  assert.equal(samples.get('forebay_connections{worker="2",transport="http"}'), 14);
  assert.equal(samples.get('forebay_connections{worker="2",transport="ws"}'), 0);
  assert.equal(samples.get('forebay_stage_duration_seconds_count{stage="lane"}'), 3);
  const bucket = 'forebay_stage_duration_seconds_bucket';
  assert.equal(samples.get(`${bucket}{le="0.0025",stage="lane"}`), 0);
  assert.equal(samples.get(`${bucket}{le="0.005",stage="lane"}`), 3);
  assert.equal(samples.get('forebay_stage_duration_seconds_count{stage="decode"}'), 0);
  assert.equal(samples.get('forebay_stage_duration_seconds_count{stage="produce"}'), 0);
  assert.equal(samples.get('forebay_events_unaccounted{stream="default"}'), 0);
});

test('histograms are cumulative, and stay so across a death', async () => {
  const totals = new MetricTotals(1);
  const ack = histogram('forebay_ack_duration_seconds');
  const counters = new Counters();
  counters.observe(ack, 0.001, 3);
  counters.observe(ack, 0.004, 2);
  counters.observe(ack, 500);
  totals.begin(1, 1);
  totals.update(1, counters.snapshot());
  totals.retire(1, 'crash');
  totals.begin(1, 2);
  totals.update(2, counters.snapshot());
  const { samples } = await scrape(totals);
  const bucket = (le: string) =>
    samples.get(`forebay_ack_duration_seconds_bucket{le="${le}",stream="default"}`);
  assert.equal(bucket('0.001'), 6);
  assert.equal(bucket('0.0025'), 6);
  assert.equal(bucket('0.005'), 10);
  assert.equal(bucket('120'), 10);
  assert.equal(bucket('+Inf'), 12);
  assert.equal(samples.get('forebay_ack_duration_seconds_count{stream="default"}'), 12);
  const sum = samples.get('forebay_ack_duration_seconds_sum{stream="default"}')!;
  assert(Math.abs(sum - 2 * (3 * 0.001 + 2 * 0.004 + 500)) < 1e-9);
});

test('values of the primary itself', async () => {
  const totals = new MetricTotals(1);
  totals.begin(1, 1);
  const counters = new Counters();
  counters.set(firstCell('forebay_events_in_flight'), 9);
  totals.update(1, counters.snapshot());
  totals.retire(1, 'hang');
  const { samples } = await scrape(totals, {
    ...facts,
    draining: () => true,
    workers: (state) => (state === 'ready' ? 4 : 0),
    restarts: (cause) => (cause === 'crash' ? 3 : 0),
  });
  assert.equal(samples.get('forebay_draining'), 1);
  assert.equal(samples.get('forebay_workers{state="ready"}'), 4);
  assert.equal(samples.get('forebay_worker_restarts_total{cause="crash"}'), 3);
  assert.equal(samples.get('forebay_events_lost_total{stream="default",cause="hang"}'), 9);
  assert.equal(
    samples.get('forebay_events_unaccounted{stream="default"}'),
    -9,
    'nothing was ever received',
  );
});

test('streams with a schema of a registry have its age', async () => {
  const schemas = { ages: [{ stream: 'a', seconds: 1.5 }], failures: 2 };
  const { samples } = await scrape(new MetricTotals(2, () => 0), { ...facts, schemas });
  assert.equal(samples.get(`${SCHEMA_AGE}{stream="a"}`), 1.5);
  assert.equal(samples.get('forebay_schema_registry_failed_requests_total'), 2);
});
