/** Streams whose topics Kafka does not accept writes for: the others are served. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import kafkajs from 'kafkajs';
import type { KafkaCluster } from '../../../deploy/kafka/cluster.ts';
import { MIB } from '../../../src/config/limits.ts';
import { Authority } from '../../../testing/certificates.ts';
import { FrameClient } from '../../../testing/frame-client.ts';
import { type Gateway, startGateway } from '../../../testing/gateway.ts';
import { GoodClient } from '../../../testing/good-client.ts';
import { uniqueTopic } from '../../../testing/kafka.ts';
import { PlainClient } from '../../../testing/plain-client.ts';
import { freshMetrics } from '../../../testing/stage.ts';
import { missingTool } from '../../../testing/tools.ts';
import { createTopic, testKafka } from '../../../testing/topic.ts';
import { until } from '../../../testing/wait.ts';
import { allowDave, login, startSecureKafka } from '../../support/secure-kafka.ts';

const BUFFER_BYTES = 8 * MIB;
const STUCK = ['stuck-1', 'stuck-2', 'stuck-3'];
const P99_MS_MAX = 3_000;
const folder = mkdtempSync(join(tmpdir(), 'forebay-isolation-'));
const prefix = uniqueTopic();
let cluster: KafkaCluster;
let gateway: Gateway;

/** Denies the gateway's user writes to a topic, which Kafka then rejects until further notice. */
async function denyWrites(topic: string): Promise<void> {
  const { AclResourceTypes, ResourcePatternTypes, AclPermissionTypes, AclOperationTypes } = kafkajs;
  const admin = testKafka(cluster.brokers).admin();
  await admin.connect();
  try {
    await admin.createAcls({
      acl: [
        {
          resourceType: AclResourceTypes.TOPIC,
          resourceName: topic,
          resourcePatternType: ResourcePatternTypes.LITERAL,
          principal: 'User:dave',
          host: '*',
          operation: AclOperationTypes.WRITE,
          permissionType: AclPermissionTypes.DENY,
        },
      ],
    });
  } finally {
    await admin.disconnect();
  }
}

describe('streams whose writes Kafka rejects', { skip: missingTool('openssl') }, () => {
  before(async () => {
    cluster = await startSecureKafka(new Authority());
    const lines = ['healthy', ...STUCK].map((name) => {
      const required = name === 'healthy';
      return `  ${name}: { topic: ${prefix}.${name}, match: [${name}], required: ${required} }`;
    });
    const path = join(folder, 'streams.yaml');
    writeFileSync(path, `version: 1\nrouting: { field: type }\nstreams:\n${lines.join('\n')}\n`);
    for (const name of ['healthy', ...STUCK]) {
      const topic = `${prefix}.${name}`;
      await createTopic({ brokers: cluster.brokers, topic }, { numPartitions: 2 });
      await allowDave(cluster.brokers, topic);
    }
    const env = {
      ...login('plain', 'dave'),
      FOREBAY_STREAMS_FILE: path,
      FOREBAY_BUFFER_BYTES: String(BUFFER_BYTES),
    };
    const brokers = cluster.secureBrokers('SASL_PLAINTEXT');
    gateway = await startGateway({ brokers, topic: uniqueTopic(), env });
    for (const name of STUCK) await denyWrites(`${prefix}.${name}`);
  });
  after(async () => {
    await gateway?.kill();
    await cluster?.close();
    rmSync(folder, { recursive: true });
  });

  const dropped = async () =>
    (await freshMetrics(gateway)).value('forebay_events_dropped_total', { reason: 'buffer_full' });

  /** Sends events to a stream until its share of the buffer is full. */
  async function fill(stream: string): Promise<void> {
    const client = await new PlainClient({ url: `${gateway.wsUrl}/${stream}` }).open();
    const event = JSON.stringify({ text: 'x'.repeat(1_000) });
    const frame = `[${new Array(50).fill(event).join(',')}]`;
    const before = await dropped();
    await until(
      async () => {
        for (let count = 0; count < 20; count++) client.socket.send(frame);
        return (await dropped()) > before;
      },
      { what: `${stream} is full` },
    );
    await client.close();
  }

  test('one, two and three stuck streams fill their shares, and leave a healthy one its service', async (t) => {
    const client = await GoodClient.start(`${gateway.wsUrl}/healthy`);
    await client.serve(50);
    let heldBytes = 0;
    for (const stream of STUCK) {
      await fill(stream);
      const metrics = await freshMetrics(gateway);
      const bytes = metrics.value('forebay_buffer_bytes');
      t.diagnostic(`${stream} holds ${((bytes - heldBytes) / MIB).toFixed(2)} MiB`);
      assert(bytes > heldBytes, 'it holds a share of its own');
      assert(bytes < BUFFER_BYTES, 'the buffer as a whole is not full');
      heldBytes = bytes;
      await client.serve(100);
      assert.equal((await fetch(`${gateway.httpUrl}/readyz`)).status, 200, 'it is not required');
    }
    const { summary, p99Ms } = await client.stop();
    t.diagnostic(summary);
    assert(p99Ms < P99_MS_MAX, `p99 ${p99Ms} ms`);
  });

  test('in a frame with events of a full stream and of a healthy one, only the former are rejected', async () => {
    const client = await FrameClient.open(gateway.wsUrl);
    const [error, ...others] = await client.exchange(
      '[{"type":"healthy"},{"type":"stuck-1"},{"type":"healthy"}]',
    );
    assert.deepEqual(others, []);
    assert.deepEqual([error?.code, error?.events], ['buffer_full', [[1, 1]]]);
    await client.close();
  });

  test('a connection to a full stream gets one frame of credit, one to a healthy stream its window', async () => {
    const bytesOf = async (path: string) => {
      const client = await FrameClient.open(`${gateway.wsUrl}${path}`);
      await client.close();
      return client.incoming.hello?.credit.bytes;
    };
    assert.equal(await bytesOf('/stuck-1'), 65_536);
    assert(((await bytesOf('/healthy')) ?? 0) > 65_536);
  });
});
