import { setTimeout as sleep } from 'node:timers/promises';
import kafkajs from 'kafkajs';
import type { EventCode } from '../../../src/common/errors.ts';
import { MIB } from '../../../src/config/limits.ts';
import { HttpSource } from '../../../testing/http-source.ts';
import { describeReconciliation, Ledger } from '../../../testing/ledger.ts';
import {
  acknowledgedClients,
  allSettled,
  closeAll,
  Load,
  recordsOf,
} from '../../../testing/load.ts';
import { freshMetrics } from '../../../testing/stage.ts';
import { testKafka } from '../../../testing/topic.ts';
import { until } from '../../../testing/wait.ts';
import { readyz } from '../../../testing/watch.ts';
import { killBroker } from '../faults.ts';
import type { Scenario } from '../scenario.ts';
import { measure, type Service } from '../service.ts';
import { GATEWAY_USER, PARTITIONS } from '../stage.ts';
import { type StreamSetup, topicOf } from '../streams.ts';
import type { World } from '../world.ts';

/** The broker that ends. */
const LOST = 3;
const BUFFER_BYTES = 8 * MIB;
const WARM_UP_MS = 5_000;
const FULL_WITHIN_MS = 60_000;
/** Time without an acknowledgement after which a topic counts as stuck. */
const IDLE_MS = 2_000;
const SETTLE_MS = 90_000;
/**
 * Load of each stream that becomes stuck. Clients that obey their credit do not fill its share of
 * the buffer; bodies do, within seconds.
 */
const WS_LOAD = { clients: 4, eventsPerSecond: 100, eventsPerFrame: 5, msgBytes: 800 };
const HTTP_LOAD = { eventsPerSecond: 100, eventsPerFrame: 4, msgBytes: 4_000 };
/**
 * Open bodies of the first such stream: a few more than its share holds, since the rest is sent
 * again every second. The next shares halve.
 */
const BODIES = 60;
const THROUGHPUT_PERCENT_MIN = 90;
const P99_RATIO_MAX = 2;

/** A stream, the fault that its topic suffers, and the end of the fault. */
interface Stuck {
  readonly name: string;
  readonly what: string;
  begin(world: World): Promise<unknown>;
  end(world: World): Promise<unknown>;
}

/** The administration of kafkajs fails while a topic has no leader: this fault comes last. */
const STUCK: readonly Stuck[] = [
  deniedBy('denied', 'a topic whose writes an ACL denies', 'WRITE'),
  deniedBy('hidden', 'a topic that an ACL hides', 'ALL'),
  {
    name: 'leaderless',
    what: 'a topic without leaders',
    begin: (world) => killBroker(world, LOST - 1),
    end: (world) => world.stage.cluster.restart(LOST - 1),
  },
];

/** A topic on the brokers that survive. */
const SURVIVING = [
  [1, 2],
  [2, 1],
] as const;

function streamOf(name: string, required: boolean, replicas: StreamSetup['replicas'] = SURVIVING) {
  const place = Array.from({ length: PARTITIONS }, (_, at) => replicas[at % replicas.length]!);
  return { name, required, replicas: place, minInSync: Math.min(2, place[0]!.length) };
}

const STREAMS: readonly StreamSetup[] = [
  streamOf('default', true),
  ...STUCK.map(({ name }) => streamOf(name, false, name === 'leaderless' ? [[LOST]] : SURVIVING)),
];

