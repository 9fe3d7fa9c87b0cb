/** `doctor` with real Kafkas: plain, with TLS, SASL and ACLs, and with unreachable addresses. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, type TestContext, test } from 'node:test';
import zlib from 'node:zlib';
import kafkajs from 'kafkajs';
import { type KafkaCluster, startCluster } from '../../../deploy/kafka/cluster.ts';
import { Authority } from '../../../testing/certificates.ts';
import { Child, freePort } from '../../../testing/child.ts';
import { startGateway } from '../../../testing/gateway.ts';
import { sharedKafka, uniqueTopic } from '../../../testing/kafka.ts';
import { missingTool } from '../../../testing/tools.ts';
import { createTopic, testKafka } from '../../../testing/topic.ts';
import { until } from '../../../testing/wait.ts';
import { type Env, login, startSecureKafka, trusting } from '../../support/secure-kafka.ts';
import { doctor, ownPorts, resultsOf, withStatus } from './doctoring.ts';

const SCRATCH = 'scratch topic forebay-doctor';
/** zstd needs Node.js 22.15. */
const HAS_ZSTD = 'zstdCompressSync' in zlib;
const CODECS = ['none', 'gzip', 'lz4', 'snappy', ...(HAS_ZSTD ? ['zstd'] : [])];

/** Names of the topics of a cluster that doctor has created. */
async function leftovers(brokers: readonly string[]): Promise<string[]> {
  const admin = testKafka(brokers).admin();
  await admin.connect();
  try {
    const topics = await admin.listTopics();
    return topics.filter((topic) => topic === 'forebay-doctor');
  } finally {
    await admin.disconnect();
  }
}

