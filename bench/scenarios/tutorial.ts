/**
 * The tutorial's load test: 256 clients send 256 events each, one per 100 ms; first as plain
 * clients, then with acknowledgements. The topic is read back: sent = stored, each event once.
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { build, type Histogram } from 'hdr-histogram-js';
import { AcknowledgedClient } from '../../testing/client.ts';
import type { Gateway } from '../../testing/gateway.ts';
import { describeReconciliation, Ledger, type Reconciliation } from '../../testing/ledger.ts';
import { PlainClient } from '../../testing/plain-client.ts';
import type { TestEvent } from '../../testing/socket.ts';
import { deleteTopic, noteOffsets, readTopic } from '../../testing/topic.ts';
import { until } from '../../testing/wait.ts';
import type { Figure, Result } from '../result.ts';
import type { Scenario } from '../scenario.ts';

const CLIENTS = 256;
const EVENTS_PER_CLIENT = 256;
const PERIOD_MS = 100;
const EVENTS = CLIENTS * EVENTS_PER_CLIENT;
const SETTLE_MS = 30_000;

type Kind = 'plain' | 'forebay.v1';
type Client = PlainClient | AcknowledgedClient;

interface Half {
  readonly kind: Kind;
  readonly seconds: number;
  /** Milliseconds from send to ack, in microseconds; empty for plain clients. */
  readonly latency: Histogram;
  readonly cpuMicrosPerEvent: number;
  readonly verdict: Reconciliation;
  /** Violations; none = passed. */
  readonly problems: readonly string[];
}

export const tutorial: Scenario = {
  name: 'tutorial',
  summary:
    `${CLIENTS} clients x ${EVENTS_PER_CLIENT} events, one per ${PERIOD_MS} ms; ` +
    'plain, then acknowledged',
  minutes: 1,
  standalone: true,
  async run({ brokers, startGateway, log }) {
    const topic = `bench-tutorial-${randomUUID().slice(0, 13)}`;
    const env = { FOREBAY_WORKERS: process.env.FOREBAY_WORKERS ?? '2' };
    const gateway = await startGateway({ brokers, topic, env });
    try {
      const startMs = gateway.startToReadyMs.toFixed(0);
      log(`gateway with ${env.FOREBAY_WORKERS} workers, start to ready ${startMs} ms`);
      const halves: Half[] = [];
      for (const kind of ['plain', 'forebay.v1'] as const) {
        log(`${kind}: ${EVENTS} events in about ${(EVENTS_PER_CLIENT * PERIOD_MS) / 1000} s …`);
        halves.push(await runHalf(kind, gateway, { brokers, topic }));
      }
      const { code } = await gateway.stop();
      const result = report(halves, code, gateway.startToReadyMs);
      if (result.problems.length === 0) await deleteTopic({ brokers, topic });
      else log(`topic kept for inspection: ${topic}`);
      return result;
    } finally {
      await gateway.kill();
    }
  },
};

async function runHalf(
  kind: Kind,
  gateway: Gateway,
  place: { brokers: readonly string[]; topic: string },
): Promise<Half> {
  const fromOffsets = await noteOffsets(place);
  const ledger = new Ledger();
  const latency = build({ highestTrackableValue: 600_000_000, numberOfSignificantValueDigits: 3 });
  const before = await gateway.metrics();
  const clients = await Promise.all(
    Array.from({ length: CLIENTS }, (_, i) => {
      const options = { url: gateway.wsUrl, name: `${kind}-${i}`, ledger };
      const onLatency = (ms: number) => latency.recordValue(Math.round(ms * 1000));
      return kind === 'plain'
        ? new PlainClient(options).open()
        : new AcknowledgedClient({ ...options, onLatency }).open();
    }),
  );
  const [start, cpuStart] = [performance.now(), gateway.cpuSeconds()];
  await Promise.all(clients.map((client, i) => sendAll(client, `${kind}-${i}`, i)));
  await settle(gateway, clients, before.value('forebay_events_received_total'));
  const seconds = (performance.now() - start) / 1000;
  const cpuMicrosPerEvent = ((gateway.cpuSeconds() - cpuStart) * 1e6) / EVENTS;
  await Promise.all(clients.map((client) => client.close()));
  const verdict = ledger.reconcile(await readTopic({ ...place, fromOffsets }));
  const problems = [...problemsOf(kind, verdict, clients), ...(await lawProblems(gateway))];
  return { kind, seconds, latency, cpuMicrosPerEvent, verdict, problems };
}