/** @param seconds of each measurement */
export function oneTopicStuck(seconds = 20): Scenario {
  return {
    name: 'one-topic-stuck',
    summary: `one, two and three streams whose topics Kafka does not accept writes for (denied \
by an ACL, hidden by one, without leaders); the stream of the load goes on`,
    minutes: 3,
    setup: {
      streams: STREAMS,
      headers: true,
      rate: 0.5,
      env: { FOREBAY_BUFFER_BYTES: String(BUFFER_BYTES) },
      acls: true,
    },
    async run(world) {
      const loads = await Promise.all(
        STUCK.map(({ name }, index) => StreamLoad.start(world, name, BODIES / 2 ** index)),
      );
      await sleep(WARM_UP_MS);
      const before = await measure(world, seconds);
      world.logStep('measured without faults');
      const rows = [rowOf('none', before, before)];
      for (const [index, { name, what, begin }] of STUCK.entries()) {
        await world.inject(() => begin(world));
        world.logStep(what);
        await loads[index]!.untilFull();
        world.logStep(`the buffer share of ${name} is full`);
        const stuck = loads.slice(0, index + 1);
        const storedBefore = await storedByStream(world, stuck);
        const service = await measure(world, seconds);
        const storedAfter = await storedByStream(world, stuck);
        for (const [at, { name: other }] of stuck.entries()) {
          const stored = storedAfter[at]! - storedBefore[at]!;
          world.check(stored === 0, `${stored} events of ${other} stored during its fault`);
        }
        report(world, index + 1, service, before);
        rows.push(rowOf(String(index + 1), service, before));
        for (const { status, reasons } of await readyz(world.gateway)) {
          world.check(status === 200, `not ready with ${index + 1} stuck streams: ${reasons}`);
        }
      }
      world.measurements = {
        legend: 'Service of the stream of the load, by the number of other streams that are stuck:',
        head: ['stuck', 'events/s', 'of that without', 'p99, ms', 'times that without'],
        rows,
      };
      for (const { name, end } of [...STUCK].reverse()) {
        await end(world);
        world.logStep(`the fault of ${name} ended`);
      }
      await Promise.all(loads.map((load) => load.recovers(world)));
      for (const load of loads) await load.settle(world);
    },
  };
}

function report(world: World, stuck: number, service: Service, before: Service): void {
  const percent = (100 * service.eventsPerSecond) / before.eventsPerSecond;
  const ratio = service.p99Ms / before.p99Ms;
  const suffix = `with ${stuck} stuck, of that without`;
  world.measured(`throughput ${suffix}`, '%', percent, { least: THROUGHPUT_PERCENT_MIN });
  world.measured(`p99 ${suffix}`, '×', ratio, { most: P99_RATIO_MAX });
  const figures = `${percent.toFixed(1)}% of the throughput, ${ratio.toFixed(2)} times the p99`;
  world.logStep(`${stuck} stuck: ${figures}`);
  world.check(
    percent >= THROUGHPUT_PERCENT_MIN && ratio <= P99_RATIO_MAX,
    `with ${stuck} stuck streams: ${figures} of the stream of the load`,
  );
}

/**
 * Returns the events that Kafka has stored by stream, as the workers count them. The answer to a
 * body may acknowledge them only later, when the others in it time out.
 */
async function storedByStream({ gateway }: World, loads: readonly StreamLoad[]): Promise<number[]> {
  const metrics = await freshMetrics(gateway);
  return loads.map(({ name: stream }) => {
    const late = metrics.value('forebay_events_stored_late_total', { stream });
    return metrics.value('forebay_events_stored_total', { stream }) + late;
  });
}

function rowOf(stuck: string, service: Service, before: Service): string[] {
  return [
    stuck,
    service.eventsPerSecond.toFixed(0),
    `${((100 * service.eventsPerSecond) / before.eventsPerSecond).toFixed(1)}%`,
    service.p99Ms.toFixed(1),
    (service.p99Ms / before.p99Ms).toFixed(2),
  ];
}

/** Ledger of a stream that becomes stuck. */
class StreamLedger extends Ledger {
  acknowledgedEvents = 0;
  #acknowledgedMs = 0;
  /** Events rejected since the share of the stream was full. */
  fullEvents = 0;

  override acknowledged(id: string, attempt?: number): void {
    super.acknowledged(id, attempt);
    this.acknowledgedEvents++;
    this.#acknowledgedMs = performance.now();
  }

  /** Time since the last acknowledgement. */
  get idleMs(): number {
    return performance.now() - this.#acknowledgedMs;
  }

  override refused(id: string, code: EventCode, attempt?: number): void {
    super.refused(id, code, attempt);
    if (code === 'buffer_full') this.fullEvents++;
  }
}

type AcknowledgedClients = Awaited<ReturnType<typeof acknowledgedClients>>;

/** Load of a stream that becomes stuck: clients that retry what was rejected. */
class StreamLoad {
  readonly name: string;
  readonly ledger: StreamLedger;
  readonly #clients: AcknowledgedClients;
  readonly #http: HttpSource;
  readonly #loads: readonly Load[];