describe('a Kafka without authentication', () => {
  let brokers: readonly string[];
  before(async () => {
    ({ brokers } = await sharedKafka());
  });

  test('every step passes, a record of each codec is stored, and no topic remains', async () => {
    const topic = uniqueTopic();
    const run = await doctor({ KAFKA_BROKERS: brokers.join(), KAFKA_TOPIC: topic });
    assert.equal(run.code, 0, run.stdout);
    assert.match(
      resultsOf(run, 'cluster', 'kind').join(),
      /^ok: Apache Kafka or compatible, KRaft/,
    );
    assert.match(resultsOf(run, 'broker', 'protocol').join(), /^ok: requests of Kafka 4\.1$/);
    assert.match(
      resultsOf(run, `topic ${topic}`, 'topic').join(),
      /^ok: does not exist; the gateway can create it: 12 partitions, replication factor the b/,
    );
    const records = resultsOf(run, SCRATCH, 'records');
    for (const codec of CODECS) {
      assert(
        records.some((line) => line.startsWith(`ok: ${codec}: stored`)),
        `${codec}: ${records.join()}`,
      );
    }
    assert.match(resultsOf(run, SCRATCH, 'clock').join(), /^ok: broker \d+: \d+ ms apart from/);
    assert.deepEqual(resultsOf(run, SCRATCH, 'delete'), ['ok: deleted']);
    assert.match(run.stderr, /^forebay: creating the topic forebay-doctor, which is deleted/);
    assert.deepEqual(await leftovers(brokers), []);
    const again = await doctor({ KAFKA_BROKERS: brokers.join(), KAFKA_TOPIC: topic });
    assert.match(resultsOf(again, `topic ${topic}`, 'topic').join(), /does not exist/, 'still');
  });

  test('--read-only writes nothing; --scratch uses an existing topic and keeps it', async () => {
    const topic = uniqueTopic();
    await createTopic({ brokers, topic }, { numPartitions: 2 });
    const env = { KAFKA_BROKERS: brokers.join(), KAFKA_TOPIC: topic };
    const readOnly = await doctor(env, ['--read-only']);
    assert.equal(readOnly.code, 0, readOnly.stdout);
    assert.deepEqual(resultsOf(readOnly, 'scratch topic', 'create'), ['skip: --read-only']);
    assert.deepEqual(resultsOf(readOnly, 'topic', 'write'), [
      'ok: authorized (nothing was stored)',
    ]);
    const sizeOf = async () => {
      const admin = testKafka(brokers).admin();
      await admin.connect();
      const offsets = await admin.fetchTopicOffsets(topic);
      await admin.disconnect();
      return offsets.reduce((sum, { high }) => sum + Number(high), 0);
    };
    assert.equal(await sizeOf(), 0, 'the permission is checked without a record');
    const named = await doctor(env, ['--scratch', topic]);
    assert.equal(named.code, 0, named.stdout);
    assert.match(resultsOf(named, `scratch topic ${topic}`, 'delete').join(), /^skip: .*existed/);
    assert.equal(await sizeOf(), CODECS.length + 1, 'the codecs, and one record for the clock');
    const missing = await doctor(env, ['--scratch', uniqueTopic()]);
    assert.equal(missing.code, 1);
    assert.match(resultsOf(missing, 'scratch', 'create').join(), /^fail: it does not exist/);
  });

  test('a stream file: each topic is checked once, with its limits and declared properties', async () => {
    const [clicks, orders] = [uniqueTopic('clicks'), uniqueTopic('orders')];
    const configEntries = [
      { name: 'max.message.bytes', value: '20000' },
      { name: 'cleanup.policy', value: 'compact' },
    ];
    await createTopic({ brokers, topic: clicks }, { numPartitions: 1, configEntries });
    const authority = new Authority();
    const path = join(authority.dir, 'streams.yaml');
    writeFileSync(
      path,
      `version: 1
streams:
  clicks: { topic: ${clicks}, match: [click], key: { field: id }, create: { partitions: 3 } }
  views: { topic: ${clicks}, match: [view], key: { field: id }, create: { partitions: 3 } }
  orders: { topic: ${orders}, match: [order], key: { field: id } }
routing: { field: type, unknown: refuse }
`,
    );
    const run = await doctor({ KAFKA_BROKERS: brokers.join(), FOREBAY_STREAMS_FILE: path }, [
      '--read-only',
    ]);
    assert.equal(run.code, 1, run.stdout);
    assert.match(
      resultsOf(run, `topic ${clicks}`, 'topic').join(),
      /^ok: 1 partitions, .* for clicks, views$/,
    );
    assert.deepEqual(resultsOf(run, `topic ${clicks}`, 'limits'), [
      'warn: max.message.bytes is 20000, events have up to 65536 bytes',
    ]);
    const settings = resultsOf(run, `topic ${clicks}`, 'settings').join();
    assert.match(settings, /cleanup.policy is compact/);
    assert.match(settings, /partitions is 1, not 3/);
    assert.deepEqual(resultsOf(run, `topic ${orders}`, 'topic'), [
      'fail: does not exist, and the gateway may not create it',
    ]);
  });

  test('while the gateway of these settings runs, its ports are no failure', async (t) => {
    const topic = uniqueTopic();
    const gateway = await startGateway({ brokers, topic });
    t.after(() => gateway.kill());
    const { port } = new URL(gateway.httpUrl);
    const { port: adminPort } = new URL(gateway.adminUrl);
    const env = { FOREBAY_PORT: port, FOREBAY_ADMIN_PORT: adminPort };
    const run = await doctor({ ...env, KAFKA_BROKERS: brokers.join(), KAFKA_TOPIC: topic });
    assert.equal(run.code, 0, run.stdout);
    assert.match(resultsOf(run, 'gateway', 'client port').join(), /^ok: .* while a gateway runs$/);
    assert.match(resultsOf(run, 'gateway', 'running').join(), /^ok: .*: ready$/);
    assert.equal((await gateway.stop()).code, 0);
  });

  test('make doctor prints the same, with the settings of the environment', async () => {
    const { PATH, HOME } = process.env;
    const env = { PATH, HOME, ...(await ownPorts()), KAFKA_BROKERS: brokers.join() };
    const built = ['-o', 'node_modules/.package-lock.json', '-o', 'dist/.built'];
    const args = [...built, ...['doctor', 'ARGS=--json']];
    const { status, stdout, stderr } = spawnSync('make', args, { env, encoding: 'utf8' });
    assert.equal(status, 0, stdout + stderr);
    assert.deepEqual(resultsOf(JSON.parse(stdout), SCRATCH, 'delete'), ['ok: deleted']);
  });

  test('interrupted, it deletes the scratch topic', async (t) => {
    const env = {
      ...(await ownPorts()),
      KAFKA_BROKERS: brokers.join(),
      KAFKA_TOPIC: uniqueTopic(),
    };
    const child = new Child('dist/main.js', ['doctor'], env);
    t.after(() => child.kill());
    await until(() => child.stderr.includes('creating the topic'));
    child.process.kill('SIGINT');
    await child.ended;
    assert.match(child.stderr, /forebay: SIGINT: finishing the current step/);
    assert.match(child.stdout, /^ {2}ok {4}delete {11}deleted$/m);
    assert.deepEqual(await leftovers(brokers), []);
  });
});

