/**
 * A real Prometheus scrapes two gateways: a healthy one under a known load, and one whose Kafka
 * stores nothing and that suffers every fault with an alert.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { arrayOf, good } from '../../testing/events.ts';
import { FrameClient } from '../../testing/frame-client.ts';
import { type Gateway, startGateway } from '../../testing/gateway.ts';
import { Ledger } from '../../testing/ledger.ts';
import { acknowledgedClients, Load, plainSources } from '../../testing/load.ts';
import { PlainClient } from '../../testing/plain-client.ts';
import { ponged } from '../../testing/socket.ts';
import { openStage, post, type Stage } from '../../testing/stage.ts';
import { missingTool } from '../../testing/tools.ts';
import { until } from '../../testing/wait.ts';
import { atRest } from '../../testing/watch.ts';
import { FakeCluster } from '../fakes/broker/cluster.ts';
import type { Injection } from '../fakes/broker/injections.ts';
import { DASHBOARDS, panelsOf } from '../support/dashboards.ts';
import { answerOf, linesOf, type View } from '../support/panels.ts';
import { type Alert, type Prometheus, startPrometheus } from '../support/prometheus.ts';

const skip = missingTool('prometheus');
const TOPIC = 'stores-nothing';
/** Frames that one connection may send at once. */
const BURST = 100;
const DEATHS = 3;
/** Age for the alert on waiting events: an operator’s 30 s are too long for a test. */
const OLD_SECONDS = 3;
const NOT_LEADER = 6;
/** Minimum scrapes of a rate: with fewer, Prometheus's extrapolation is a large part of it. */
const SCRAPES = 15;
const OLDEST = 'forebay_buffer_oldest_seconds';

const overview = DASHBOARDS.get('forebay-overview.json')!;
const workers = DASHBOARDS.get('forebay-workers.json')!;
const ends: (() => unknown)[] = [];
const lifetime = { after: (end: () => unknown) => ends.unshift(end) };

let prometheus: Prometheus;
let calm: Stage;
let broken: Gateway;
let refusal: Injection;
/** Start of the load, and query times of each gateway's panels; seconds since 1970. */
let sinceSeconds: number;
let calmSeconds: number;
let brokenSeconds: number;

before(async () => {
  if (skip !== false) return;
  const cluster = await FakeCluster.start({ topics: { [TOPIC]: 4 } });
  lifetime.after(() => cluster.close());
  refusal = cluster.inject(
    { request: 'Produce', times: Number.POSITIVE_INFINITY },
    { code: NOT_LEADER },
  );
  [calm, broken] = await Promise.all([startCalm(), startBroken(cluster)]);
  const targets = [calm.gateway, broken].map(instanceOf);
  prometheus = await startPrometheus(lifetime, { targets, alert: hasten });
  sinceSeconds = Date.now() / 1000;
  for (const instance of targets)
    await prometheus.sees(`forebay_build_info{instance="${instance}"}`);
  await Promise.all([knownLoad(), allFaults()]);
});
after(async () => {
  const failures: unknown[] = [];
  for (const end of ends) {
    try {
      await end();
    } catch (error) {
      failures.push(error);
    }
  }
  assert.deepEqual(failures, [], 'everything started has ended');
});

const instanceOf = ({ adminPort }: Gateway) => `127.0.0.1:${adminPort}`;

async function startCalm(): Promise<Stage> {
  const env = {
    FOREBAY_WORKERS: '2',
    FOREBAY_CONNECTION_EVENTS_PER_SECOND: '1',
    FOREBAY_CONNECTION_EVENTS_BURST: String(BURST),
  };
  const stage = await openStage({ env });
  lifetime.after(() => stage.gateway.stop());
  return stage;
}

/** Nothing is stored, and nothing expires during the test. */
async function startBroken(cluster: FakeCluster): Promise<Gateway> {
  const env = {
    FOREBAY_WORKERS: '2',
    FOREBAY_EVENT_TIMEOUT_MS: '2000',
    FOREBAY_WORKER_TIMEOUT_MS: '600000',
    FOREBAY_DRAIN_TIMEOUT_MS: '600000',
  };
  const gateway = await startGateway({ brokers: cluster.addresses, topic: TOPIC, env });
  lifetime.after(() => gateway.kill());
  return gateway;
}

/**
 * Keeps the conditions of alerts and shortens their durations. A scrape may fall between the
 * arrival of the first events and their storage: nothing is stored, of a healthy gateway too.
 */
