/** Reachable bootstrap servers and unreachable leaders: wrong `advertised.listeners`. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, describe, type TestContext, test } from 'node:test';
import { FaultProxy } from '../../../bench/chaos/proxy.ts';
import { atFreePorts, type KafkaCluster, startCluster } from '../../../deploy/kafka/cluster.ts';
import { freePorts } from '../../../deploy/kafka/ports.ts';
import { Authority } from '../../../testing/certificates.ts';
import { good } from '../../../testing/events.ts';
import { FrameClient } from '../../../testing/frame-client.ts';
import { type Gateway, startGateway } from '../../../testing/gateway.ts';
import { uniqueTopic } from '../../../testing/kafka.ts';
import { missingTool } from '../../../testing/tools.ts';
import { createTopic } from '../../../testing/topic.ts';
import { until } from '../../../testing/wait.ts';
import { logged, readyz, untilLogged } from '../../../testing/watch.ts';
import { FakeCluster } from '../../fakes/broker/cluster.ts';
import { destroyServers, TcpServer } from '../../fakes/tcp-server.ts';

const NAME = 'kafka.invalid';
const web = http.createServer();
const LISTENERS = ['NAME', 'REFUSED', 'SILENT', 'TLS', 'WEB', 'CTRL'] as const;
type Listener = (typeof LISTENERS)[number];

let cluster: KafkaCluster;
let plainPort: number;
let controllerPort: number;
const bootstrap = new Map<Listener, number>();
const advertised = new Map<Listener, string>();

/** Starts one node with a listener for each wrong advertised address. */
async function startMisleadingKafka(): Promise<void> {
  const [plain, controller, tls, refused, ...own] = await freePorts(4 + LISTENERS.length);
  plainPort = plain!;
  controllerPort = controller!;
  const silent = await TcpServer.start(() => {});
  if (!web.listening) {
    web.listen(0, '127.0.0.1');
    await once(web, 'listening');
  }
  const ports: Record<Exclude<Listener, 'NAME'>, number> = {
    REFUSED: refused!,
    SILENT: silent.address.port,
    TLS: tls!,
    WEB: (web.address() as AddressInfo).port,
    CTRL: controller!,
  };
  for (const [index, listener] of LISTENERS.entries()) {
    bootstrap.set(listener, own[index]!);
    const place = listener === 'NAME' ? `${NAME}:9092` : `127.0.0.1:${ports[listener]}`;
    advertised.set(listener, place);
  }
  const authority = new Authority();
  const { certFile, keyFile } = authority.issue('broker', { hosts: 'DNS:localhost' });
  const store = readFileSync(keyFile, 'utf8') + readFileSync(certFile, 'utf8');
  const listeners = LISTENERS.map((name) => `${name}://127.0.0.1:${bootstrap.get(name)}`);
  const told = LISTENERS.map((name) => `${name}://${advertised.get(name)}`);
  const good = [`PLAINTEXT://127.0.0.1:${plain}`, `SSL://127.0.0.1:${tls}`];
  const protocols = LISTENERS.map((name) => `${name}:PLAINTEXT`);
  cluster = await startCluster({
    ports: [plain!],
    overrides: {
      listeners: [...good, `CONTROLLER://127.0.0.1:${controller}`, ...listeners].join(),
      'advertised.listeners': [...good, ...told].join(),
      'listener.security.protocol.map': [
        ...['PLAINTEXT:PLAINTEXT', 'SSL:SSL', 'CONTROLLER:PLAINTEXT'],
        ...protocols,
      ].join(),
      'controller.quorum.voters': `1@127.0.0.1:${controller}`,
      'ssl.keystore.type': 'PEM',
      'ssl.keystore.location': authority.file('store.pem', store),
      'ssl.truststore.type': 'PEM',
      'ssl.truststore.location': authority.caFile,
    },
  });
}

const make = (topic: string) =>
  createTopic({ brokers: cluster.brokers, topic }, { numPartitions: 3, served: false });

async function start(t: TestContext, port: number, topic: string, env = {}): Promise<Gateway> {
  const options = { brokers: [`127.0.0.1:${port}`], topic, env: { FOREBAY_WORKERS: '2', ...env } };
  const gateway = await startGateway({ ...options, ready: false });
  t.after(() => gateway.kill());
  return gateway;
}

/** Waits until both ports return 503 with a reason like this. */
async function untilReason(gateway: Gateway, reason: RegExp): Promise<void> {
  let answers: unknown;
  await until(
    async () => {
      const all = await readyz(gateway);
      answers = all;
      return all.every(
        ({ status, reasons }) => status === 503 && reasons.some((r) => reason.test(r)),
      );
    },
    { what: () => `${reason}, not ${JSON.stringify(answers)}; ${gateway.logTail()}` },
  );
}

async function stores(gateway: Gateway): Promise<void> {
  const client = await FrameClient.open(gateway.wsUrl);
  assert.deepEqual(await client.exchange(good('one')), []);
  await client.close();
}

const CASES: readonly (readonly [title: string, listener: Listener, hint: RegExp])[] = [
  ['a host name that cannot be resolved', 'NAME', /the host name cannot be resolved/],
  ['a port where nothing listens', 'REFUSED', /connection refused/],
  ['a port that never answers', 'SILENT', /accepts connections but does not answer/],
  ['a listener that expects TLS', 'TLS', /the port expects TLS: KAFKA_TLS=1/],
  ['an HTTP server', 'WEB', /an HTTP server answers there/],
  ['a KRaft controller', 'CTRL', /KRaft controller/],
];