describe('addresses', () => {
  let cluster: KafkaCluster;
  let closed: number;
  before(async () => {
    closed = await freePort();
    cluster = await startCluster({ advertised: [{ host: '127.0.0.1', port: closed }] });
  });
  after(() => cluster?.close());

  test('an advertised address that cannot be reached fails, and names advertised.listeners', async () => {
    const run = await doctor({
      KAFKA_BROKERS: `127.0.0.1:${cluster.inner[0]}`,
      KAFKA_TOPIC: uniqueTopic(),
    });
    assert.equal(run.code, 1);
    const [finding] = run.findings.filter(({ step }) => step === 'advertised');
    assert.match(
      finding!.detail,
      new RegExp(`^broker 1 at 127.0.0.1:${closed}: port: no connection`),
    );
    assert.match(finding!.advice!, /advertised.listeners/);
    assert.match(resultsOf(run, 'cluster', 'admin').join(), /^fail: .*connection refused/);
    assert.deepEqual(resultsOf(run, 'scratch topic', 'create'), ['skip: the step admin failed']);
  });

  test('one of several bootstrap brokers is sufficient: the others are warnings', async () => {
    const [broker] = cluster.brokers as [string];
    const run = await doctor(
      { KAFKA_BROKERS: `does-not-exist.invalid:9092,${broker}`, KAFKA_TOPIC: uniqueTopic() },
      ['--read-only'],
    );
    assert.equal(run.code, 0, run.stdout);
    assert.match(
      resultsOf(run, 'broker does-not-exist.invalid:9092', 'host name').join(),
      /^warn: does-not-exist.invalid cannot be resolved/,
    );
  });
});

describe('three brokers, one of them down', () => {
  let cluster: KafkaCluster;
  before(async () => {
    cluster = await startCluster({ nodes: 3 });
  });
  after(() => cluster?.close());

  test('the clock of each broker is checked; a broker that is down shows in its topics', async () => {
    const { brokers } = cluster;
    const [safe, strict, single] = ['safe', 'strict', 'single'].map(uniqueTopic) as [
      string,
      string,
      string,
    ];
    const needing = (value: string) => [{ name: 'min.insync.replicas', value }];
    const copies = { numPartitions: 3, replicationFactor: 3 };
    await createTopic({ brokers, topic: safe }, { ...copies, configEntries: needing('2') });
    await createTopic({ brokers, topic: strict }, { ...copies, configEntries: needing('3') });
    const env = (topic: string) => ({ KAFKA_BROKERS: brokers.join(), KAFKA_TOPIC: topic });
    const whole = await doctor(env(safe));
    assert.equal(whole.code, 0, whole.stdout);
    assert.deepEqual(resultsOf(whole, `topic ${safe}`, 'replication'), [
      'ok: all replicas are in sync; min.insync.replicas is 2',
    ]);
    const clocks = resultsOf(whole, SCRATCH, 'clock').map((line) =>
      line.slice(0, 'ok: broker 1'.length),
    );
    assert.deepEqual(clocks.sort(), ['ok: broker 1', 'ok: broker 2', 'ok: broker 3']);
    await cluster.kill(2);
    const down = `broker ${brokers[2]}`;
    const without = async (topic: string) => {
      const run = await doctor(env(topic), ['--read-only']);
      assert.match(resultsOf(run, down, 'port').join(), /^warn: .*connection refused/);
      return run;
    };
    // The other brokers notice after some seconds.
    const shows = async (topic: string, step: string, result: RegExp) => {
      let run = await without(topic);
      const isShown = async () => {
        run = await without(topic);
        return result.test(resultsOf(run, `topic ${topic}`, step).join());
      };
      await until(isShown, { what: () => `${step} ${result}: ${run.stdout}` });
    };
    await shows(
      safe,
      'replication',
      /^warn: partitions with replicas that are not in sync: 0, 1, 2$/,
    );
    await shows(
      strict,
      'replication',
      /^fail: partitions with fewer than 3 in-sync replicas: 0, 1, 2$/,
    );
    await cluster.restart(2);
    await createTopic({ brokers, topic: single }, { numPartitions: 6, replicationFactor: 1 });
    await cluster.kill(2);
    await shows(single, 'leaders', /^fail: 2 of 6 partitions/);
    const admin = (await without(safe)).findings.find(({ step }) => step === 'admin');
    assert.equal(admin?.status, 'fail', 'kafkajs rejects the metadata of all topics');
    assert.match(admin?.detail ?? '', /^Kafka answers LEADER_NOT_AVAILABLE/);
    assert.match(admin?.advice ?? '', /^find the topic with a partition without a leader/);
  });
});