function hasten(alert: Alert): Alert {
  const expr = alert.expr.replace('oldest_seconds) > 30', `oldest_seconds) > ${OLD_SECONDS}`);
  return { ...alert, expr, for: alert.alert === 'ForebayStoresNothing' ? '5s' : '0s' };
}

const events = (count: number) => Array.from({ length: count }, (_, index) => good(`e${index}`));

/** Generates load whose numbers the panels below must show. */
async function knownLoad(): Promise<void> {
  const { gateway } = calm;
  const [staying, hasty] = [
    await FrameClient.open(gateway.wsUrl),
    await FrameClient.open(gateway.wsUrl),
  ];
  lifetime.after(() => staying.close());
  await staying.exchange(arrayOf(events(20)));
  await staying.exchange(arrayOf([...events(6), '{}', '{}', '{}', '{}']));
  for (let i = 0; i < 2; i++) await staying.exchange('{');
  await hasty.exchange(arrayOf(events(BURST + 8)));
  await hasty.close();
  const plain = await new PlainClient({ url: gateway.wsUrl }).open();
  plain.socket.send(arrayOf(events(BURST + 16)));
  await ponged(plain.socket);
  await plain.close();
  await post(calm, arrayOf([...events(40), ...new Array<string>(32).fill('42')]));
  const { httpUrl } = gateway;
  for (let i = 0; i < 3; i++) await fetch(`${httpUrl}/unknown`);
  await fetch(`${httpUrl}/events`, {
    method: 'POST',
    headers: { 'Content-Type': 'image/png' },
    body: 'x',
  });
  for (let i = 0; i < 5; i++) await fetch(`${httpUrl}/ws`);
  const metrics = await atRest(gateway);
  const stored = metrics.value('forebay_events_stored_total');
  const ofCalm = `instance="${instanceOf(gateway)}"`;
  const conditions = [
    `forebay_events_stored_total{${ofCalm}} == ${stored}`,
    `forebay_connections_closed_total{${ofCalm},reason="normal"} == 2`,
    `sum(forebay_connections{${ofCalm},transport!="http"}) == 1`,
    `forebay_handshakes_refused_total{${ofCalm},reason="bad_request"} == 5`,
    `count_over_time(forebay_events_stored_total{${ofCalm}}[1h]) >= ${SCRAPES}`,
  ];
  calmSeconds = await prometheus.seenAt(conditions.map((one) => `(${one})`).join(' and on() '));
}

/** Load that is never stored; deaths and a hang of workers; an endless drain, aborted. */
async function allFaults(): Promise<void> {
  const { wsUrl: url, adminUrl } = broken;
  const ledger = new Ledger();
  const clients = await acknowledgedClients(lifetime, 6, { url, ledger, reconnect: true });
  const plain = await plainSources(lifetime, 6, url, ledger);
  const load = new Load(lifetime, [...clients, ...plain], { eventsPerSecond: 60, prefix: 'b-' });
  await sees('forebay_events_dropped_total > 0');
  await sees('forebay_events_refused_total > 0');
  for (let deaths = 1; deaths <= DEATHS; deaths++) {
    await sees('sum(forebay_events_in_flight) > 0');
    // The oldest: clients of a dead worker connect to a running one.
    process.kill(broken.workers()[0]!, 'SIGKILL');
    const what = () => `death ${deaths}, and a new worker:\n${broken.logTail()}`;
    await until(async () => (await replaced()) === deaths, { what });
  }
  await sees(`forebay_worker_restarts_total{cause="crash"} == ${DEATHS}`);
  for (const alert of UNDER_LOAD) await fires(alert);
  // Lanes are briefly empty when events expire, and in a new worker: avoid that moment.
  brokenSeconds = await prometheus.seenAt(
    ofBroken(
      `sum(forebay_lanes{state=~"unknown|in_flight|retrying"}) > 0 and max(${OLDEST}) > ${OLD_SECONDS}`,
    ),
  );
  const silent = broken.workers()[0]!;
  process.kill(silent, 'SIGSTOP');
  await fires('ForebaySnapshotsStale');
  process.kill(silent, 'SIGCONT');
  await fires('ForebayEventLoopLags');
  await load.stop();
  // A hanging worker does not drain.
  process.kill(silent, 'SIGSTOP');
  await fetch(`${adminUrl}/drain`, { method: 'POST' });
  await fires('ForebayDrainsTooLong');
  await broken.kill();
  await fires('ForebayDown');
}

