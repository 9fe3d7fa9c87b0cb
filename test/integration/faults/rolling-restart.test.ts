import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { isRunning } from '../../../testing/child.ts';
import { good } from '../../../testing/events.ts';
import { FrameClient } from '../../../testing/frame-client.ts';
import { type Gateway, startGateway } from '../../../testing/gateway.ts';
import { sharedKafka, uniqueTopic } from '../../../testing/kafka.ts';
import { describeReconciliation, Ledger } from '../../../testing/ledger.ts';
import {
  acknowledgedClients,
  allSettled,
  closeAll,
  Load,
  recordsOf,
  violationsOf,
} from '../../../testing/load.ts';
import { PlainClient } from '../../../testing/plain-client.ts';
import { atRest, logged, readyz, untilLogged, untilStored, Watch } from '../../../testing/watch.ts';

const { brokers } = await sharedKafka();

const ENDED = 'rolling restart completed';
/** Connections reset by the kernel, which had accepted them for the closing listener. */
const RESET = /ECONNRESET|socket hang up/;

/** Requests readiness and opens connections, one after the other, until `stop`. */
class Newcomers {
  opened = 0;
  readonly failures: string[] = [];
  readonly #gateway: Gateway;
  readonly #ended: Promise<void>;
  #running = true;

  constructor(t: TestContext, gateway: Gateway) {
    this.#gateway = gateway;
    this.#ended = this.#run();
    t.after(() => this.stop());
  }

  async stop(): Promise<void> {
    this.#running = false;
    await this.#ended;
  }

  async #run(): Promise<void> {
    while (this.#running) {
      try {
        const client = await new PlainClient({ url: this.#gateway.wsUrl }).open();
        await client.close();
        this.opened++;
        // The public port may reset a connection: the admin port reports for both.
        const { status } = await fetch(`${this.#gateway.adminUrl}/readyz`);
        if (status !== 200) this.failures.push(`/readyz ${status}`);
      } catch (error) {
        this.failures.push(String(error));
      }
      await sleep(5);
    }
  }
}

test('SIGHUP under load: all workers are replaced, nothing is lost, no connection is rejected', async (t) => {
  const topic = uniqueTopic();
  const env = { FOREBAY_WORKERS: '2', FOREBAY_DRAIN_SPREAD_MS: '200' };
  const gateway = await startGateway({ brokers, topic, env });
  t.after(() => gateway.kill());
  const pids = gateway.workers();
  const ledger = new Ledger();
  const options = { url: gateway.wsUrl, ledger, reconnect: true, retryRefused: true };
  const clients = await acknowledgedClients(t, 10, options);
  const load = new Load(t, clients, { eventsPerSecond: 1_500, eventsPerFrame: 3, prefix: 'a-' });
  const watch = new Watch(t, gateway);
  const newcomers = new Newcomers(t, gateway);
  await untilStored(gateway, 500);
  gateway.signal('SIGHUP');
  const ended = await untilLogged(gateway, ENDED);
  await untilStored(gateway, 500);
  await Promise.all([load.stop(), newcomers.stop()]);
  await allSettled(clients);
  await closeAll(clients);
  const metrics = await atRest(gateway);
  await watch.stop();
  const steps = logged(gateway, 'worker replaced').map(({ ms }) => ms);
  t.diagnostic(`roll ${ended.ms} ms (${steps}); ${newcomers.opened} newcomers`);

  assert.equal(gateway.workers().length, 2);
  assert(!gateway.workers().some((pid) => pids.includes(pid)) && !pids.some(isRunning));
  const verdict = ledger.reconcile(await recordsOf({ brokers, topic }));
  assert(verdict.clean, describeReconciliation(verdict).join('\n'));
  // Every frame was acknowledged before its connection ended: nothing was resent.
  assert.equal(verdict.unacknowledgedStored, 0);
  assert.deepEqual(violationsOf(clients), []);
  for (const { closes, connections } of clients) {
    assert(connections > 1, 'each connection received goaway');
    const byServer = closes.filter(({ code }) => code !== 1000);
    assert(byServer.every(({ code, reason }) => code === 1012 && reason === 'restart'));
  }
  const failures = [...clients.flatMap(({ failures }) => failures), ...newcomers.failures];
  assert.deepEqual(
    failures.filter((failure) => !RESET.test(failure)),
    [],
  );
  assert(newcomers.opened > 10, `${newcomers.opened} newcomers`);
  assert.equal(metrics.value('forebay_handshakes_refused_total'), 0);
  assert.equal(metrics.value('forebay_events_lost_total'), 0);
  assert.equal(metrics.value('forebay_worker_restarts_total'), 0);
  assert.deepEqual(watch.decreases(), []);
  assert.deepEqual(watch.unaccounted(), []);
  assert.equal(watch.failed, 0);
  assert(watch.max('forebay_workers', { state: 'draining' }) > 0, 'a scrape saw a leaving worker');
  assert.deepEqual(logged(gateway, 'not ready'), []);
  assert.deepEqual(logged(gateway, 'worker died'), []);
  assert.equal((await gateway.stop()).code, 0);
  assert.deepEqual(gateway.errors, []);
});

test('a broken schema: the log has the reason, the old workers stay; POST /workers/restart recovers', async (t) => {
  const dir = await mkdtemp(join(tmpdir(), 'forebay-roll-'));
  t.after(() => rm(dir, { recursive: true }));
  const schema = join(dir, 'schema.json');
  await writeFile(schema, '{"type":"object"}');
  const env = { FOREBAY_WORKERS: '2', FOREBAY_EVENT_SCHEMA: schema, FOREBAY_DRAIN_SPREAD_MS: '0' };
  const gateway = await startGateway({ brokers, topic: uniqueTopic(), env });
  t.after(() => gateway.kill());
  const pids = gateway.workers().sort();
  const client = await FrameClient.open(gateway.wsUrl);
  await writeFile(schema, '{"type": ');
  gateway.signal('SIGHUP');
  const line = await untilLogged(gateway, 'rolling restart aborted');
  assert.equal(line.level, 'error');
  assert.match(String(line.reason), /schema\.json is not valid JSON/);
  assert.deepEqual(await client.exchange('{"id":"1"}'), []);
  assert.deepEqual(
    (await readyz(gateway)).map(({ status }) => status),
    [200, 200],
  );
  assert(pids.every(isRunning));
  // A valid file is loaded.
  await writeFile(schema, '{"type":"object","required":["msg"]}');
  const answer = await fetch(`${gateway.adminUrl}/workers/restart`, { method: 'POST' });
  assert.deepEqual([answer.status, await answer.json()], [202, { restart: 'begun' }]);
  await untilLogged(gateway, ENDED);
  assert.deepEqual(await client.ended(), { code: 1012, reason: 'restart' });
  const next = await FrameClient.open(gateway.wsUrl);
  assert.deepEqual(
    (await next.exchange('{"id":"2"}')).map(({ code }) => code),
    ['schema'],
  );
  assert.deepEqual(await next.exchange(good('3')), []);
  assert(!pids.some(isRunning));
  await next.close();
  assert.equal((await gateway.stop()).code, 0);
  assert.deepEqual(gateway.errors, []);
});
