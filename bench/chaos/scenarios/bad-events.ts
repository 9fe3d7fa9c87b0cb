import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { AttackProcess } from '../../../testing/attack-process.ts';
import type { Gateway } from '../../../testing/gateway.ts';
import type { Metrics } from '../../../testing/metrics.ts';
import { noteOffsets } from '../../../testing/topic.ts';
import { until } from '../../../testing/wait.ts';
import type { Scenario } from '../scenario.ts';
import { measure, type Service } from '../service.ts';
import { PARTITIONS } from '../stage.ts';
import { type StreamSetup, topicOf } from '../streams.ts';
import type { World } from '../world.ts';

const CONNECTIONS = 30;
const WARM_UP_MS = 5_000;
/** Time until the flood has filled its sockets and queues. */
const RISE_MS = 3_000;
const GOODPUT_PERCENT_MIN = 90;
/** Share of the time in which a worker is runnable, from which on its CPU limits it. */
const BUSY_PERCENT_MIN = 90;
const SETTLE_MS = 90_000;
const REJECTED = 'rejected';
/** Streams of the flood, in the order of the measurements. */
const FLOODED = [
  { name: 'uncopied', what: 'without dead letters' },
  { name: 'copied', what: 'with dead letters' },
] as const;
const SCHEMA = { type: 'object', required: ['msg'], properties: { msg: { type: 'string' } } };
/** The buffer, input per docs/security.md, and 100 MiB. */
const RESIDENT_MIB = 64 + 83 + 100;

function streamOf(name: string, more: Partial<StreamSetup> = {}): StreamSetup {
  const replicas = [
    [1, 2, 3],
    [2, 3, 1],
    [3, 1, 2],
  ];
  const place = Array.from({ length: PARTITIONS }, (_, at) => replicas[at % replicas.length]!);
  return { name, required: name === 'default', replicas: place, minInSync: 2, ...more };
}

/**
 * A flood of events that violate a schema, as fast as the gateway reads it, next to the load. The
 * flood itself competes with the load for the only worker, so the service of the load during the
 * flood with dead letters is compared with that without a flood; the flood without dead letters is
 * shown for comparison.
 * @param seconds of each measurement
 */
export function badEvents(seconds = 20): Scenario {
  return {
    name: 'bad-events',
    summary: `a flood of events that violate the schema, at the CPU limit of the worker, first on \
a stream without and then on one with dead letters; the stream of the load goes on`,
    minutes: 2,
    setup: {
      streams: [
        streamOf('default'),
        streamOf('uncopied', { schema: SCHEMA }),
        streamOf('copied', { schema: SCHEMA, deadLetter: REJECTED }),
        streamOf(REJECTED, { internal: true }),
      ],
      headers: true,
      rate: 0.2,
      residentMib: RESIDENT_MIB,
      watchMs: 500,
    },
    async run(world) {
      const attackers = new AttackProcess();
      world.after(() => attackers.end());
      await sleep(WARM_UP_MS);
      const calm = await measure(world, seconds);
      world.logStep('measured without a flood');
      const rows = [['none', ...cellsOf(calm, calm), '–', '–', '–']];
      for (const { name, what } of FLOODED) {
        const flood = await measureFlood(world, attackers, name, seconds);
        rows.push([what, ...cellsOf(flood.service, calm), ...figuresOf(flood)]);
        const percent = percentOf(flood.service, calm);
        const goal = name === 'copied' ? { least: GOODPUT_PERCENT_MIN } : undefined;
        world.measured(`goodput during the flood ${what}`, '%', percent, goal);
        world.logStep(`flood ${what}: ${percent.toFixed(1)}% of the goodput without`);
        world.check(
          flood.busyPercent >= BUSY_PERCENT_MIN,
          `the flood ${what} left the worker idle: runnable ${flood.busyPercent.toFixed(0)}%`,
        );
        world.check(
          goal === undefined || percent >= goal.least,
          `flood ${what}: ${percent.toFixed(1)}% of the goodput without a flood`,
        );
      }
      world.measurements = {
        legend: `Service of the stream of the load, by the flood on another stream. Copies: dead \
letters written, and dropped because their rate or share of the buffer was used up.`,
        head: [
          ...['flood', 'events/s', 'of that without', 'p99, ms'],
          ...['bad events/s', 'worker runnable', 'copies/s'],
        ],
        rows,
      };
      await checkCopies(world);
    },
  };
}

