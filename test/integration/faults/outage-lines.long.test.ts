/** Log lines of each kind of outage: its beginning, its end, and little more. */
import assert from 'node:assert/strict';
import { after, before, describe, type TestContext, test } from 'node:test';
import { FaultProxy } from '../../../bench/chaos/proxy.ts';
import { type KafkaCluster, startCluster } from '../../../deploy/kafka/cluster.ts';
import { freePorts } from '../../../deploy/kafka/ports.ts';
import { type Gateway, type LogLine, startGateway } from '../../../testing/gateway.ts';
import { uniqueTopic } from '../../../testing/kafka.ts';
import { describeReconciliation, Ledger } from '../../../testing/ledger.ts';
import {
  acknowledgedClients,
  allSettled,
  closeAll,
  Load,
  recordsOf,
  violationsOf,
} from '../../../testing/load.ts';
import { createTopic, deleteTopic } from '../../../testing/topic.ts';
import { logged, untilLogged, untilStored } from '../../../testing/watch.ts';
import { FakeCluster } from '../../fakes/broker/cluster.ts';

const PARTITIONS = 4;
const EVENT_TIMEOUT_MS = 60_000;
const BEGAN = 'Kafka outage began';
const NO_TOPIC = 'topic does not exist and KAFKA_CREATE_TOPIC is 0';
/** From the fault to its line: 4 s without progress, a second check, and a busy machine. */
const NOTICED_MS = 15_000;

let cluster: KafkaCluster;
let proxy: FaultProxy;
/** Advertised address, that of the proxy. */
let outside: string[];

before(async () => {
  const [port] = (await freePorts(1)) as [number];
  cluster = await startCluster({ advertised: [{ host: '127.0.0.1', port }] });
  proxy = await FaultProxy.start(cluster.inner[0]!, port);
  outside = [`127.0.0.1:${port}`];
});
after(async () => {
  cluster?.resume(0);
  await proxy?.close();
  await cluster?.close();
});

const make = (topic: string) =>
  createTopic({ brokers: cluster.brokers, topic }, { numPartitions: PARTITIONS });

interface Kind {
  readonly title: string;
  begin(topic: string): Promise<void> | void;
  end(topic: string): Promise<void> | void;
  readonly reason: RegExp;
  readonly brokers?: () => readonly string[];
  /** Earlier records are lost. */
  readonly deletes?: true;
}

const KINDS: readonly Kind[] = [
  {
    title: 'the broker is killed',
    begin: () => cluster.kill(0),
    end: () => cluster.restart(0),
    reason: /Kafka cannot be reached/,
  },
  {
    title: 'the broker is stopped (SIGSTOP)',
    begin: () => cluster.pause(0),
    end: () => cluster.resume(0),
    reason: /^Kafka does not answer$|does not answer: is it/,
  },
  {
    title: 'the network swallows everything',
    begin: () => {
      proxy.faults = { blackHole: true };
    },
    end: () => {
      proxy.faults = {};
      proxy.resetAll();
    },
    reason: /^Kafka does not answer$|does not answer: is it/,
    brokers: () => outside,
  },
  {
    title: 'the topic is deleted, and created again by an operator',
    begin: (topic) => deleteTopic({ brokers: cluster.brokers, topic }),
    end: make,
    reason: /the topic does not exist|UNKNOWN_TOPIC_OR_PARTITION/,
    deletes: true,
  },
];

/** Runs a gateway of two workers on a topic of its own under load, and balances the ledger. */
async function underLoad(t: TestContext, kind: Kind) {
  const topic = uniqueTopic();
  await make(topic);
  const env = {
    FOREBAY_WORKERS: '2',
    FOREBAY_EVENT_TIMEOUT_MS: String(EVENT_TIMEOUT_MS),
    KAFKA_CREATE_TOPIC: '0',
  };
  const brokers = kind.brokers?.() ?? cluster.brokers;
  const gateway = await startGateway({ brokers, topic, env });
  t.after(() => gateway.kill());
  const ledger = new Ledger();
  const options = { url: gateway.wsUrl, ledger, reconnect: true, retryRefused: true };
  const clients = await acknowledgedClients(t, 8, options);
  const load = new Load(t, clients, { eventsPerSecond: 200, prefix: 'a-' });
  await untilStored(gateway, 200);
  const end = async () => {
    await load.stop();
    await allSettled(clients);
    await closeAll(clients);
    assert.deepEqual(violationsOf(clients), []);
    if (kind.deletes) return;
    const verdict = ledger.reconcile(await recordsOf({ brokers: cluster.brokers, topic }));
    assert(verdict.clean, describeReconciliation(verdict).join('\n'));
  };
  return { gateway, topic, end };
}

const number = (value: unknown): number => {
  assert(typeof value === 'number', `${value}`);
  return value;
};

/** Lines since the gateway was ready for the first time: a slow start has a line of its own. */
function sinceReady({ log }: Gateway): readonly LogLine[] {
  const ready = log.findIndex(({ msg }) => msg === 'ready');
  assert(ready !== -1, 'no line says that the gateway is ready');
  return log.slice(ready + 1);
}

