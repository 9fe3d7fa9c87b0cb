/** Guarantees under overload: more events than Kafka accepts, more replies than a client reads. */
import assert from 'node:assert/strict';
import { after, type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type KafkaCluster, startCluster } from '../../deploy/kafka/cluster.ts';
import { LIMITS, MIB } from '../../src/config/limits.ts';
import { FrameClient } from '../../testing/frame-client.ts';
import type { Gateway } from '../../testing/gateway.ts';
import { HttpSource, type Refusal } from '../../testing/http-source.ts';
import { describeReconciliation, Ledger } from '../../testing/ledger.ts';
import {
  acknowledgedClients,
  allSettled,
  closeAll,
  Load,
  plainSources,
  recordsOf,
  recordsWith,
  type Source,
  violationsOf,
} from '../../testing/load.ts';
import { setProduceQuota } from '../../testing/quota.ts';
import { freshMetrics } from '../../testing/stage.ts';
import { until } from '../../testing/wait.ts';
import { atRest, type Readyz, readyz, untilNotReady, Watch } from '../../testing/watch.ts';
import { useStage } from '../support/use-stage.ts';

const CLIENT_ID = 'overloaded';
const QUOTA_BYTES_PER_SECOND = MIB;
const MSG_BYTES = 900;
/** With the bytes around `msg`, a little below the quota. */
const PEAK_EVENTS_PER_SECOND = 1_000;
const LIMIT_BYTES = 4 * MIB;
const BESIDE_BUDGET_BYTES = 100 * MIB;
const WINDOW_MS = 8_000;
/** Quota window of the brokers below. */
const QUOTA_WINDOW_MS = 2_000;
const BUFFER_REASON = 'the buffer reached 80% and has not fallen below 60%';
/** Frames that wait for credit at the sender: enough to use every grant at once. */
const BACKLOG_FRAMES = 100;
const REFUSAL_MS_MAX = 500;
/** Share of the peak without overload. `make bench SCENARIO=overload` reaches 0.9 when idle. */
const THROUGHPUT_LEAST = 0.8;

let cluster: KafkaCluster;
const stage = useStage(async () => {
  // The quota is an average, here over two seconds instead of eleven.
  cluster = await startCluster({
    overrides: { 'quota.window.num': '2', 'quota.window.size.seconds': '1' },
  });
  const env = { FOREBAY_BUFFER_BYTES: String(LIMIT_BYTES), KAFKA_CLIENT_ID: CLIENT_ID };
  return { brokers: cluster.brokers, env, end: 'kill' };
});
after(() => cluster?.close());

function setQuota(bytesPerSecond: number | undefined): Promise<void> {
  return setProduceQuota(cluster.brokers[0]!, { clientId: CLIENT_ID, bytesPerSecond });
}

/**
 * Measures acknowledged events per second over a window from now on. Under a quota they arrive in
 * bursts: while the rate is below `least`, the window is extended, up to three times.
 */
async function rateOf(acknowledged: () => number, least = 0): Promise<number> {
  const [sinceMs, before] = [performance.now(), acknowledged()];
  let rate = 0;
  for (let windows = 0; windows < 3; windows++) {
    await sleep(WINDOW_MS);
    rate = ((acknowledged() - before) * 1000) / (performance.now() - sinceMs);
    if (rate >= least) break;
  }
  return rate;
}

/** Polls /readyz until the test ends or `stop`. */
class ReadyWatch {
  readonly answers: Readyz[] = [];
  #running = true;
  readonly #ended: Promise<void>;

  constructor(t: TestContext, gateway: Gateway) {
    this.#ended = this.#run(gateway);
    t.after(() => this.stop());
  }

  async stop(): Promise<void> {
    this.#running = false;
    await this.#ended;
  }

  async #run(gateway: Gateway): Promise<void> {
    while (this.#running) {
      this.answers.push(...(await readyz(gateway)));
      await sleep(100);
    }
  }
}

function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN;
}

/** Checks bodies that were rejected entirely. @returns a human-readable summary */
function checkRefusals(refusals: readonly Refusal[]): string {
  const whole = refusals.filter(({ accepted }) => accepted === 0);
  assert(whole.length >= 10, `${whole.length} bodies were refused`);
  for (const { status, retryAfter, errors } of refusals) {
    assert.deepEqual([status, errors.map(({ code }) => code)], [503, ['buffer_full']]);
    assert.match(retryAfter ?? '', /^[1-9]\d*$/);
    assert(errors.every(({ retryAfterMs }) => retryAfterMs! <= 1000 * Number(retryAfter)));
  }
  const pauses = new Set(whole.map(({ errors }) => errors[0]!.retryAfterMs));
  assert(pauses.size > whole.length / 10, `${[...pauses]}: they would all come back at once`);
  const ms = whole.map((refusal) => refusal.ms);
  const [median, p99] = [quantile(ms, 0.5), quantile(ms, 0.99)];
  assert(median < REFUSAL_MS_MAX, `half of the refusals took ${median} ms and more`);
  return `${whole.length} bodies refused in ${median.toFixed(1)} ms (p99 ${p99.toFixed(1)} ms)`;
}

