/** TLS and SASL with a real Kafka: mechanisms, failures, and sessions. */
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { after, before, describe, type TestContext, test } from 'node:test';
import { promisify } from 'node:util';
import type { KafkaCluster, SecurityProtocol } from '../../deploy/kafka/cluster.ts';
import { Authority } from '../../testing/certificates.ts';
import { good } from '../../testing/events.ts';
import { FrameClient } from '../../testing/frame-client.ts';
import { type Gateway, startGateway } from '../../testing/gateway.ts';
import { uniqueTopic } from '../../testing/kafka.ts';
import { describeReconciliation, Ledger } from '../../testing/ledger.ts';
import {
  acknowledgedClients,
  allSettled,
  closeAll,
  Load,
  recordsOf,
  violationsOf,
} from '../../testing/load.ts';
import { missingTool } from '../../testing/tools.ts';
import { until } from '../../testing/wait.ts';
import {
  atRest,
  failedStart,
  logged,
  untilLogged,
  untilNotReady,
  untilStored,
} from '../../testing/watch.ts';
import {
  allowDave,
  clientCertificate,
  type Env,
  login,
  SESSION_MS,
  startSecureKafka,
  takeGroupsOfDave,
  trusting,
} from '../support/secure-kafka.ts';

let authority: Authority;
let cluster: KafkaCluster;

/** Returns the output of `listen` for a topic with one event. */
async function listenToOne(brokers: readonly string[], topic: string, env: Env): Promise<string> {
  const options = { env: listenEnv(brokers, topic, env), timeout: 20_000 };
  return (await promisify(execFile)(process.execPath, LISTEN, options)).stdout;
}

const LISTEN = ['dist/main.js', 'listen', '--from', 'beginning', '--count', '1', '--json'];

function listenEnv(brokers: readonly string[], topic: string, env: Env): Env {
  const { PATH = '' } = process.env;
  return { PATH, KAFKA_BROKERS: brokers.join(), KAFKA_TOPIC: topic, ...env };
}

async function start(t: TestContext, protocol: SecurityProtocol, env: Env) {
  const place = { brokers: cluster.secureBrokers(protocol), topic: uniqueTopic() };
  const gateway = await startGateway({ ...place, env });
  t.after(() => gateway.kill());
  return { gateway, ...place };
}

/** Stores an event with this login, and reads it with the same. */
async function storesAndListens(t: TestContext, protocol: SecurityProtocol, env: Env) {
  const { gateway, brokers, topic } = await start(t, protocol, env);
  const client = await FrameClient.open(gateway.wsUrl);
  assert.deepEqual(await client.exchange(good('one')), []);
  await client.close();
  assert.match(await listenToOne(brokers, topic, env), /one/);
  assert.equal((await gateway.stop()).code, 0);
  assert.deepEqual(gateway.errors, []);
}

/** Runs load by acknowledged clients and balances the ledger. */
async function underLoad(t: TestContext, gateway: Gateway, topic: string) {
  const ledger = new Ledger();
  const options = { url: gateway.wsUrl, ledger, reconnect: true, retryRefused: true };
  const clients = await acknowledgedClients(t, 8, options);
  const load = new Load(t, clients, { eventsPerSecond: 400, eventsPerFrame: 2, prefix: 'a-' });
  return async () => {
    await load.stop();
    await allSettled(clients);
    await closeAll(clients);
    const metrics = await atRest(gateway);
    const verdict = ledger.reconcile(await recordsOf({ brokers: cluster.brokers, topic }));
    assert(verdict.clean, describeReconciliation(verdict).join('\n'));
    assert.deepEqual(violationsOf(clients), []);
    t.diagnostic(describeReconciliation(verdict)[0]!);
    return metrics;
  };
}