/** Warnings and errors, except those about settings. */
function complaints(lines: readonly LogLine[]) {
  const ofSettings = new RegExp(
    '^(topic has replication factor 1|min.insync.replicas is 1|authentication is not configured|' +
      'Node.js version is deprecated)',
  );
  return lines.filter(
    ({ level, msg = '' }) => (level === 'warn' || level === 'error') && !ofSettings.test(msg),
  );
}

describe('an outage', () => {
  for (const kind of KINDS) {
    test(`${kind.title}: an error at its beginning, a line at its end, each cause once`, async (t) => {
      const { gateway, topic, end } = await underLoad(t, kind);
      const beginMs = performance.now();
      await kind.begin(topic);
      const began = await untilLogged(gateway, BEGAN, NOTICED_MS);
      await kind.end(topic);
      const ended = await untilLogged(gateway, 'Kafka outage ended', 40_000);
      const spanMs = performance.now() - beginMs;
      await untilStored(gateway, 200);
      assert.equal(began.level, 'error');
      assert.match(String(began.reason), kind.reason);
      assert.equal(began.effect, 'no event is stored');
      assert(number(began.waitingEvents) > 0 && number(began.waitingBytes) > 0);
      const left = number(began.sendersNotifiedInMs);
      assert.equal(left, EVENT_TIMEOUT_MS - number(began.oldestMs));
      assert.equal(ended.level, 'info');
      const durationMs = number(ended.durationMs);
      assert(durationMs > 4_000 && durationMs <= spanMs + 2_000, `${durationMs} of ${spanMs}`);
      await end();
      const all = complaints(sinceReady(gateway));
      const lines = all.map(({ msg, address, hint, class: kindOf, error }) =>
        [msg, address, hint, kindOf, hint === undefined ? error : ''].join(' '),
      );
      t.diagnostic(`${durationMs} ms; ${lines.length} lines: ${lines.join(' | ')}`);
      assert.equal(new Set(lines).size, lines.length, `twice: ${lines.join('\n')}`);
      const errors = all.filter(({ level }) => level === 'error').map(({ msg }) => msg);
      assert.deepEqual(errors, kind.deletes ? [NO_TOPIC, BEGAN] : [BEGAN]);
      assert(lines.length <= 6, lines.join('\n'));
      for (const msg of [BEGAN, 'Kafka outage ended']) {
        assert.equal(logged(gateway, msg).length, 1, msg);
      }
      assert.equal((await gateway.stop()).code, 0);
    });
  }

  test('NOT_ENOUGH_REPLICAS is logged once for both workers', async (t) => {
    const topic = uniqueTopic();
    const fake = await FakeCluster.start({ topics: { [topic]: PARTITIONS } });
    t.after(() => fake.close());
    const env = { FOREBAY_WORKERS: '2' };
    const gateway = await startGateway({ brokers: fake.addresses, topic, env });
    t.after(() => gateway.kill());
    const clients = await acknowledgedClients(t, 8, { url: gateway.wsUrl, ledger: new Ledger() });
    const load = new Load(t, clients, { eventsPerSecond: 100, prefix: 'a-' });
    await untilStored(gateway, 100);
    const target = { request: 'Produce' as const, times: Number.POSITIVE_INFINITY };
    const injected = fake.inject(target, { code: 19 });
    const began = await untilLogged(gateway, BEGAN, NOTICED_MS);
    assert.equal(began.reason, 'Kafka answers NOT_ENOUGH_REPLICAS');
    target.times = 0;
    await untilLogged(gateway, 'Kafka outage ended', NOTICED_MS);
    await load.stop();
    await allSettled(clients);
    await closeAll(clients);
    assert(injected.consumed > PARTITIONS);
    const said = complaints(sinceReady(gateway)).map(({ msg, error }) => `${msg} ${error}`);
    assert.deepEqual(said, ['produce attempt failed NOT_ENOUGH_REPLICAS', `${BEGAN} undefined`]);
    assert.equal((await gateway.stop()).code, 0);
  });

  test('no Kafka at the start: an error, and its end when Kafka starts', async (t) => {
    const [port] = (await freePorts(1)) as [number];
    const env = { FOREBAY_WORKERS: '2' };
    const options = { brokers: [`127.0.0.1:${port}`], topic: uniqueTopic(), env, ready: false };
    const gateway = await startGateway(options);
    t.after(() => gateway.kill());
    // Since the start of its process.
    const began = await untilLogged(gateway, BEGAN, 2 * NOTICED_MS);
    assert.equal(began.reason, 'Kafka cannot be reached: connection refused');
    assert.equal(began.waitingEvents, 0);
    assert.equal(began.sendersNotifiedInMs, undefined);
    const kafka = await startCluster({ ports: [port] });
    t.after(() => kafka.close());
    await gateway.ready();
    const ended = await untilLogged(gateway, 'Kafka outage ended', NOTICED_MS);
    assert(number(ended.durationMs) > 4_000);
    const said = complaints(gateway.log).map(
      ({ msg, hint, reasons }) => `${msg} ${hint} ${reasons}`,
    );
    assert.equal(new Set(said).size, said.length, said.join('\n'));
    assert.equal((await gateway.stop()).code, 0);
  });
});