test('Kafka slower than the load: throughput stays, rejections are fast, memory is bounded', async (t) => {
  const { gateway } = stage;
  const watch = new Watch(t, gateway);
  const ready = new ReadyWatch(t, gateway);
  const ledger = new Ledger();
  const options = { url: gateway.wsUrl, ledger, retryRefused: true };
  const clients = await acknowledgedClients(t, 16, options);
  const plain = await plainSources(t, 2, gateway.wsUrl, ledger);
  const http = new HttpSource(t, { url: gateway.httpUrl, ledger, openMax: 300 });
  const acknowledged = () =>
    clients.reduce((sum, client) => sum + client.acknowledgedEvents, http.acceptedEvents);
  const sources = clients.map(
    (client): Source => ({
      get busy() {
        return client.outstanding > BACKLOG_FRAMES;
      },
      send: (...events) => client.send(...events),
    }),
  );
  const events = { eventsPerFrame: 4, msgBytes: MSG_BYTES };
  await setQuota(QUOTA_BYTES_PER_SECOND);
  const first = { ...events, eventsPerSecond: PEAK_EVENTS_PER_SECOND, prefix: 'a-' };
  const firstLoad = new Load(t, sources, first);
  await sleep(1_000);
  const peak = await rateOf(acknowledged);
  await firstLoad.stop();
  assert.deepEqual(new Set(ready.answers.map(({ status }) => status)), new Set([200]));

  const second = { ...events, eventsPerSecond: 2 * PEAK_EVENTS_PER_SECOND, prefix: 'b-' };
  const loads = [
    new Load(t, sources, second),
    new Load(t, [http], { ...events, eventsPerSecond: 800, prefix: 'h-' }),
    new Load(t, plain, { eventsPerSecond: 20, prefix: 'p-', msgBytes: MSG_BYTES }),
  ];
  await untilNotReady(gateway, BUFFER_REASON);
  // The quota averages unused and excess bytes over this time.
  await sleep(QUOTA_WINDOW_MS);
  const overloaded = await rateOf(acknowledged, THROUGHPUT_LEAST * peak);
  await Promise.all(loads.map((load) => load.stop()));
  await setQuota(undefined);
  await gateway.ready(20_000);
  await allSettled(clients);
  await http.settled();
  await closeAll([...clients, ...plain]);
  const metrics = await atRest(gateway);
  await Promise.all([watch.stop(), ready.stop()]);

  const verdict = ledger.reconcile(await recordsOf(stage));
  assert(verdict.clean, describeReconciliation(verdict).join('\n'));
  const stored = recordsWith('p-', await recordsOf(stage)).length;
  assert.equal(metrics.value('forebay_events_dropped_total'), loads[2]!.events - stored);
  assert.equal(acknowledged(), firstLoad.events + loads[0]!.events + loads[1]!.events);
  assert.equal(http.failed, 0);
  assert.deepEqual(violationsOf(clients), []);
  assert.deepEqual([watch.decreases(), watch.unaccounted()], [[], []]);
  const reasons = new Set(ready.answers.flatMap(({ reasons }) => reasons));
  assert.deepEqual([...reasons], [BUFFER_REASON]);
  t.diagnostic(describeReconciliation(verdict)[0]!);
  t.diagnostic(checkRefusals(http.refusals));
  const bufferMax = watch.max('forebay_buffer_bytes');
  const residentMax = Math.max(watch.max('forebay_worker_resident_bytes'), watch.residentBytesMax);
  t.diagnostic(`buffer ${bufferMax} of ${LIMIT_BYTES}, resident ${residentMax} bytes at most`);
  t.diagnostic(`acknowledged per second: ${peak.toFixed(0)}, overloaded ${overloaded.toFixed(0)}`);
  assert(bufferMax <= LIMIT_BYTES, `buffer ${bufferMax}`);
  assert(residentMax <= LIMIT_BYTES + BESIDE_BUDGET_BYTES, `resident ${residentMax}`);
  assert(overloaded >= THROUGHPUT_LEAST * peak, `${overloaded} of ${peak} events per second`);
});

/** Frame whose events are all rejected, so that the reply is longer than the frame. */
const NACKED_FRAME = `[${new Array(500).fill('{},1').join()}]`;
const FRAMES_AT_ONCE = 16;

test('a client that does not read its nacks gets no further credit, others are served', async () => {
  const { gateway } = stage;
  const closed = async () =>
    (await freshMetrics(gateway)).value('forebay_connections_closed_total', {
      reason: 'credit_exceeded',
    });
  const [slow, neighbour] = await Promise.all([
    FrameClient.open(gateway.wsUrl),
    FrameClient.open(gateway.wsUrl),
  ]);
  slow.socket.pause();
  let sent = 0;
  await until(
    async () => {
      for (let i = 0; i < FRAMES_AT_ONCE; i++) slow.send(NACKED_FRAME);
      sent += FRAMES_AT_ONCE;
      // Its reply means that everything sent before was read and answered.
      await neighbour.exchange('{}');
      return (await closed()) === 1;
    },
    { what: () => `the end of a client after ${sent} frames` },
  );
  assert(sent > LIMITS.creditFrames, 'it used its first credit');
  slow.socket.resume();
  assert.deepEqual(await slow.ended(), { code: 1008, reason: 'credit_exceeded' });
  assert((await neighbour.exchange('{}')).length === 1 && neighbour.isOpen);
  assert.deepEqual([...slow.violations, ...neighbour.violations], []);
  await neighbour.close();
});
