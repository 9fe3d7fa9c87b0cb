/** Disasters of brokers, partitions, clients and the process in the first part of a history. */

import type { SeededRandom } from '../../testing/random.ts';
import type { Broker } from './broker.ts';
import type { Client } from './client-world.ts';
import type { VirtualClock } from './clock.ts';
import type { Cluster } from './cluster.ts';
import type { Faults, Windows } from './faults.ts';
import type { Report } from './report.ts';
import type { SimLink } from './sim-link.ts';

export interface DisasterWorld {
  readonly clock: VirtualClock;
  readonly random: SeededRandom;
  readonly faults: Faults;
  readonly cluster: Cluster;
  readonly report: Report;
  /** Number of times the topic is deleted and recreated. */
  readonly recreations: number;
  readonly links: ReadonlySet<SimLink>;
  readonly clients: readonly Client[];
  readonly note: (line: () => string) => void;
  /** The event loop stalled for `ms`. */
  stalled(ms: number): void;
}

type Disaster = (world: DisasterWorld, ms: number) => void;

/** Opens a window of {@link Faults} for a while. */
function window(opened: (world: DisasterWorld) => Windows): Disaster {
  return (world, ms) => {
    const { faults, clock, note } = world;
    const change = opened(world);
    const { stuck, ...others } = change;
    const what = JSON.stringify({ ...others, stuck: stuck && [...stuck] });
    note(() => `for ${Math.round(ms)} ms: ${what}`);
    Object.assign(faults.windows, change);
    clock.after(ms, () => {
      for (const name of Object.keys(change)) delete faults.windows[name as keyof Windows];
    });
  };
}

const moveLeader: Disaster = ({ cluster, random }) =>
  cluster.moveLeader(random.pick(cluster.allPartitions));

/** One or more of several topics accept no writes; another one does. */
const stickTopics = window(({ cluster, random }) => {
  const topics = random.shuffled([cluster.topic, ...cluster.others.keys()]);
  const stuck = topics.slice(1).filter((_, index) => index === 0 || random.chance(0.5));
  return {
    stuck: new Map(stuck.map((name) => [name, random.pick(['leaderless', 'denied'] as const)])),
  };
});

type Stop = 'killed' | 'paused';

function stop(world: DisasterWorld, broker: Broker, how: Stop, ms: number): void {
  const { cluster, clock, faults, report, note } = world;
  if (broker.health !== 'up') return;
  note(() => `broker ${broker.id} is ${how} for ${Math.round(ms)} ms`);
  report.count(`broker ${how}`);
  if (how === 'killed') broker.die();
  else broker.pause();
  clock.after(faults.sessionMs(), () => cluster.expireSession(broker));
  clock.after(ms, () => {
    if (broker.health === 'up') return;
    note(() => `broker ${broker.id} is back`);
    broker.resume();
    cluster.welcome(broker);
  });
}

const stopBroker =
  (how: Stop): Disaster =>
  (world, ms) =>
    stop(world, world.random.pick([...world.cluster.brokers.values()]), how, ms);

const outage: Disaster = (world, ms) => {
  const how = world.random.pick(['killed', 'paused'] as const);
  for (const broker of world.cluster.brokers.values()) stop(world, broker, how, ms);
};

const shrinkIsr: Disaster = ({ cluster, random, clock, report }, ms) => {
  const partition = random.pick(cluster.allPartitions);
  report.count('ISR shrunk');
  cluster.shrinkIsr(partition, true);
  clock.after(ms, () => cluster.shrinkIsr(partition, false));
};

const recreateTopic: Disaster = ({ cluster, random, report }) => {
  const [before, count] = [cluster.partitions.length, random.int(1, 6)];
  const how = count < before ? 'fewer' : count > before ? 'more' : 'equal';
  report.count(`topic recreated with ${how} partitions`);
  cluster.recreate(count, random.chance(0.5) ? 0 : random.log(10, 2_000));
};

const cutLink: Disaster = ({ links, random }) => {
  if (links.size > 0) random.pick([...links]).end('connection');
};

const cutClient: Disaster = ({ clients, random }) => random.pick(clients).cut();

const stall: Disaster = ({ random, stalled }) => stalled(random.log(20, 2_500));

const slowReplication = window(({ random, report }) => {
  report.count('slow replication');
  return { replicationMs: random.log(50, 2_500) };
});

/** Disasters with their weights. */
const DISASTERS: readonly (readonly [number, Disaster])[] = [
  [4, moveLeader],
  [2, stopBroker('killed')],
  [2, stopBroker('paused')],
  [2, outage],
  [1, shrinkIsr],
  [2, cutLink],
  [5, cutClient],
  [1, stall],
  [1, slowReplication],
  [2, window(() => ({ policy: true }))],
  [3, stickTopics],
  [3, window(({ random }) => ({ maxBatchBytes: Math.round(random.log(150, 2_000)) }))],
  [2, window(({ random }) => ({ maxAgeMs: random.log(20, 1_000) }))],
  [1, window(({ random }) => ({ throttleMs: random.log(20, 5_000) }))],
  [1, window(() => ({ topicMissing: true }))],
  [1, window(() => ({ leadersHidden: true }))],
  [1, window(() => ({ producerIds: true }))],
  [1, window(({ random }) => ({ newsMs: random.log(50, 3_000) }))],
  [1, window(({ random }) => ({ lineMs: random.log(10, 900) }))],
];
const WEIGHTED = DISASTERS.flatMap(([weight, disaster]) =>
  Array.from({ length: weight }, () => disaster),
);

/** Schedules `count` disasters and the recreations of the topic within `untilMs`. */
export function planDisasters(world: DisasterWorld, count: number, untilMs: number): void {
  const { random, clock } = world;
  for (let left = world.recreations; left > 0; left--) {
    clock.after(random.between(0, untilMs), () => recreateTopic(world, 0));
  }
  for (let index = 0; index < count; index++) {
    const atMs = random.chance(0.15) ? 0 : random.between(0, untilMs);
    const lastsMs = random.log(100, 6_000);
    const disaster = random.pick(WEIGHTED);
    clock.after(atMs, () => disaster(world, Math.min(lastsMs, untilMs - atMs)));
  }
}

/** Ends all disasters: every broker runs and knows the cluster's state. */
export function endDisasters({ faults, cluster }: DisasterWorld): void {
  faults.end();
  for (const partition of cluster.allPartitions) cluster.shrinkIsr(partition, false);
  for (const broker of cluster.brokers.values()) {
    broker.resume();
    cluster.welcome(broker);
  }
}