/** Sends one event per period by the clock, with clients spread over the period. */
async function sendAll(client: Client, clientId: string, index: number): Promise<void> {
  const start = performance.now() + (index / CLIENTS) * PERIOD_MS;
  for (let n = 0; n < EVENTS_PER_CLIENT; n++) {
    await sleep(Math.max(0, start + n * PERIOD_MS - performance.now()));
    const id = `${clientId}-${n}`;
    const event: TestEvent = { msg: `event ${n}`, clientId, timestamp: Date.now(), id };
    client.send(event);
  }
}

/** Acknowledged clients know when they are done; for plain ones the gateway's counters show it. */
async function settle(gateway: Gateway, clients: Client[], receivedBefore: number): Promise<void> {
  const open = clients.filter((client) => client instanceof AcknowledgedClient);
  await Promise.all(open.map((client) => client.settled(SETTLE_MS)));
  const done = async () => {
    const metrics = await gateway.metrics();
    const received = metrics.value('forebay_events_received_total') - receivedBefore;
    return received >= EVENTS && metrics.value('forebay_events_in_flight') === 0;
  };
  const what = `the gateway to settle ${EVENTS} events`;
  await until(done, { deadlineMs: SETTLE_MS, everyMs: 100, what });
}

function problemsOf(kind: Kind, verdict: Reconciliation, clients: Client[]): string[] {
  const problems: string[] = [];
  const demand = (holds: boolean, problem: string) => holds || problems.push(problem);
  demand(verdict.sent === EVENTS, `sent ${verdict.sent} of ${EVENTS}`);
  demand(verdict.stored === EVENTS, `stored ${verdict.stored} of ${EVENTS}`);
  demand(verdict.clean, describeReconciliation(verdict).slice(1).join('; '));
  const expected = kind === 'plain' ? 0 : EVENTS;
  demand(verdict.acknowledged === expected, `acknowledged ${verdict.acknowledged} of ${expected}`);
  for (const client of clients) {
    if (client instanceof PlainClient) {
      demand(client.received.length === 0, `a plain client received ${client.received[0]}`);
    } else {
      demand(client.violations.length === 0, `protocol violation: ${client.violations[0]}`);
    }
  }
  return problems;
}

/** Checks the conservation invariant, at rest. */
async function lawProblems(gateway: Gateway): Promise<string[]> {
  const metrics = await gateway.metrics();
  const unaccounted = metrics.value('forebay_events_unaccounted');
  return unaccounted === 0 ? [] : [`unaccounted is ${unaccounted}`];
}

function report(halves: readonly Half[], exitCode: number | null, startToReadyMs: number): Result {
  const problems = halves.flatMap(({ kind, problems: of }) => of.map((p) => `${kind}: ${p}`));
  if (exitCode !== 0) problems.push(`the gateway exited with code ${exitCode}`);
  const figures: Figure[] = [
    // Includes topic creation, unlike the goal.
    { name: 'start to ready', unit: 'ms', values: [startToReadyMs] },
    ...halves.flatMap(figuresOf),
  ];
  const setup =
    `${CLIENTS} clients send ${EVENTS_PER_CLIENT} events each, one per ${PERIOD_MS} ms: first ` +
    'plain, then acknowledged; the topic is read back, and sent = stored, each event exactly once.';
  return { setup, figures, problems };
}

function figuresOf({ kind, seconds, latency, cpuMicrosPerEvent, verdict }: Half): Figure[] {
  const figure = (what: string, unit: string, value: number): Figure => {
    return { name: `${kind}: ${what}`, unit, values: [value] };
  };
  const ms = (percentile: number) => latency.getValueAtPercentile(percentile) / 1000;
  const acks =
    latency.totalCount === 0
      ? []
      : [figure('ack p50', 'ms', ms(50)), figure('ack p99', 'ms', ms(99))];
  return [
    figure('sent', 'events', verdict.sent),
    figure('stored', 'events', verdict.stored),
    figure('time', 's', seconds),
    figure('CPU', 'us/event', cpuMicrosPerEvent),
    ...acks,
  ];
}
