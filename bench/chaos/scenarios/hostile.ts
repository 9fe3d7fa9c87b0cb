import { LOOP_KINDS } from '../../../testing/attack-kinds.ts';
import { AttackProcess } from '../../../testing/attack-process.ts';
import { uniqueTopic } from '../../../testing/kafka.ts';
import { createTopic } from '../../../testing/topic.ts';
import {
  attack,
  type Case,
  casesOf,
  checkClients,
  controlOf,
  measurementsOf,
  problemsOf,
  type Row,
} from '../hostile.ts';
import type { Scenario } from '../scenario.ts';
import type { Setup } from '../setup.ts';
import { PARTITIONS } from '../stage.ts';
import type { World } from '../world.ts';
import { hostileMemory } from './hostile-memory.ts';

/** Bound of the event loop lag of a worker with a dedicated core. */
const LAG_MS_MAX = 100;
const CONNECTIONS = 30;
const PRIMARY_CONNECTIONS = [30, 100, 200];
/** The buffer, input per docs/security.md, 200 messages of 128 KiB, and 100 MiB. */
const RESIDENT_MIB = 64 + 83 + 25 + 100;
/** Retention of the control's topic, which has no consumers. */
const CONTROL_CONFIG = {
  'retention.bytes': '33554432',
  'segment.bytes': '16777216',
  'file.delete.delay.ms': '1000',
};
const KAFKA = {
  'log.retention.check.interval.ms': '1000',
  // Attackers compete with the brokers for cores: late heartbeats are no failures.
  'broker.session.timeout.ms': '9000',
};
/** Overhead of an attack, and of a control until all of its events are stored. */
const AROUND_SECONDS = 3;
const AROUND_CONTROL_SECONDS = 17;

interface Variant {
  readonly name: string;
  readonly summary: string;
  readonly setup: Setup;
  readonly connections: readonly number[];
  /** Each attack is compared with ordinary events. */
  readonly controlled?: boolean;
}

const VARIANTS: readonly Variant[] = [
  {
    name: 'hostile-one',
    summary: 'attacks on the event loop of one worker with a dedicated core',
    setup: { pinned: true },
    connections: PRIMARY_CONNECTIONS,
    controlled: true,
  },
  {
    name: 'hostile-two',
    summary: 'attacks on the event loops of two workers',
    setup: { workers: 2 },
    connections: [CONNECTIONS],
  },
  {
    name: 'hostile-haproxy',
    summary: 'attacks on the event loop through HAProxy',
    setup: { balanced: true, env: { FOREBAY_TRUSTED_PROXIES: '127.0.0.1' } },
    connections: [CONNECTIONS],
  },
  {
    name: 'hostile-tls',
    summary: 'attacks on the event loop with TLS',
    setup: { secure: true },
    connections: [CONNECTIONS],
  },
  {
    name: 'hostile-keys',
    summary: 'attacks on the event loop with API keys',
    setup: { keys: true },
    connections: [CONNECTIONS],
  },
];

/** Returns the group of attack scenarios. @param seconds duration of each attack */
export function hostile(seconds = 20): Scenario[] {
  return [...VARIANTS.map((variant) => scenarioOf(variant, seconds)), hostileMemory(seconds)];
}

function scenarioOf(variant: Variant, seconds: number): Scenario {
  const { name, summary, setup, connections, controlled = false } = variant;
  const cases = casesOf(LOOP_KINDS, connections);
  const controls = controlled ? cases.filter(isControlled).length : 0;
  const attackSeconds = cases.length * (seconds + AROUND_SECONDS);
  const controlSeconds = controls * (seconds + AROUND_CONTROL_SECONDS);
  return {
    name,
    summary: `${summary}, ${seconds} s each`,
    minutes: 1 + Math.ceil((attackSeconds + controlSeconds) / 60),
    setup: { rate: 0.2, kafka: KAFKA, residentMib: RESIDENT_MIB, watchMs: 500, ...setup },
    async run(world) {
      const { endpoint } = world.stage;
      const { ledger } = world.traffic;
      const startAnother = controlled ? await startControl(world) : undefined;
      const workers = String(world.gateway.workers());
      const attackers = new AttackProcess();
      world.after(() => attackers.end());
      const rows: Row[] = [];
      for (const [index, attacking] of cases.entries()) {
        const options = { seconds, name: `hostile-${index}` };
        const result = await attack(world, attackers, endpoint, attacking, { ...options, ledger });
        const row: Row = { attack: attacking, result };
        rows.push(row);
        note(world, row, setup.pinned === true ? LAG_MS_MAX : undefined);
        if (startAnother === undefined || !isControlled(attacking)) continue;
        const bytesPerSecond = result.bytes / result.seconds;
        const control = controlOf(attacking);
        row.control = await attack(world, attackers, startAnother, control, {
          ...options,
          bytesPerSecond,
        });
      }
      world.measurements = measurementsOf(rows);
      world.check(String(world.gateway.workers()) === workers, 'a worker was restarted');
      checkClients(world);
    },
  };
}

/** With more connections only the mix has a control: storing its events takes long. */
function isControlled({ name, connections }: Case): boolean {
  return connections === CONNECTIONS || name === 'mix';
}

/** Starts the same gateway on a topic that stays small. */
async function startControl({ stage }: World) {
  const topic = uniqueTopic('control');
  const configEntries = Object.entries(CONTROL_CONFIG).map(([name, value]) => ({ name, value }));
  const config = { numPartitions: PARTITIONS, replicationFactor: 3, configEntries };
  await createTopic({ brokers: stage.cluster.brokers, topic }, config);
  return stage.startAnother(topic);
}

/** @param lagMsMax bound of the event loop lag */
function note(world: World, row: Row, lagMsMax: number | undefined): void {
  const { name, connections } = row.attack;
  const { lagMs, cpuWaitMs, ws, post, plain } = row.result;
  const clients = [ws, post, plain].map(({ longestMs }) => longestMs.toFixed(0)).join(', ');
  const lag = `${lagMs.toFixed(0)} ms (${cpuWaitMs.toFixed(0)} ms CPU wait)`;
  world.logStep(`${name}, ${connections} connections: lag ${lag}, clients ${clients} ms`);
  const goal = lagMsMax === undefined ? undefined : { most: lagMsMax };
  world.measured('maximum event loop lag', 'ms', lagMs, goal);
  const waits = { 'forebay.v1 client': ws, POST: post, 'plain client (pong)': plain };
  for (const [client, { longestMs }] of Object.entries(waits)) {
    // A client whose first event was rejected has no times.
    if (!Number.isNaN(longestMs)) world.measured(`maximum latency of a ${client}`, 'ms', longestMs);
  }
  for (const problem of problemsOf(row, lagMsMax)) world.check(false, problem);
}
