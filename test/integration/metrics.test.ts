/** /metrics of a running gateway: complete from the start, well-formed, and correct. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { LIMITS } from '../../src/config/limits.ts';
import { CATALOGUE } from '../../src/metrics/catalogue.ts';
import type { Series } from '../../src/metrics/series.ts';
import { good } from '../../testing/events.ts';
import { FrameClient } from '../../testing/frame-client.ts';
import type { Metrics } from '../../testing/metrics.ts';
import { freshMetrics, metricsAtRest, post } from '../../testing/stage.ts';
import { missingTool } from '../../testing/tools.ts';
import { until } from '../../testing/wait.ts';
import { useStage } from '../support/use-stage.ts';

const FRAMES = 10 * LIMITS.decodeSample;
const BODIES = 5;
const HELD_MS = 1_500;
const STAGE = 'forebay_stage_duration_seconds';

const stage = useStage();

async function scrapeText(): Promise<string> {
  return (await fetch(`${stage.gateway.adminUrl}/metrics`)).text();
}

/** Count and sum (seconds) of a stage. */
function stageOf(metrics: Metrics, name: string): { count: number; seconds: number } {
  const labels = { stage: name };
  return {
    count: metrics.value(`${STAGE}_count`, labels),
    seconds: metrics.value(`${STAGE}_sum`, labels),
  };
}

function bucketsOf(metrics: Metrics, name: string, labels: Record<string, string> = {}): number[] {
  const { buckets = [] } = (CATALOGUE as readonly Series[]).find((one) => one.name === name)!;
  const bounds = [...buckets.map(String), '+Inf'];
  return bounds.map((le) => metrics.value(`${name}_bucket`, { ...labels, le }));
}

test('every series exists before the first event', async () => {
  const metrics = await stage.gateway.metrics();
  for (const { name, buckets, slots } of CATALOGUE as readonly Series[]) {
    // Only with an API key, or a schema of a registry.
    if (slots === 'key' || name === 'forebay_schema_registry_age_seconds') continue;
    const names = buckets ? [`${name}_bucket`, `${name}_sum`, `${name}_count`] : [name];
    for (const part of names) metrics.value(part);
  }
  assert.equal(metrics.value('forebay_events_received_total'), 0);
  assert.equal(metrics.value('forebay_build_info', { node: process.version }), 1);
});

test('each stage is timed: sampled WebSocket frames, bodies, batches, turns', async () => {
  const client = await FrameClient.open(stage.gateway.wsUrl);
  for (let frame = 0; frame < FRAMES; frame++) await client.sendWithin(good(`f${frame}`));
  await client.fate(FRAMES);
  for (let body = 0; body < BODIES; body++) {
    assert.equal((await post(stage, good(`b${body}`))).status, 200);
  }
  await client.close();
  const metrics = await metricsAtRest(stage.gateway);
  const events = metrics.value('forebay_events_stored_total');
  assert.equal(events, FRAMES + BODIES);
  const batches = metrics.value('forebay_batch_events_count');
  const [decode, lane, produce, ack] = ['decode', 'lane', 'produce', 'ack'].map((name) => {
    const { count, seconds } = stageOf(metrics, name);
    const buckets = bucketsOf(metrics, STAGE, { stage: name });
    assert.deepEqual(
      buckets,
      buckets.toSorted((a, b) => a - b),
      `${name} is cumulative`,
    );
    assert.equal(buckets.at(-1), count, name);
    assert(seconds > 0, `${name} takes time`);
    return count;
  });
  assert.equal(decode, FRAMES / LIMITS.decodeSample + BODIES);
  assert.equal(lane, batches, 'each batch was sent for the first time once');
  assert.equal(produce, batches);
  assert(ack! > BODIES && ack! <= events, `${ack} turns of the loop told of ${events} events`);
  // Per batch: no event took longer than the recorded time of the first one.
  const parts = stageOf(metrics, 'lane').seconds + stageOf(metrics, 'produce').seconds;
  const most = metrics.value('forebay_ack_duration_seconds_sum') / events;
  assert(parts >= most, `${parts} s in all batches, ${most} s for one event on average`);
});

test('connections are counted by transport, opened ones at their start', async () => {
  const open = (metrics: Metrics, transport: string) =>
    metrics.value('forebay_connections', { transport });
  const opened = (metrics: Metrics, transport: string) =>
    metrics.value('forebay_connections_opened_total', { transport });
  const idle = async () => {
    const metrics = await freshMetrics(stage.gateway);
    return open(metrics, 'ws') === 0 && metrics;
  };
  const before = await until(idle, { what: 'no WebSocket' });
  const client = await FrameClient.open(stage.gateway.wsUrl);
  const silent = connect(stage.gateway.port, '127.0.0.1');
  await once(silent, 'connect');
  const during = await until(async () => {
    const metrics = await freshMetrics(stage.gateway);
    return opened(metrics, 'http') - opened(before, 'http') === 2 && metrics;
  });
  assert.equal(open(during, 'ws'), 1);
  assert.equal(opened(during, 'ws') - opened(before, 'ws'), 1);
  const carrying = open(during, 'http');
  assert(carrying >= 1, 'connections without a request yet');
  silent.destroy();
  await client.close();
  // A connection kept alive by fetch may end meanwhile.
  const gone = async () => {
    const metrics = await freshMetrics(stage.gateway);
    return open(metrics, 'http') < carrying && open(metrics, 'ws') === 0;
  };
  await until(gone, { what: 'both ends' });
  const closed = (await freshMetrics(stage.gateway)).value('forebay_connections_closed_total');
  assert.equal(closed, opened(during, 'ws'), 'each end of a WebSocket has a reason');
});

test('a stopped worker reports its loop lag afterwards', async () => {
  const lag = async () =>
    (await stage.gateway.metrics()).value('forebay_event_loop_lag_seconds', { worker: '1' });
  const [worker] = stage.gateway.workers();
  process.kill(worker!, 'SIGSTOP');
  await sleep(HELD_MS);
  process.kill(worker!, 'SIGCONT');
  const least = (HELD_MS - LIMITS.loopCheck.idleMs) / 1000;
  await until(async () => (await lag()) >= least, { what: `a lag of ${least} s` });
  await until(async () => (await lag()) < least, { what: 'a loop without lag' });
});

test('promtool accepts a scrape without warnings', { skip: missingTool('promtool') }, async () => {
  const text = await scrapeText();
  const check = (input: string) => spawnSync('promtool', ['check', 'metrics'], { input });
  const { status, stderr, stdout } = check(text);
  assert.deepEqual([String(stdout), String(stderr), status], ['', '', 0]);
  const wrong = check(text.replaceAll('forebay_received_bytes_total', 'forebay_received_kb'));
  assert.notEqual(wrong.status, 0, 'promtool reports errors');
});