describe('Kafka with TLS and SASL', { skip: missingTool('openssl'), concurrency: 2 }, () => {
  before(async () => {
    authority = new Authority();
    cluster = await startSecureKafka(authority);
  });
  after(() => cluster?.close());

  test('sessions of 3 s under load: each is reauthenticated in time, nothing is rejected or lost', async (t) => {
    const env = { ...trusting(authority), ...login('scram-sha-256', 'alice'), LOG_LEVEL: 'debug' };
    const { gateway, topic } = await start(t, 'SASL_SSL', env);
    const end = await underLoad(t, gateway, topic);
    await untilStored(gateway, 200);
    const renewed = () => logged(gateway, 'login renewed');
    const sessions = 3;
    await until(() => renewed().length >= sessions, { what: () => gateway.logTail() });
    await untilStored(gateway, 200);
    const metrics = await end();
    const times = renewed().map(({ time }) => Date.parse(String(time)));
    const spanMs = times.at(-1)! - times[0]!;
    assert(spanMs > SESSION_MS, `${times.length} renewals in ${spanMs} ms`);
    const failed = metrics.value('forebay_produce_errors_total');
    t.diagnostic(`${times.length} renewals in ${spanMs} ms, ${failed} attempts failed`);
    assert.equal(metrics.value('forebay_events_refused_total'), 0);
    assert.equal((await gateway.stop()).code, 0);
    assert.deepEqual(gateway.errors, []);
  });

  test('a changed password: an alarm, SIGHUP loads the new one, nothing is lost', async (t) => {
    const file = authority.file('password', 'carol-secret\n');
    const env = {
      ...trusting(authority),
      KAFKA_SASL_MECHANISM: 'scram-sha-256',
      KAFKA_SASL_USERNAME: 'carol',
      KAFKA_SASL_PASSWORD_FILE: file,
      FOREBAY_DRAIN_TIMEOUT_MS: '1000',
      FOREBAY_DRAIN_SPREAD_MS: '0',
    };
    const { gateway, topic } = await start(t, 'SASL_SSL', env);
    const end = await underLoad(t, gateway, topic);
    await untilStored(gateway, 100);
    const [broker] = cluster.brokers as [string];
    const entity = ['--alter', '--entity-type', 'users', '--entity-name', 'carol'];
    const what = ['--add-config', 'SCRAM-SHA-256=[password=another]'];
    const change = ['--bootstrap-server', broker, ...entity, ...what];
    await cluster.tool('kafka.admin.ConfigCommand', change);
    const alarm = await untilLogged(gateway, 'Kafka authentication failed', 20_000);
    assert.equal(alarm.level, 'error');
    assert.match(String(alarm.error), /invalid credentials with SASL mechanism SCRAM-SHA-256/);
    assert.equal(gateway.exited, undefined);
    authority.file('password', 'another\n');
    gateway.signal('SIGHUP');
    await untilLogged(gateway, 'rolling restart completed');
    await untilStored(gateway, 200);
    await end();
    assert.equal((await gateway.stop()).code, 0);
    assert(!gateway.logTail(1_000).includes('another'), 'no password in the log');
  });

  const ways: [string, SecurityProtocol, () => Env][] = [
    ['PLAIN and TLS', 'SASL_SSL', () => ({ ...trusting(authority), ...login('plain', 'bob') })],
    [
      'SCRAM-SHA-256 and TLS',
      'SASL_SSL',
      () => ({ ...trusting(authority), ...login('scram-sha-256', 'alice') }),
    ],
    [
      'SCRAM-SHA-512 and TLS',
      'SASL_SSL',
      () => ({ ...trusting(authority), ...login('scram-sha-512', 'alice') }),
    ],
    [
      'a client certificate',
      'SSL',
      () => ({ ...trusting(authority), ...clientCertificate(authority) }),
    ],
    ['PLAIN without TLS', 'SASL_PLAINTEXT', () => login('plain', 'bob')],
  ];
  for (const [name, protocol, env] of ways) {
    test(`${name}: events are stored, and listen reads them with the same settings`, (t) =>
      storesAndListens(t, protocol, env()));
  }

  test('minimal ACLs: Write and Describe to store events, Read for listen', async (t) => {
    const topic = uniqueTopic();
    await allowDave(cluster.brokers, topic);
    const brokers = cluster.secureBrokers('SASL_SSL');
    const env = { ...trusting(authority), ...login('plain', 'dave') };
    const options = { brokers, topic, env: { ...env, KAFKA_CREATE_TOPIC: '0' } };
    const gateway = await startGateway(options);
    t.after(() => gateway.kill());
    const client = await FrameClient.open(gateway.wsUrl);
    assert.deepEqual(await client.exchange(good('one')), []);
    await client.close();
    assert.match(await listenToOne(brokers, topic, env), /one/);
    await untilLogged(
      gateway,
      'not authorized to read the topic configuration, assuming the default max.message.bytes',
    );
    assert.equal((await gateway.stop()).code, 0);
    await takeGroupsOfDave(cluster.brokers);
    const listen = spawn(process.execPath, LISTEN, { env: listenEnv(brokers, topic, env) });
    t.after(() => listen.kill());
    let said = '';
    listen.stderr.on('data', (text: Buffer) => {
      said += text;
    });
    const hint = /^forebay: reading interrupted \(.*no READ permission on groups forebay-listen-/m;
    await until(() => hint.test(said), { what: () => `the right that is missing: ${said}` });
  });

  const refusals: [string, SecurityProtocol, () => Env, RegExp][] = [
    [
      'PLAIN with a wrong password',
      'SASL_SSL',
      () => ({ ...trusting(authority), ...login('plain', 'bob', 'hunter2') }),
      /SASL PLAIN authentication failed: .*Invalid username or password$/,
    ],
    [
      'SCRAM with a wrong password',
      'SASL_SSL',
      () => ({ ...trusting(authority), ...login('scram-sha-512', 'alice', 'hunter2') }),
      /invalid credentials with SASL mechanism SCRAM-SHA-512$/,
    ],
    [
      'a mechanism that the broker does not support',
      'SASL_PLAINTEXT',
      () => login('scram-sha-256', 'alice'),
      /The broker does not support the requested SASL mechanism$/,
    ],
  ];
  for (const [name, protocol, env, line] of refusals) {
    test(`${name}: one line, exit code 1`, async (t) => {
      const place = { brokers: cluster.secureBrokers(protocol), topic: uniqueTopic() };
      const { code, errors, gateway } = await failedStart(t, { ...place, env: env() });
      assert.deepEqual([code, errors.length], [1, 1], errors.join('\n'));
      assert.match(errors[0]!, /^forebay: Kafka authentication failed: /);
      assert.match(errors[0]!, line);
      assert(!gateway.logTail(1_000).includes('hunter2'), 'no password in the log');
    });
  }

  const distrust: [string, () => Env, string, SecurityProtocol, string?][] = [
    [
      'an unknown certificate authority',
      () => ({ KAFKA_TLS: '1', ...login('plain', 'bob') }),
      'the broker’s certificate is not trusted: KAFKA_TLS_CA_FILE',
      'SASL_SSL',
    ],
    [
      'a certificate for another host',
      () => ({ ...trusting(authority), ...login('plain', 'bob') }),
      'the broker’s certificate is for another host',
      'SASL_SSL',
      '127.0.0.1',
    ],
    [
      'no client certificate where one is required',
      () => trusting(authority),
      'the broker rejects the client certificate, or requires one: KAFKA_TLS_CERT_FILE',
      'SSL',
    ],
    [
      'a client certificate of an unknown authority',
      () => ({ ...trusting(authority), ...clientCertificate(new Authority('stranger')) }),
      'the broker rejects the client certificate, or requires one: KAFKA_TLS_CERT_FILE',
      'SSL',
    ],
  ];
  for (const [name, env, reason, protocol, host] of distrust) {
    test(`${name}: not ready, with the reason, and retried`, async (t) => {
      const brokers = cluster
        .secureBrokers(protocol)
        .map((address) => address.replace('localhost', host ?? 'localhost'));
      const options = { brokers, topic: uniqueTopic(), env: env(), ready: false };
      const gateway = await startGateway(options);
      t.after(() => gateway.kill());
      await until(() => fetch(`${gateway.httpUrl}/livez`));
      await untilNotReady(gateway, reason);
      assert.equal((await gateway.stop()).code, 0);
      assert.deepEqual(gateway.errors, []);
    });
  }
});
