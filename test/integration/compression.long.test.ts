/**
 * Each codec of this Node.js version against a real Kafka: consumers read every event, and the
 * broker's segments are compressed with it.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import zlib from 'node:zlib';
import { type KafkaCluster, startCluster } from '../../deploy/kafka/cluster.ts';
import { classPath, jarsFolder } from '../../deploy/kafka/jars.ts';
import { findJava } from '../../deploy/kafka/tools.ts';
import { CODECS, type CodecName } from '../../src/kafka/compression/codecs.ts';
import { arrayOf, good } from '../../testing/events.ts';
import { FrameClient } from '../../testing/frame-client.ts';
import { uniqueTopic } from '../../testing/kafka.ts';
import { metricsAtRest, openStage, type Stage } from '../../testing/stage.ts';
import { missingTool } from '../../testing/tools.ts';
import { failedStart } from '../../testing/watch.ts';

const run = promisify(execFile);
const OUTPUT = { maxBuffer: 2 ** 28 };
const FRAMES = 40;
const EVENTS = 100;
/** Compression ratio for events with a msg of words: far below that of the weakest codec. */
const RATIO_MIN = 1.5;
const HAS_ZSTD = 'zstdCompressSync' in zlib;

let cluster: KafkaCluster;
before(async () => {
  cluster = await startCluster();
});
after(() => cluster?.close());

/** Events of many frames; a few frames together exceed the limit of the main thread. */
function framesOf(name: string): string[][] {
  return Array.from({ length: FRAMES }, (_, frame) =>
    Array.from({ length: EVENTS }, (_, event) =>
      good(`${name}-${frame}-${event}`, {
        clientId: `client ${frame % 3}`,
        msg: `page ${event} was viewed after ${frame * event} ms, then the cart `.repeat(5),
      }),
    ),
  );
}

/** Sends all frames and waits until all are stored. @returns the events */
async function sendAll({ gateway }: Stage, name: string): Promise<string[]> {
  const client = await FrameClient.open(gateway.wsUrl);
  try {
    const frames = framesOf(name);
    for (const events of frames) assert.deepEqual(await client.exchange(arrayOf(events)), []);
    // Long batches: as many frames at once as the credit allows.
    const numbers: number[] = [];
    for (const events of frames) numbers.push(await client.sendWithin(arrayOf(events)));
    for (const number of numbers) assert.deepEqual(await client.fate(number), []);
    return [...frames, ...frames].flat();
  } finally {
    await client.close();
  }
}

async function byKcat({ brokers, topic }: Stage): Promise<string[]> {
  const args = ['-C', '-e', '-q', '-b', brokers.join(','), '-t', topic, '-o', 'beginning'];
  const checked = [...args, '-X', 'check.crcs=true', '-D', '\\x01'];
  const { stdout, stderr } = await run('kcat', checked, OUTPUT);
  assert.equal(stderr, '');
  return stdout.split('\x01').slice(0, -1);
}

/** Returns the batches per codec in the topic's segments, according to Kafka's own tool. */
async function codecsOnDisk({ topic }: Stage): Promise<Record<string, number>> {
  const segments = readdirSync(cluster.dir, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.includes(`${topic}-`) && path.endsWith('.log'))
    .map((path) => join(cluster.dir, path));
  const tool = ['-cp', classPath(jarsFolder()), 'kafka.tools.DumpLogSegments'];
  const { stdout } = await run(
    findJava()!.command,
    [...tool, '--deep-iteration', '--files', segments.join(',')],
    OUTPUT,
  );
  const counts: Record<string, number> = {};
  for (const [, codec = ''] of stdout.matchAll(/^baseOffset: .* compresscodec: (\S+)/gm)) {
    counts[codec] = (counts[codec] ?? 0) + 1;
  }
  assert.doesNotMatch(stdout, /isvalid: false|Found invalid/);
  return counts;
}

/** Events stored by a gateway with this codec, and its metrics afterwards. */
async function store(codec: CodecName | 'none') {
  const env = { KAFKA_COMPRESSION: codec, FOREBAY_BUFFER_BYTES: String(2 ** 27) };
  const stage = await openStage({ brokers: cluster.brokers, partitions: 3, env });
  try {
    const values = (await sendAll(stage, codec)).sort();
    const metrics = await metricsAtRest(stage.gateway);
    const sent = metrics.value('forebay_batch_bytes_sum');
    const ratio = metrics.value('forebay_batch_uncompressed_bytes_total') / sent;
    assert.equal(metrics.value('forebay_events_stored_total'), values.length);
    assert.equal(metrics.value('forebay_buffer_bytes'), 0, 'nothing stays charged');
    return { stage, values, ratio };
  } finally {
    await stage.gateway.stop();
  }
}

for (const codec of CODECS) {
  const skip = codec === 'zstd' && !HAS_ZSTD && 'needs Node.js 22.15';
  test(`${codec}: consumers read every event, segments are compressed with ${codec}`, {
    skip,
  }, async (t) => {
    const { stage, values, ratio } = await store(codec);
    t.diagnostic(`ratio ${ratio.toFixed(2)}`);
    assert(ratio > RATIO_MIN, `ratio ${ratio}`);
    const onDisk = await codecsOnDisk(stage);
    t.diagnostic(JSON.stringify(onDisk));
    assert.deepEqual(Object.keys(onDisk), [codec]);
    assert.deepEqual(
      (await stage.newValues()).sort(),
      values,
      'read by kafkajs, as in `make listen`',
    );
    await t.test('kcat', { skip: missingTool('kcat') }, async () => {
      assert.deepEqual((await byKcat(stage)).sort(), values);
    });
  });
}

test('none: segments are not compressed', async () => {
  const { stage, ratio } = await store('none');
  assert.equal(ratio, 1);
  assert.deepEqual(Object.keys(await codecsOnDisk(stage)), ['none']);
});

test('a codec that this Node.js version lacks: one line, exit code 2', {
  skip: HAS_ZSTD && 'has zstd',
}, async (t) => {
  const place = { brokers: cluster.brokers, topic: uniqueTopic() };
  const env = { KAFKA_COMPRESSION: 'zstd', FOREBAY_WORKERS: '2' };
  const { code, errors } = await failedStart(t, { ...place, env });
  assert.equal(code, 2);
  const { node } = process.versions;
  const line = `forebay: KAFKA_COMPRESSION: zstd needs Node.js 22.15 or later, this is ${node}`;
  assert.deepEqual(errors, [line]);
});
