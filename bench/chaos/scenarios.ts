/** All scenarios, in the order of the report. */
import type { Scenario } from './scenario.ts';
import { answersDropped } from './scenarios/answers-dropped.ts';
import { badEvents } from './scenarios/bad-events.ts';
import { brokerSigkill } from './scenarios/broker-sigkill.ts';
import { brokerSigstop } from './scenarios/broker-sigstop.ts';
import { brokersGone } from './scenarios/brokers-gone.ts';
import { clock } from './scenarios/clock.ts';
import { descriptors } from './scenarios/descriptors.ts';
import { hostile } from './scenarios/hostile.ts';
import { idleConnections } from './scenarios/idle-connections.ts';
import { leadersMoved } from './scenarios/leaders-moved.ts';
import { logFull } from './scenarios/log-full.ts';
import { namesLost } from './scenarios/names-lost.ts';
import { narrowLink } from './scenarios/narrow-link.ts';
import { oneTopicStuck } from './scenarios/one-topic-stuck.ts';
import { partitionsAdded } from './scenarios/partitions-added.ts';
import { primarySigkill } from './scenarios/primary-sigkill.ts';
import { quota } from './scenarios/quota.ts';
import { resets } from './scenarios/resets.ts';
import { rollingRestarts } from './scenarios/rolling-restarts.ts';
import { sighup } from './scenarios/sighup.ts';
import { slowRoundTrip } from './scenarios/slow-round-trip.ts';
import { smallHeap } from './scenarios/small-heap.ts';
import { soak } from './scenarios/soak.ts';
import { topicDeleted } from './scenarios/topic-deleted.ts';
import { workerSigkill } from './scenarios/worker-sigkill.ts';
import { workerSigstop } from './scenarios/worker-sigstop.ts';

export const SCENARIOS: readonly Scenario[] = [
  brokerSigkill(),
  brokerSigstop(),
  brokersGone(),
  leadersMoved(),
  answersDropped(),
  slowRoundTrip,
  narrowLink,
  resets(),
  quota,
  topicDeleted(),
  partitionsAdded,
  oneTopicStuck(),
  badEvents(),
  workerSigkill(),
  workerSigstop,
  primarySigkill(),
  sighup(),
  rollingRestarts(),
  idleConnections,
  descriptors,
  logFull,
  clock,
  namesLost(),
  smallHeap,
];

export { hostile, soak };
