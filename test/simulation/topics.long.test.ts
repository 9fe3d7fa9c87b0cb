/**
 * Three topics of one producer against the model of Kafka: missing, rejected by policy, healthy.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Counters } from '../../src/metrics/counters.ts';
import { Accumulator } from '../../src/worker/accumulator/accumulator.ts';
import type { RecordBatch } from '../../src/worker/accumulator/batch.ts';
import { Budget } from '../../src/worker/accumulator/budget.ts';
import { Topic } from '../../src/worker/accumulator/topic.ts';
import { Faults as FaultLines } from '../../src/worker/faults.ts';
import { Producer } from '../../src/worker/producer/producer.ts';
import { appendEvent } from '../../testing/batches.ts';
import { SeededRandom } from '../../testing/random.ts';
import { VirtualClock } from './clock.ts';
import { Cluster } from './cluster.ts';
import { CALM, Faults } from './faults.ts';
import { Quotas } from './quotas.ts';
import { Report } from './report.ts';
import { SentBatches } from './sent-batches.ts';
import { SimLink } from './sim-link.ts';

const RUN_MS = 20_000;
const SEEDS = 20;
const REJECTED = { name: 'rejected', partitions: 2 };
/** Events sent at a time, and the pause in between. */
const ROUND = { events: 6, everyMs: 10 };

interface Result {
  readonly stored: number;
  /** Time from arrival to storage, on average and at most. */
  readonly meanMs: number;
  readonly mostMs: number;
  readonly rejected: number;
}

/** Sends events at a constant rate to the healthy topic, and to the others if they exist. */
async function drive(seed: number, withOthers: boolean): Promise<Result> {
  const clock = new VirtualClock();
  const random = new SeededRandom(seed, 'topics');
  const report = new Report(() => {});
  const note = () => {};
  const { restore } = clock.install(new SeededRandom(seed, 'src'));
  try {
    const faults = new Faults(CALM, random, report);
    const common = { clock, random, faults, report, note };
    const options = { topic: 'healthy', partitions: 5, rejected: REJECTED, firstEpoch: () => 0 };
    const cluster = new Cluster({ ...options, ...common });
    const brokers = [...cluster.brokers.values()];
    const line = {
      ...common,
      sent: new SentBatches(report),
      quotas: new Quotas(clock, report),
      topicIds: true,
      demand: (holds: boolean, otherwise: string) => report.demand(holds, otherwise),
      opened: () => {},
      closed: () => {},
    };
    const healthy = new Topic('healthy');
    const others = withOthers ? [new Topic('missing'), new Topic(REJECTED.name)] : [];
    const budget = new Budget(2 ** 20);
    const accumulator = new Accumulator({ budget, batchBytes: 2 ** 14, maxEventBytes: 2 ** 12 });
    const times: number[] = [];
    let rejected = 0;
    const ended = (batch: RecordBatch, isStored: boolean) => {
      for (const arrivalMs of batch.arrivalsMs) {
        if (isStored && batch.partition.topic === healthy) times.push(clock.nowMs - arrivalMs);
      }
      accumulator.release(batch);
    };
    const producer = new Producer({
      topics: [...others, healthy],
      bootstrap: brokers,
      createLink: ({ host }) => {
        const broker = brokers.find((each) => each.host === host);
        return new SimLink(host, broker, line);
      },
      faults: new FaultLines(() => {}),
      lingerMs: 5,
      eventTimeoutMs: 120_000,
      maxRequestBytes: 2 ** 16,
      budget,
      accumulator,
      counters: new Counters(),
      deliveryListener: {
        stored: (batch) => ended(batch, true),
        rejected: (batch) => ended(batch, false),
        overdue: () => {},
      },
      topicListener: {
        reached: () => {},
        topicMissing: () => {},
        topicRecreated: (topic) => report.violation(`${topic.name} was recreated`),
        unreachable: () => {},
        refusedByPolicy: (refused) => {
          if (refused) rejected++;
        },
        authenticationFailed: () => {},
      },
    });
    const value = Buffer.from('{"msg":"x"}');
    const append = (topic: Topic, key: string) =>
      appendEvent(accumulator, topic, key, value, { arrivalMs: clock.nowMs });
    producer.start();
    const endMs = clock.nowMs + RUN_MS;
    let key = 0;
    const round = () => {
      for (let count = 0; count < ROUND.events; count++) append(healthy, `key ${key++}`);
      for (const topic of others) if (key % 50 === 0) append(topic, `key ${key}`);
      if (clock.nowMs < endMs) clock.after(ROUND.everyMs, round);
    };
    clock.after(1_000, round);
    await clock.run(endMs);
    const state = others.map((topic) => [topic.state, topic.partitions.length]);
    if (withOthers)
      assert.deepEqual(state, [
        ['missing', 0],
        ['known', REJECTED.partitions],
      ]);
    producer.stop();
    assert.deepEqual(report.violations, []);
    const sum = times.reduce((total, ms) => total + ms, 0);
    const stored = times.length;
    return { stored, meanMs: sum / stored, mostMs: Math.max(...times), rejected };
  } finally {
    restore();
  }
}

test('a missing and a rejected topic leave a healthy one its throughput and its latency', async () => {
  for (let seed = 1; seed <= SEEDS; seed++) {
    const alone = await drive(seed, false);
    const amongOthers = await drive(seed, true);
    const what = `seed ${seed}: ${JSON.stringify({ alone, amongOthers })}`;
    assert(alone.stored > (RUN_MS * ROUND.events) / ROUND.everyMs / 2, what);
    assert(amongOthers.rejected > 0 && alone.rejected === 0, what);
    assert(amongOthers.stored >= 0.98 * alone.stored, what);
    assert(amongOthers.meanMs <= 1.2 * alone.meanMs + 1, what);
    assert(amongOthers.mostMs <= 2 * alone.mostMs + 20, what);
  }
});