test('a port that accepts connections and never answers: the step protocol fails in time', async (t) => {
  const silent = createServer(() => {});
  t.after(() => silent.close());
  await new Promise<void>((resolve) => void silent.listen(0, '127.0.0.1', () => resolve()));
  const { port } = silent.address() as AddressInfo;
  const run = await doctor({ KAFKA_BROKERS: `127.0.0.1:${port}`, KAFKA_TOPIC: uniqueTopic() });
  assert.equal(run.code, 1);
  assert.match(resultsOf(run, 'broker', 'protocol').join(), /^fail: .*does not answer|no answer/);
});

describe('TLS, logins and ACLs', { skip: missingTool('openssl') }, () => {
  let authority: Authority;
  let cluster: KafkaCluster;
  before(async () => {
    authority = new Authority();
    cluster = await startSecureKafka(authority);
  });
  after(() => cluster?.close());

  const at = (protocol: 'SASL_SSL' | 'SSL' | 'SASL_PLAINTEXT', topic: string, env: Env): Env => ({
    KAFKA_BROKERS: cluster.secureBrokers(protocol).join(),
    KAFKA_TOPIC: topic,
    ...env,
  });

  test('a login over TLS with all rights passes', async () => {
    const env = { ...trusting(authority), ...login('scram-sha-512', 'alice') };
    const run = await doctor(at('SASL_SSL', uniqueTopic(), env));
    assert.equal(run.code, 0, run.stdout);
    assert.match(
      resultsOf(run, 'broker', 'TLS').join(),
      /^ok: TLSv1\.[23], certificate of .*broker/,
    );
    assert.deepEqual(resultsOf(run, 'broker', 'login'), ['ok: SCRAM-SHA-512 as alice']);
    assert.doesNotMatch(run.stdout + run.stderr, /alice-secret/);
    assert.deepEqual(await leftovers(cluster.brokers), []);
  });

  const failures: [string, () => Env, string, RegExp][] = [
    [
      'a wrong password',
      () => at('SASL_SSL', 'x', { ...trusting(authority), ...login('plain', 'bob', 'hunter2') }),
      'login',
      /^fail: PLAIN as bob: Kafka authentication failed .*Invalid username or password/,
    ],
    [
      'a mechanism that the broker does not support',
      () => at('SASL_PLAINTEXT', 'x', login('scram-sha-256', 'alice')),
      'login',
      /does not support the requested SASL mechanism/,
    ],
    [
      'no login where one is required',
      () => at('SASL_PLAINTEXT', 'x', {}),
      'login',
      /^fail: the connection to Kafka was lost/,
    ],
    [
      'an unknown authority',
      () => at('SASL_SSL', 'x', { KAFKA_TLS: '1', ...login('plain', 'bob') }),
      'TLS',
      /^fail: the broker’s certificate is not trusted: KAFKA_TLS_CA_FILE/,
    ],
    [
      'no TLS at a port with TLS',
      () => at('SASL_SSL', 'x', login('plain', 'bob')),
      'protocol',
      /^fail: the port expects TLS: KAFKA_TLS=1/,
    ],
    [
      'TLS at a port without TLS',
      () => at('SASL_PLAINTEXT', 'x', { ...trusting(authority), ...login('plain', 'bob') }),
      'TLS',
      /^fail: Kafka does not answer the TLS handshake/,
    ],
    [
      'no client certificate where one is required',
      () => at('SSL', 'x', trusting(authority)),
      'protocol',
      /^fail: the broker rejects the client certificate, or requires one/,
    ],
  ];
  for (const [name, env, step, result] of failures) {
    test(`${name}: the step ${step} fails`, async () => {
      const run = await doctor(env());
      assert.equal(run.code, 1, run.stdout);
      assert.match(resultsOf(run, 'broker', step).join(), result);
      assert.equal(withStatus(run, 'fail').length, 1, run.stdout);
      assert.doesNotMatch(run.stdout + run.stderr, /hunter2|-secret/);
    });
  }

  const { AclResourceTypes, ResourcePatternTypes, AclOperationTypes, AclPermissionTypes } = kafkajs;
  /** Grants dave operations on topics with this prefix. */
  async function grant(t: TestContext, prefix: string, ...operations: kafkajs.AclOperationTypes[]) {
    const admin = testKafka(cluster.brokers).admin();
    await admin.connect();
    const acl = operations.map((operation) => ({
      resourceType: AclResourceTypes.TOPIC,
      resourceName: prefix,
      resourcePatternType: ResourcePatternTypes.PREFIXED,
      principal: 'User:dave',
      host: '*',
      operation,
      permissionType: AclPermissionTypes.ALLOW,
    }));
    await admin.createAcls({ acl });
    t.after(async () => {
      const [first] = acl;
      const filter = { ...first!, operation: AclOperationTypes.ANY };
      await admin.deleteAcls({ filters: [filter] });
      await admin.disconnect();
    });
  }
  const dave = (topic: string) =>
    at('SASL_SSL', topic, { ...trusting(authority), ...login('plain', 'dave') });

  test('without rights: no producer id, and the topic may not be described', async () => {
    const topic = uniqueTopic();
    await createTopic({ brokers: cluster.brokers, topic }, { numPartitions: 1 });
    const run = await doctor(dave(topic));
    assert.equal(run.code, 1);
    assert.match(
      resultsOf(run, 'cluster', 'producer id').join(),
      /^fail: Kafka answers CLUSTER_AUTHORIZATION_FAILED$/,
    );
    const [failed] = run.findings.filter(({ section }) => section === `topic ${topic}`);
    assert.equal(failed!.detail, 'Kafka answers TOPIC_AUTHORIZATION_FAILED');
    assert.match(failed!.advice!, /grant the user Describe and Write/);
    assert.deepEqual(await leftovers(cluster.brokers), []);
  });

  test('Write alone: the topic passes, its configuration is unknown, no topic is created', async (t) => {
    const topic = uniqueTopic();
    await createTopic({ brokers: cluster.brokers, topic }, { numPartitions: 1 });
    await grant(t, topic, AclOperationTypes.WRITE);
    const run = await doctor(dave(topic));
    assert.equal(run.code, 0, run.stdout);
    assert.deepEqual(resultsOf(run, `topic ${topic}`, 'write'), [
      'ok: authorized (nothing was stored)',
    ]);
    assert.match(
      resultsOf(run, `topic ${topic}`, 'settings').join(),
      /^warn: not authorized to read/,
    );
    assert.match(
      resultsOf(run, SCRATCH, 'create').join(),
      /^skip: it cannot be described: Kafka answers TOPIC_AUTHORIZATION_FAILED; --scratch TOPIC/,
    );
    assert.deepEqual(await leftovers(cluster.brokers), []);
    const named = await doctor(dave(topic), ['--scratch', topic]);
    assert.equal(named.code, 0, named.stdout);
    assert.equal(
      resultsOf(named, 'scratch', 'records').filter((line) => /^ok/.test(line)).length,
      CODECS.length,
    );
  });

  test('Create without Delete: the topic that remains is named, and the next run uses it', async (t) => {
    await grant(t, 'forebay-doctor', AclOperationTypes.CREATE, AclOperationTypes.WRITE);
    const topic = uniqueTopic();
    await createTopic({ brokers: cluster.brokers, topic }, { numPartitions: 1 });
    await grant(t, topic, AclOperationTypes.WRITE);
    const run = await doctor(dave(topic));
    assert.equal(run.code, 0, run.stdout);
    assert.match(
      resultsOf(run, SCRATCH, 'delete').join(),
      /^warn: the topic forebay-doctor remains: Kafka answers TOPIC_AUTHORIZATION_FAILED/,
    );
    assert.deepEqual(await leftovers(cluster.brokers), ['forebay-doctor']);
    const again = await doctor(dave(topic));
    assert.equal(again.code, 0, again.stdout);
    assert.match(resultsOf(again, SCRATCH, 'create').join(), /^ok: exists; /);
    assert.match(resultsOf(again, SCRATCH, 'clock').join(), /^ok: /);
    assert.deepEqual(resultsOf(again, SCRATCH, 'delete'), ['skip: the topic existed before']);
    assert.equal(again.stderr, '');
  });

  test('Describe without Write, and a missing topic without Create, fail with the right', async (t) => {
    const [topic, other] = [uniqueTopic('seen'), uniqueTopic('other')];
    await createTopic({ brokers: cluster.brokers, topic }, { numPartitions: 1 });
    await grant(t, topic, AclOperationTypes.DESCRIBE);
    await grant(t, other, AclOperationTypes.WRITE);
    const run = await doctor(dave(topic));
    assert.equal(run.code, 1);
    assert.deepEqual(resultsOf(run, `topic ${topic}`, 'write'), [
      'fail: Kafka answers TOPIC_AUTHORIZATION_FAILED',
    ]);
    const missing = await doctor(dave(other));
    assert.match(
      resultsOf(missing, `topic ${other}`, 'topic').join(),
      /^fail: does not exist; its creation fails: Kafka answers TOPIC_AUTHORIZATION_FAILED/,
    );
  });
});