describe('leaders that cannot be reached', { skip: missingTool('openssl'), concurrency: 2 }, () => {
  before(() => atFreePorts(startMisleadingKafka));
  after(async () => {
    web.close();
    destroyServers();
    await cluster?.close();
  });

  for (const [title, listener, hint] of CASES) {
    test(`${title} is advertised: not ready with that reason, the address in one warning`, async (t) => {
      const topic = uniqueTopic();
      await make(topic);
      const gateway = await start(t, bootstrap.get(listener)!, topic);
      const reason = `^no leader of the topic is connected: .*${hint.source}.*advertised.listeners`;
      await untilReason(gateway, new RegExp(reason));
      const outage = await untilLogged(gateway, 'Kafka outage began');
      assert.equal(outage.level, 'error');
      assert.match(String(outage.reason), hint);
      await untilReason(gateway, new RegExp(reason));
      assert.deepEqual(logged(gateway, 'ready'), [], 'at no time');
      const warnings = logged(gateway, 'broker connection failed');
      assert.deepEqual(
        warnings.map(({ level, address }) => [level, address]),
        [['warn', advertised.get(listener)]],
        'once for both workers',
      );
      assert.match(String(warnings[0]!.hint), hint);
      assert.equal((await gateway.stop()).code, 0);
    });
  }

  test('with a missing topic: the reason why it is not created is reported with the address', async (t) => {
    const gateway = await start(t, bootstrap.get('NAME')!, uniqueTopic());
    await untilReason(gateway, /^the topic does not exist$/);
    await untilReason(gateway, /^topic creation failed: .*host name cannot be resolved/);
    const line = await untilLogged(gateway, 'topic creation failed');
    assert.deepEqual([line.level, line.address], ['warn', `${NAME}:9092`]);
    assert.equal((await gateway.stop()).code, 0);
  });

  test('a topic that Kafka refuses to create: reported by error name, and used once it exists', async (t) => {
    const topic = uniqueTopic();
    const gateway = await start(t, plainPort, topic, { KAFKA_TOPIC_REPLICATION: '3' });
    await untilReason(gateway, /^topic creation failed: Kafka answers INVALID_REPLICATION_FACTOR$/);
    const line = await untilLogged(gateway, 'topic creation failed');
    assert.deepEqual([line.level, line.topic], ['warn', topic]);
    await untilLogged(gateway, 'Kafka outage began');
    assert.equal(logged(gateway, 'topic creation failed').length, 1, 'not for each attempt');
    await make(topic);
    await gateway.ready(10_000);
    await stores(gateway);
    await untilLogged(gateway, 'Kafka outage ended', 15_000);
    assert.equal((await gateway.stop()).code, 0);
  });

  test('the advertised port is opened later: ready by itself, and events are stored', async (t) => {
    const topic = uniqueTopic();
    await make(topic);
    const gateway = await start(t, bootstrap.get('REFUSED')!, topic);
    await untilReason(gateway, /connection refused/);
    const [, port] = advertised.get('REFUSED')!.split(':');
    const proxy = await FaultProxy.start(bootstrap.get('REFUSED')!, Number(port));
    t.after(() => proxy.close());
    await gateway.ready(10_000);
    await stores(gateway);
    assert.equal((await gateway.stop()).code, 0);
  });

  test('the first of KAFKA_BROKERS is down: the topic is created nevertheless', async (t) => {
    const brokers = ['127.0.0.1:1', `127.0.0.1:${plainPort}`];
    const gateway = await startGateway({ brokers, topic: uniqueTopic() });
    t.after(() => gateway.kill());
    await untilLogged(gateway, 'topic created');
    await stores(gateway);
    assert.equal((await gateway.stop()).code, 0);
  });

  test('KAFKA_BROKERS names a controller and an HTTP server: each is named with its address', async (t) => {
    const { port } = web.address() as AddressInfo;
    const brokers = [`127.0.0.1:${controllerPort}`, `127.0.0.1:${port}`];
    const topic = uniqueTopic();
    const gateway = await startGateway({ brokers, topic, ready: false });
    t.after(() => gateway.kill());
    await untilReason(gateway, /KRaft controller/);
    await untilReason(gateway, /an HTTP server/);
    const hints = logged(gateway, 'broker connection failed').map(
      ({ address, hint }) => `${address} ${hint}`,
    );
    assert.equal(hints.length, 2, hints.join('\n'));
    assert(hints.some((hint) => hint.startsWith(brokers[0]!) && /KRaft/.test(hint)));
    assert(hints.some((hint) => hint.startsWith(brokers[1]!) && /HTTP/.test(hint)));
    assert.equal((await gateway.stop()).code, 0);
  });
});

test('one of two leaders is unreachable: ready, its address in a warning, the other one stores', async (t) => {
  const topic = uniqueTopic();
  const fake = await FakeCluster.start({ brokers: 2, topics: { [topic]: 2 } });
  t.after(() => fake.close());
  fake.broker(2).advertised = { host: NAME, port: 9092 };
  const gateway = await startGateway({ brokers: fake.addresses, topic });
  t.after(() => gateway.kill());
  const line = await untilLogged(gateway, 'broker connection failed');
  assert.deepEqual([line.level, line.broker, line.address], ['warn', 2, `${NAME}:9092`]);
  const client = await FrameClient.open(gateway.wsUrl);
  let sent = 0;
  await until(() => {
    client.send(good(`${sent++}`));
    return fake.partition(topic, 0).values.length > 0;
  });
  assert.equal((await readyz(gateway))[0]?.status, 200);
  await gateway.kill();
});