interface Flood {
  readonly service: Service;
  readonly badPerSecond: number;
  readonly copiesPerSecond: number;
  /** Share of the time in which the worker ran or waited for a core. */
  readonly busyPercent: number;
}

async function measureFlood(
  world: World,
  attackers: AttackProcess,
  stream: string,
  seconds: number,
): Promise<Flood> {
  const { gateway } = world;
  const port = Number(new URL(gateway.httpUrl).port);
  await attackers.start({ port, kinds: ['invalid'], connections: CONNECTIONS, stream });
  await sleep(RISE_MS);
  const [before, beforeMs, runnableMs] = [
    await gateway.metrics(),
    performance.now(),
    runnableMsOf(gateway),
  ];
  const service = await measure(world, seconds);
  const after = await gateway.metrics();
  const passedMs = performance.now() - beforeMs;
  const busyPercent = (100 * (runnableMsOf(gateway) - runnableMs)) / passedMs;
  await attackers.stop();
  const perSecond = (counted: (metrics: Metrics) => number) =>
    (1_000 * (counted(after) - counted(before))) / passedMs;
  return {
    service,
    busyPercent,
    badPerSecond: perSecond((metrics) => rejectedOf(metrics, stream)),
    copiesPerSecond: perSecond((metrics) => copiesOf(metrics, 'written')),
  };
}

function rejectedOf(metrics: Metrics, stream: string): number {
  return metrics.value('forebay_events_refused_total', { stream, reason: 'schema' });
}

function copiesOf(metrics: Metrics, result: 'written' | 'dropped' | 'lost'): number {
  return metrics.value('forebay_dead_letters_total', { result });
}

/** Returns the time that the main threads of workers ran, or were runnable without a core, ms. */
function runnableMsOf(gateway: Gateway): number {
  let nanoseconds = 0;
  for (const pid of gateway.workers()) {
    const text = readFileSync(`/proc/${pid}/task/${pid}/schedstat`, 'utf8');
    const [ran, waited] = text.split(' ').map(Number);
    nanoseconds += ran! + waited!;
  }
  return nanoseconds / 1e6;
}

/** Checks that every dead letter has a result, and that those written are in the topic. */
async function checkCopies(world: World): Promise<void> {
  const { gateway, stage } = world;
  let metrics = await gateway.metrics();
  const inFlight = () => metrics.value('forebay_dead_letters_in_flight');
  const isAtRest = async () => {
    const rejected = rejectedOf(metrics, 'copied');
    metrics = await gateway.metrics();
    return inFlight() === 0 && rejectedOf(metrics, 'copied') === rejected;
  };
  const what = () => `the results of ${inFlight()} dead letters`;
  await until(isAtRest, { deadlineMs: SETTLE_MS, everyMs: 2_000, what });
  const attempted = metrics.value('forebay_dead_letters_attempted_total');
  const [written, dropped, lost] = (['written', 'dropped', 'lost'] as const).map((result) =>
    copiesOf(metrics, result),
  ) as [number, number, number];
  const bad = rejectedOf(metrics, 'copied');
  const figures = `${attempted} attempted, ${written} written, ${dropped} dropped, ${lost} lost`;
  world.logStep(`dead letters of ${bad} bad events: ${figures}`);
  world.check(attempted === bad, `${attempted} dead letters of ${bad} bad events`);
  world.check(attempted === written + dropped + lost, `dead letters without a result: ${figures}`);
  world.check(written > 0 && dropped > 0, `the flood did not reach the bounds: ${figures}`);
  world.measured('dead letters written', '', written);
  const place = { brokers: stage.cluster.brokers, topic: topicOf(stage.topic, REJECTED) };
  const offsets = [...(await noteOffsets(place)).values()];
  const stored = Number(offsets.reduce((sum, end) => sum + end, 0n));
  world.check(
    stored >= written && stored <= written + lost,
    `${stored} records in the topic of ${written} written and ${lost} lost dead letters`,
  );
}

function percentOf(service: Service, calm: Service): number {
  return (100 * service.eventsPerSecond) / calm.eventsPerSecond;
}

function cellsOf(service: Service, calm: Service): string[] {
  const { eventsPerSecond, p99Ms } = service;
  return [eventsPerSecond.toFixed(0), `${percentOf(service, calm).toFixed(1)}%`, p99Ms.toFixed(1)];
}

function figuresOf({ badPerSecond, busyPercent, copiesPerSecond }: Flood): string[] {
  return [badPerSecond.toFixed(0), `${busyPercent.toFixed(0)}%`, copiesPerSecond.toFixed(0)];
}
