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
  flawsOf,
  measurementsOf,
  type Row,
} from '../hostile.ts';
import type { Scenario } from '../scenario.ts';
import type { Setup } from '../setup.ts';
import { PARTITIONS } from '../stage.ts';
import type { World } from '../world.ts';
import { hostileMemory } from './hostile-memory.ts';

/** The longest turn of a worker with a core of its own. */
const TURN_MS_MAX = 100;
const CONNECTIONS = 30;
const PRIMARY_CONNECTIONS = [30, 100, 200];
/** The buffer, input as docs/security.md adds it up, 200 messages of 128 KiB, and 100 MiB. */
const RESIDENT_MIB = 64 + 83 + 25 + 100;
/** Retention of the topic of the control, which no consumer reads. */
const CONTROL_CONFIG = {
  'retention.bytes': '33554432',
  'segment.bytes': '16777216',
  'file.delete.delay.ms': '1000',
};
const KAFKA = {
  'log.retention.check.interval.ms': '1000',
  // Attackers take the core of the brokers: those that are late are not dead.
  'broker.session.timeout.ms': '9000',
};
/** What an attack takes besides its time, and a control, until what it has sent is stored. */
const AROUND_SECONDS = 3;
const AROUND_CONTROL_SECONDS = 17;

interface Way {
  readonly name: string;
  readonly summary: string;
  readonly setup: Setup;
  readonly connections: readonly number[];
  /** Attacks are held against ordinary events. */
  readonly controlled?: boolean;
}

const WAYS: readonly Way[] = [
  {
    name: 'hostile-one',
    summary: 'attacks on the event loop of one worker on a core of its own',
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

/** The group of scenarios that attack. @param seconds of each attack */
export function hostile(seconds = 20): Scenario[] {
  return [...WAYS.map((way) => scenarioOf(way, seconds)), hostileMemory(seconds)];
}

function scenarioOf(way: Way, seconds: number): Scenario {
  const { name, summary, setup, connections, controlled = false } = way;
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
      const { door } = world.stage;
      const { ledger } = world.traffic;
      const aside = controlled ? await startControl(world) : undefined;
      const workers = String(world.gateway.workers());
      const attackers = new AttackProcess();
      world.after(() => attackers.end());
      const rows: Row[] = [];
      for (const [index, attacking] of cases.entries()) {
        const orders = { seconds, name: `hostile-${index}` };
        const attacked = await attack(world, attackers, door, attacking, { ...orders, ledger });
        const row: Row = { attack: attacking, attacked };
        rows.push(row);
        note(world, row, setup.pinned === true ? TURN_MS_MAX : undefined);
        if (aside === undefined || !isControlled(attacking)) continue;
        const bytesPerSecond = attacked.bytes / attacked.seconds;
        const control = controlOf(attacking);
        row.control = await attack(world, attackers, aside, control, { ...orders, bytesPerSecond });
      }
      world.measurements = measurementsOf(rows);
      world.check(String(world.gateway.workers()) === workers, 'a worker was started again');
      checkClients(world);
    },
  };
}

/** Of more connections the mix alone is: to take in what the control has sent takes long. */
function isControlled({ name, connections }: Case): boolean {
  return connections === CONNECTIONS || name === 'mix';
}

/** The same gateway on a topic that stays small. */
async function startControl({ stage }: World) {
  const topic = uniqueTopic('control');
  const configEntries = Object.entries(CONTROL_CONFIG).map(([name, value]) => ({ name, value }));
  const config = { numPartitions: PARTITIONS, replicationFactor: 3, configEntries };
  await createTopic({ brokers: stage.cluster.brokers, topic }, config);
  return stage.aside(topic);
}

/** @param turnMsMax what a turn may take */
function note(world: World, row: Row, turnMsMax: number | undefined): void {
  const { name, connections } = row.attack;
  const { turnMs, corelessMs, ws, post, plain } = row.attacked;
  const clients = [ws, post, plain].map(({ longestMs }) => longestMs.toFixed(0)).join(', ');
  const turn = `${turnMs.toFixed(0)} ms (${corelessMs.toFixed(0)} ms without a core)`;
  world.did(`${name}, ${connections} connections: turn ${turn}, clients ${clients} ms`);
  const goal = turnMsMax === undefined ? undefined : { most: turnMsMax };
  world.measured('longest turn of the event loop', 'ms', turnMs, goal);
  const waits = { 'forebay.v1 client': ws, POST: post, 'plain client for a pong': plain };
  for (const [who, { longestMs }] of Object.entries(waits)) {
    // One that was refused its first event has no times.
    if (!Number.isNaN(longestMs)) world.measured(`longest wait of a ${who}`, 'ms', longestMs);
  }
  for (const flaw of flawsOf(row, turnMsMax)) world.check(false, flaw);
}
