/** ACLs revoked and granted again: time until all partitions flow. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import kafkajs from 'kafkajs';
import type { KafkaCluster } from '../../../deploy/kafka/cluster.ts';
import { Authority } from '../../../testing/certificates.ts';
import { startGateway } from '../../../testing/gateway.ts';
import { uniqueTopic } from '../../../testing/kafka.ts';
import { describeReconciliation, Ledger } from '../../../testing/ledger.ts';
import {
  acknowledgedClients,
  allSettled,
  closeAll,
  Load,
  recordsOf,
} from '../../../testing/load.ts';
import { missingTool } from '../../../testing/tools.ts';
import { createTopic, testKafka } from '../../../testing/topic.ts';
import { until } from '../../../testing/wait.ts';
import { logged, readyz, untilLogged, untilStored } from '../../../testing/watch.ts';
import { allowDave, login, startSecureKafka } from '../../support/secure-kafka.ts';

const PARTITIONS = 6;
/** The slow back-off is up to 5 s; the rest is for ACLs to propagate, and a busy machine. */
const RECOVERED_MS = 20_000;
const REFUSES = 'Kafka rejects writes: check its ACLs and policies';

let cluster: KafkaCluster;

/** Denies dave this operation on the topic, or revokes the denial. */
async function deny(topic: string, operation: number, denied: boolean): Promise<void> {
  const { AclResourceTypes, ResourcePatternTypes, AclPermissionTypes } = kafkajs;
  const rule = {
    resourceType: AclResourceTypes.TOPIC,
    resourceName: topic,
    resourcePatternType: ResourcePatternTypes.LITERAL,
    principal: 'User:dave',
    host: '*',
    operation,
    permissionType: AclPermissionTypes.DENY,
  };
  const admin = testKafka(cluster.brokers).admin();
  await admin.connect();
  try {
    if (denied) await admin.createAcls({ acl: [rule] });
    else await admin.deleteAcls({ filters: [rule] });
  } finally {
    await admin.disconnect();
  }
}

describe('rights are withdrawn under load', {
  skip: missingTool('openssl'),
  concurrency: 3,
}, () => {
  before(async () => {
    cluster = await startSecureKafka(new Authority());
  });
  after(() => cluster?.close());

  for (const [right, forMs] of [
    ['WRITE', 1_500],
    ['WRITE', 8_000],
    ['WRITE', 25_000],
    ['ALL', 8_000],
  ] as const) {
    test(`${right} for ${forMs} ms: an alarm, then all partitions flow again`, async (t) => {
      const topic = uniqueTopic();
      await createTopic({ brokers: cluster.brokers, topic }, { numPartitions: PARTITIONS });
      await allowDave(cluster.brokers, topic);
      const brokers = cluster.secureBrokers('SASL_PLAINTEXT');
      const env = { ...login('plain', 'dave'), KAFKA_CREATE_TOPIC: '0', FOREBAY_WORKERS: '2' };
      const gateway = await startGateway({ brokers, topic, env });
      t.after(() => gateway.kill());
      const ledger = new Ledger();
      const options = { url: gateway.wsUrl, ledger, reconnect: true, retryRefused: true };
      const clients = await acknowledgedClients(t, 8, options);
      const load = new Load(t, clients, { eventsPerSecond: 200, prefix: 'a-' });
      await untilStored(gateway, 200);
      const operation = kafkajs.AclOperationTypes[right];
      await deny(topic, operation, true);
      await until(async () => (await readyz(gateway))[0]?.reasons.includes(REFUSES), {
        what: () => gateway.logTail(),
      });
      await sleep(forMs);
      const retrying = async () => {
        const metrics = await gateway.metrics();
        return metrics.value('forebay_lanes', { state: 'retrying' });
      };
      assert((await retrying()) > 0);
      await deny(topic, operation, false);
      const startMs = performance.now();
      await until(
        async () => (await retrying()) === 0 && (await readyz(gateway))[0]?.status === 200,
        { what: () => gateway.logTail() },
      );
      const tookMs = Math.round(performance.now() - startMs);
      t.diagnostic(`all partitions flow ${tookMs} ms after the right was granted again`);
      assert(tookMs < RECOVERED_MS, `${tookMs} ms`);
      await load.stop();
      await allSettled(clients);
      await closeAll(clients);
      const verdict = ledger.reconcile(await recordsOf({ brokers: cluster.brokers, topic }));
      assert(verdict.clean, describeReconciliation(verdict).join('\n'));
      const alarms = logged(gateway, 'produce attempt failed');
      assert.deepEqual(
        alarms.map(({ level, error }) => [level, error]),
        [['error', 'TOPIC_AUTHORIZATION_FAILED']],
        'once for both workers and all partitions',
      );
      if (forMs > 6_000) {
        const began = await untilLogged(gateway, 'Kafka outage began');
        assert.match(String(began.reason), /TOPIC_AUTHORIZATION_FAILED/);
        await untilLogged(gateway, 'Kafka outage ended');
      }
      assert.equal((await gateway.stop()).code, 0);
    });
  }

  test('not authorized to create the topic: reported by error name, and used once it exists', async (t) => {
    const topic = uniqueTopic();
    const brokers = cluster.secureBrokers('SASL_PLAINTEXT');
    const options = { brokers, topic, env: login('plain', 'dave'), ready: false };
    const gateway = await startGateway(options);
    t.after(() => gateway.kill());
    const line = await untilLogged(gateway, 'topic creation failed', 20_000);
    assert.deepEqual([line.level, line.hint], ['warn', 'Kafka answers TOPIC_AUTHORIZATION_FAILED']);
    const reason = 'topic creation failed: Kafka answers TOPIC_AUTHORIZATION_FAILED';
    await until(async () => (await readyz(gateway))[0]?.reasons.includes(reason), {
      what: () => gateway.logTail(),
    });
    await createTopic({ brokers: cluster.brokers, topic }, { numPartitions: PARTITIONS });
    await allowDave(cluster.brokers, topic);
    await gateway.ready();
    assert.equal((await gateway.stop()).code, 0);
  });
});