  private constructor(
    world: World,
    name: string,
    ledger: StreamLedger,
    clients: AcknowledgedClients,
    openMax: number,
  ) {
    this.name = name;
    this.ledger = ledger;
    this.#clients = clients;
    const { httpUrl: url } = world.stage.endpoint;
    this.#http = new HttpSource(world, { url, ledger, openMax, stream: name });
    this.#loads = [
      new Load(world, clients, { ...WS_LOAD, prefix: `${name}-a-` }),
      new Load(world, [this.#http], { ...HTTP_LOAD, prefix: `${name}-h-` }),
    ];
  }

  /** @param openMax maximum number of bodies without a response */
  static async start(world: World, name: string, openMax: number): Promise<StreamLoad> {
    const ledger = new StreamLedger({ hasMarks: true });
    const url = `${world.stage.endpoint.wsUrl}/${name}`;
    const options = { name, url, ledger, reconnect: true, retryRefused: true };
    const clients = await acknowledgedClients(world, WS_LOAD.clients, options);
    return new StreamLoad(world, name, ledger, clients, openMax);
  }

  /** Waits until no event of the stream is stored any more, and further ones find no room. */
  async untilFull(): Promise<void> {
    const before = this.ledger.fullEvents;
    const what = `a full buffer share of ${this.name}`;
    await until(() => this.ledger.fullEvents > before, { deadlineMs: FULL_WITHIN_MS, what });
    await until(() => this.ledger.idleMs > IDLE_MS, { deadlineMs: FULL_WITHIN_MS, what });
  }

  /** Waits until events of the stream are stored again. */
  async recovers(world: World): Promise<void> {
    const before = this.ledger.acknowledgedEvents;
    const what = `an acknowledgement of ${this.name}`;
    await until(() => this.ledger.acknowledgedEvents > before, { deadlineMs: SETTLE_MS, what });
    world.logStep(`events of ${this.name} are stored again`);
  }

  /** Ends the load, and compares the ledger with the topic. */
  async settle(world: World): Promise<void> {
    await Promise.all(this.#loads.map((load) => load.stop()));
    await allSettled(this.#clients, SETTLE_MS);
    await this.#http.settled(SETTLE_MS);
    await closeAll(this.#clients);
    const { cluster, topic } = world.stage;
    const place = { brokers: cluster.brokers, topic: topicOf(topic, this.name) };
    const verdict = this.ledger.reconcile(await recordsOf(place));
    const [figures, ...problems] = describeReconciliation(verdict);
    world.logStep(`${this.name}: ${figures}`);
    world.check(verdict.clean, `${this.name}: ${problems.join('; ')}`);
  }
}

type Admin = ReturnType<ReturnType<typeof testKafka>['admin']>;

async function withAdmin<T>({ stage }: World, use: (admin: Admin) => Promise<T>): Promise<T> {
  const admin = testKafka(stage.cluster.brokers).admin();
  await admin.connect();
  try {
    return await use(admin);
  } finally {
    await admin.disconnect();
  }
}

/** Returns the denial of an operation on the topic of a stream; everything else is allowed. */
function deniedBy(name: string, what: string, operation: 'WRITE' | 'ALL'): Stuck {
  const { AclResourceTypes, ResourcePatternTypes, AclPermissionTypes, AclOperationTypes } = kafkajs;
  const rulesOf = ({ stage }: World) => {
    const rule = {
      resourceType: AclResourceTypes.TOPIC,
      resourceName: topicOf(stage.topic, name),
      resourcePatternType: ResourcePatternTypes.LITERAL,
      principal: `User:${GATEWAY_USER}`,
      host: '*',
    };
    return [
      { ...rule, operation: AclOperationTypes.ALL, permissionType: AclPermissionTypes.ALLOW },
      { ...rule, operation: AclOperationTypes[operation], permissionType: AclPermissionTypes.DENY },
    ];
  };
  return {
    name,
    what,
    begin: (world) => withAdmin(world, (admin) => admin.createAcls({ acl: rulesOf(world) })),
    end: (world) => withAdmin(world, (admin) => admin.deleteAcls({ filters: rulesOf(world) })),
  };
}