const UNDER_LOAD = [
  'ForebayStoresNothing',
  'ForebayDropsEvents',
  'ForebayRefusesEvents',
  'ForebayEventsWait',
  'ForebayWorkerDied',
  'ForebayWorkersKeepDying',
];

/** Number of worker deaths; undefined until all are replaced. */
async function replaced(): Promise<number | undefined> {
  const metrics = await broken.metrics();
  if (metrics.value('forebay_workers', { state: 'ready' }) !== 2) return undefined;
  return metrics.value('forebay_worker_restarts_total', { cause: 'crash' });
}

/** Waits for a condition of the broken gateway's series. */
function sees(condition: string): Promise<void> {
  return prometheus.sees(ofBroken(condition));
}

function ofBroken(condition: string): string {
  const label = `instance="${instanceOf(broken)}"`;
  return condition.replace(/\b(forebay_\w+|ALERTS)(\{)?/g, (_, name, more) =>
    more ? `${name}{${label},` : `${name}{${label}}`,
  );
}

function fires(alert: string): Promise<void> {
  return sees(`ALERTS{alertname="${alert}",alertstate="firing"}`);
}

function viewOf(gateway: Gateway, atSeconds: number): View {
  // The whole range: before the load every counter is 0.
  const rateSeconds = Math.ceil(atSeconds - sinceSeconds) + 5;
  return { prometheus, instance: instanceOf(gateway), atSeconds, rateSeconds };
}

/** Compares a total computed from rates: Prometheus extrapolates up to a scrape interval. */
function assertTotals(lines: Record<string, number>, expected: Record<string, number>): void {
  const shown = Object.entries(lines).filter(([, value]) => value !== 0);
  assert.deepEqual(shown.map(([name]) => name).sort(), Object.keys(expected).sort());
  for (const [name, value] of shown) {
    const total = expected[name]!;
    assert(value > 0.95 * total && value < 1.2 * total, `${name}: ${value}, not ${total}`);
  }
}

test('every panel has data, from a healthy gateway and from a broken one', { skip }, async () => {
  const views = [viewOf(calm.gateway, calmSeconds), viewOf(broken, brokenSeconds)];
  /** Panels of stored events, which are empty without any. */
  const ofStored = /^histogram_quantile\(0\.\d+, .*(_ack_|_batch_)|_batch_\w+_count.* > 0\)$/;
  let asked = 0;
  for (const dashboard of DASHBOARDS.values()) {
    for (const { title, targets = [] } of panelsOf(dashboard)) {
      for (const target of targets) {
        for (const view of views) {
          const answer = await answerOf(target, view);
          asked++;
          if (view === views[1] && ofStored.test(target.expr)) continue;
          // Neither has API keys, or schemas of a registry.
          if (/forebay_(key|schema_registry_age)_/.test(target.expr)) continue;
          assert(answer.length > 0, `${title}: no answer to ${target.expr}`);
          for (const { value } of answer) assert(Number.isFinite(value), `${title}: ${value}`);
        }
      }
    }
  }
  assert(asked > 100, `${asked} queries`);
});

test('the overview shows received events and their results', { skip }, async () => {
  const view = viewOf(calm.gateway, calmSeconds);
  const lines = (title: string) => linesOf(overview, title, view);
  const [ws, http] = [20 + 10 + 2 + BURST + 8 + BURST + 16, 72];
  const stored = 20 + 6 + BURST + BURST + 40;
  const refused = { schema: 4, invalid_json: 2, rate_limited: 8, not_an_object: 32 };
  assertTotals(await lines('Throughput'), { received: ws + http, stored });
  assertTotals(await lines('Dropped and refused'), { dropped: 16, refused: 46 });
  assert.deepEqual(await lines('Unaccounted'), { unaccounted: 0 });
  assertTotals(await lines('Received by transport'), { ws, http });
  assertTotals(await lines('Results of events'), { stored, refused: 46, dropped: 16 });
  assertTotals(await lines('Refused by reason'), refused);
  assertTotals(await lines('Dropped by reason'), { rate_limited: 16 });
  assertTotals(await lines('Lost with a worker'), {});
  const closed = await lines('Opened and closed');
  assertTotals({ closed: closed['closed: normal'] ?? 0 }, { closed: 2 });
  assertTotals(await lines('Refused handshakes and requests'), {
    'handshake: bad_request': 5,
    'request: not_found': 3,
    'request: unsupported_media_type': 1,
  });
  const { p50, p99 } = (await lines('Acknowledgement')) as { p50: number; p99: number };
  assert(p50 > 0 && p99 >= p50 && p99 < 60, `${p50} ${p99}`);
  assertTotals(await lines('Workers'), { ready: 2 });
  const stages = ['ack', 'decode', 'lane', 'produce'];
  assert.deepEqual(Object.keys(await lines('Time by stage, p99')).sort(), stages);
  const batch = await lines('Bytes per batch');
  assert.equal(batch.sent, batch['before compression']);
});

test('the workers’ dashboard shows each of them', { skip }, async () => {
  const view = viewOf(calm.gateway, calmSeconds);
  const both = [1, 2].map((worker) => `${view.instance} worker ${worker}`);
  const { 'Resident memory': memory, ...rest } = {
    'Resident memory': await linesOf(workers, 'Resident memory', view),
    'In flight': await linesOf(workers, 'In flight', view),
    'Buffer in use': await linesOf(workers, 'Buffer in use', view),
    CPU: await linesOf(workers, 'CPU', view),
  };
  for (const lines of [memory, ...Object.values(rest)]) assert.deepEqual(Object.keys(lines), both);
  for (const bytes of Object.values(memory)) assert(bytes > 20e6 && bytes < 2e9, `${bytes} bytes`);
  assert.deepEqual(Object.values(rest['In flight']), [0, 0]);
  assert.deepEqual(await linesOf(workers, 'Workers', view), { ready: 2, dead: 0 });
});

test('faults are shown: nothing stored, events lost with workers, Kafka’s errors, lanes', {
  skip,
}, async () => {
  assert(refusal.consumed > 0, 'Kafka refused');
  const view = viewOf(broken, brokenSeconds);
  const lines = (title: string) => linesOf(overview, title, view);
  const { stored, lost, dropped, refused } = await lines('Results of events');
  assert.equal(stored, 0);
  assert(lost! > 0 && dropped! > 0 && refused! > 0, JSON.stringify({ lost, dropped, refused }));
  assert.deepEqual(await lines('Unaccounted'), { unaccounted: 0 });
  const { crash, hang } = await lines('Deaths');
  assert(crash! >= 0.99 * DEATHS && crash! < 1.5 * DEATHS && hang === 0, `${crash} ${hang}`);
  const [annotation] = overview.annotations.list;
  assert.deepEqual(
    (await answerOf(annotation!, view)).map(({ labels }) => labels.cause),
    ['crash'],
  );
  assert((await lines('Failed attempts')).unknown! > 0, 'NOT_LEADER leaves the fate open');
  const lanes = await lines('Lanes');
  assert(lanes.unknown! + lanes.in_flight! + lanes.retrying! > 0, JSON.stringify(lanes));
  const { [view.instance]: oldest } = await lines('Oldest event');
  assert(oldest! > OLD_SECONDS, `${oldest} s`);
  const acknowledged = await lines('Acknowledgement');
  assert.deepEqual(acknowledged, {}, 'none was stored: the panel says so instead of NaN');
});

test('each fault fires its alert; the healthy gateway has only that of its invalid events', {
  skip,
}, async () => {
  const fired = async (gateway: Gateway) => {
    const firing = `ALERTS{instance="${instanceOf(gateway)}",alertstate="firing"}`;
    const all = await prometheus.query(`max_over_time(${firing}[1h])`);
    return [...new Set(all.map(({ labels }) => labels.alertname!))].sort();
  };
  assert.deepEqual(await fired(calm.gateway), ['ForebayRefusesEvents']);
  const alone = [
    'ForebaySnapshotsStale',
    'ForebayEventLoopLags',
    'ForebayDrainsTooLong',
    'ForebayDown',
  ];
  assert.deepEqual(await fired(broken), [...UNDER_LOAD, ...alone].sort());
});

test('the variables list instances, streams and workers', { skip }, async () => {
  const [, job, instance, stream, worker] = workers.templating.list;
  const offered = async (variable = job) => {
    const { query } = variable!.query as { query: string };
    const [, selector, label] = query.match(/^label_values\((.+), (\w+)\)$/)!;
    const view = { ...viewOf(calm.gateway, calmSeconds), instance: '.+' };
    const answer = await answerOf({ expr: `group by (${label}) (${selector})` }, view);
    return answer.map(({ labels }) => labels[label!]).sort();
  };
  assert.deepEqual(await offered(job), ['forebay']);
  assert.deepEqual(await offered(instance), [calm.gateway, broken].map(instanceOf).sort());
  assert.deepEqual(await offered(stream), ['default']);
  assert.deepEqual(await offered(worker), ['1', '2']);
});
