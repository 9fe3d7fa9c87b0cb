/** Tests of the fake cluster with third-party clients. */
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import net from 'node:net';
import { after, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { Kafka, logLevel } from 'kafkajs';
import { missingTool } from '../../testing/tools.ts';
import { PATIENCE_MS } from '../../testing/wait.ts';
import { endPipelines, Pipeline, TOPIC } from '../worker/producer/pipeline.ts';
import { FakeCluster } from './broker/cluster.ts';
import type { WireFault } from './broker/injections.ts';
import { Reader, Writer } from './broker/wire.ts';

const run = promisify(execFile);
const clusters: FakeCluster[] = [];

async function start(options: Partial<Parameters<typeof FakeCluster.start>[0]> = {}) {
  const cluster = await FakeCluster.start({ topics: { [TOPIC]: 2 }, ...options });
  clusters.push(cluster);
  return cluster;
}

after(async () => {
  await endPipelines();
  for (const cluster of clusters) await cluster.close();
});

/** Pause that ends a response, on a slow machine too. */
const SILENCE_MS = 1_500;

/**
 * Sends one request.
 * @param bytesMax ends the connection after as many bytes; undefined = after one response
 * @returns all bytes until then, or until the broker closed or was silent
 */
async function exchange(
  cluster: FakeCluster,
  key: number,
  version: number,
  bytesMax?: number,
): Promise<Buffer> {
  const body = new Writer().int16(key).int16(version).int32(7).string('raw').buffer;
  const socket = net.connect(cluster.brokers[0]!.address);
  const chunks: Buffer[] = [];
  socket.on('data', (chunk) => {
    chunks.push(chunk);
    const bytes = Buffer.concat(chunks);
    const wanted = bytesMax ?? (bytes.length < 4 ? 4 : 4 + bytes.readInt32BE(0));
    if (bytes.length >= wanted) socket.destroy();
  });
  socket.on('error', () => {}); // a reset
  const closed = new Promise((resolve) => {
    socket.once('close', resolve);
  });
  await once(socket, 'connect');
  socket.setTimeout(SILENCE_MS, () => socket.destroy());
  socket.write(new Writer().bytes(body).buffer);
  await closed;
  return Buffer.concat(chunks);
}

const API_VERSIONS = 18;

describe('the fake cluster', { concurrency: true, timeout: PATIENCE_MS }, () => {
  test('ApiVersions in an unknown version is answered in version 0, with the list', async () => {
    const cluster = await start();
    const response = new Reader(await exchange(cluster, API_VERSIONS, 4));
    assert.equal(response.int32(), response.left);
    assert.equal(response.int32(), 7);
    assert.equal(response.int16(), 35);
    const listed = response.array(() => [response.int16(), response.int16(), response.int16()]);
    assert.deepEqual(
      listed?.find(([key]) => key === 0),
      [0, 3, 7],
    );
    assert.equal(response.left, 0, 'no throttle time in version 0');
  });

  test('an unsupported request is recorded and ends the connection', async () => {
    const cluster = await start();
    for (const [key, version] of [
      [11, 0],
      [3, 12],
    ] as const) {
      assert.equal((await exchange(cluster, key, version)).length, 0);
    }
    assert.equal(cluster.strange.length, 2);
    assert.match(cluster.strange[0]!, /key 11/);
    assert.match(cluster.strange[1]!, /Metadata of version 12/);
  });

  test('each wire fault takes effect once', async () => {
    const cluster = await start();
    const good = await exchange(cluster, API_VERSIONS, 0);
    const changed = (value: number, at: number) => {
      const bytes = Buffer.from(good);
      bytes.writeInt32BE(value, at);
      return bytes;
    };
    const half = good.subarray(0, Math.ceil(good.length / 2));
    const expected: readonly [WireFault, Buffer][] = [
      ['close', Buffer.alloc(0)],
      ['reset', Buffer.alloc(0)],
      ['silence', Buffer.alloc(0)],
      ['half, then close', half],
      ['half, then silence', half],
      ['other correlation id', changed(1_007, 4)],
      ['twice', Buffer.concat([good, good])],
      ['garbage', Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n')],
      [{ length: 2 ** 31 - 1 }, changed(2 ** 31 - 1, 0)],
    ];
    for (const [wire, bytes] of expected) {
      const injected = cluster.inject({ request: 'ApiVersions' }, { wire });
      const received = await exchange(cluster, API_VERSIONS, 0, bytes.length || undefined);
      assert.deepEqual(received, bytes, JSON.stringify(wire));
      assert.equal(injected.consumed, 1);
      assert.deepEqual(await exchange(cluster, API_VERSIONS, 0), good);
    }
  });

  test('kafkajs’s own producer writes to it', async () => {
    const cluster = await start({ brokers: 2 });
    const retry = { retries: 1 };
    const brokers = cluster.addresses;
    const kafka = new Kafka({ brokers, logLevel: logLevel.NOTHING, retry });
    const producer = kafka.producer({ idempotent: true });
    await producer.connect();
    const messages = ['a', 'b', 'c'].map((value) => ({ value, partition: 1 }));
    const sent = await producer.send({ topic: TOPIC, messages, acks: -1 });
    await producer.disconnect();
    assert.equal(sent[0]?.errorCode, 0);
    assert.deepEqual(cluster.partition(TOPIC, 1).values, ['a', 'b', 'c']);
    assert.deepEqual(cluster.strange, []);
  });

  test('a batch with a wrong checksum is CORRUPT_MESSAGE and not appended', async () => {
    const cluster = await start();
    const pipeline = await Pipeline.start(cluster);
    await pipeline.exchange(0, 'a');
    const bytes = Buffer.from(cluster.attempts[0]!.bytes);
    bytes[bytes.length - 2]! ^= 1;
    assert.equal(cluster.partition(TOPIC, 0).append(bytes), 2);
    assert.deepEqual(cluster.partition(TOPIC, 0).values, ['a']);
    await pipeline.close();
  });

  for (const idempotence of ['false', 'true']) {
    const title = `kcat writes to it, enable.idempotence=${idempotence}`;
    test(title, { skip: missingTool('kcat') }, async () => {
      const cluster = await start({ brokers: 2 });
      const settings = ['-X', `enable.idempotence=${idempotence}`, '-X', 'linger.ms=1'];
      const place = ['-b', cluster.addresses[0]!, '-t', TOPIC, '-p', '1'];
      const kcat = spawn('kcat', ['-P', ...place, ...settings]);
      let errors = '';
      kcat.stderr.on('data', (chunk) => {
        errors += chunk;
      });
      kcat.stdin.end('one\ntwo\n');
      const [code] = await once(kcat, 'close');
      assert.equal(code, 0, errors);
      assert.deepEqual(cluster.partition(TOPIC, 1).values, ['one', 'two']);
      assert.deepEqual(cluster.strange, []);
    });
  }

  test('kcat reads the records of the producer', { skip: missingTool('kcat') }, async () => {
    const cluster = await start();
    const pipeline = await Pipeline.start(cluster);
    await pipeline.exchange(0, 'a', 'b');
    await pipeline.exchange(0, 'c');
    const place = ['-b', cluster.addresses[0]!, '-t', TOPIC, '-p', '0'];
    const args = [...place, '-o', 'beginning', '-e', '-X', 'check.crcs=true', '-f', '%o %s\n'];
    const { stdout, stderr } = await run('kcat', ['-C', ...args], { timeout: PATIENCE_MS });
    assert.equal(stdout, '0 a\n1 b\n2 c\n', stderr);
    await pipeline.close();
  });
});
