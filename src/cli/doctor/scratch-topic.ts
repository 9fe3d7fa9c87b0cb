/**
 * Records of each codec in a scratch topic, and the clocks of the brokers. Invariant: a topic that
 * a run creates is announced before and deleted after; if that fails, it is named, and the next run
 * uses it. A topic that existed before is never deleted.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Admin } from 'kafkajs';
import { complain } from '../../common/errors.ts';
import type { Config } from '../../config/config.ts';
import { CODECS, type CodecName, loadCodec } from '../../kafka/compression/codecs.ts';
import type { ProducerStamp } from '../../worker/accumulator/records.ts';
import { adminFailure } from '../../worker/producer/admin-failure.ts';
import {
  errorName,
  NOT_LEADER_OR_FOLLOWER,
  UNKNOWN_TOPIC_OR_PARTITION,
} from '../../worker/producer/error-table.ts';
import { decodeMetadata } from '../../worker/producer/kafkajs.ts';
import { type Link, LinkError } from '../../worker/producer/link.ts';
import { METADATA, metadataBody } from '../../worker/producer/protocol.ts';
import { withRetries } from './admin-retries.ts';
import { clockResult } from './clock.ts';
import type { ReachedCluster } from './cluster.ts';
import { DOCTOR_LIMITS, DOCTOR_TIMEOUTS } from './limits.ts';
import { oneRecord, produceOne, type StoredAnswer } from './probe-records.ts';
import type { Report, Section } from './report.ts';

export const SCRATCH_STEPS = ['create', 'records', 'clock', 'delete'];
/** Always the same: without the right to delete it, one topic remains instead of one per run. */
export const SCRATCH_TOPIC = 'forebay-doctor';

/** Means of the checks. */
export interface ScratchAccess {
  readonly cluster: ReachedCluster;
  readonly admin: Admin;
  readonly stamp: ProducerStamp;
  /** Aborted = the run ends early: only the topic is deleted. */
  readonly signal: AbortSignal;
}

interface ScratchTopic {
  readonly name: string;
  readonly leaders: readonly Leader[];
}

/** A partition, and the connection to its leader. */
interface Leader {
  readonly partition: number;
  readonly brokerId: number;
  readonly link: Link | undefined;
}

/** @param named existing topic to use; undefined = {@link SCRATCH_TOPIC} */
export async function checkScratchTopic(
  config: Config,
  named: string | undefined,
  access: ScratchAccess,
  report: Report,
): Promise<void> {
  const name = named ?? SCRATCH_TOPIC;
  const section = report.section(`scratch topic ${name}`);
  const found = await describe(name, access);
  if (found === MISSING && named === undefined) {
    return withNewTopic(name, access, section, (topic) =>
      sendRecords(config, topic, access, section),
    );
  }
  if (typeof found === 'string') {
    if (named === undefined) section.skip(['create'], `it ${found}; ${NAME_ONE}`);
    else section.fail('create', `it ${found}`, 'create it, or name another topic with --scratch');
    return section.skip(SCRATCH_STEPS.slice(1), 'there is no scratch topic');
  }
  section.ok('create', 'exists; each run adds a record per codec and broker');
  await sendRecords(config, found, access, section);
  section.skip(['delete'], 'the topic existed before');
}

/** Answers of a broker that has not learned yet of a new partition. */
const UNKNOWN_TO_BROKER: ReadonlySet<number> = new Set([
  UNKNOWN_TOPIC_OR_PARTITION,
  NOT_LEADER_OR_FOLLOWER,
]);
const MISSING = 'does not exist';
const NAME_ONE = '--scratch TOPIC names a topic that may be written to';

/** Runs `use` with a new topic, and deletes it. */
async function withNewTopic(
  name: string,
  access: ScratchAccess,
  section: Section,
  use: (topic: ScratchTopic) => Promise<void>,
): Promise<void> {
  const { admin, cluster } = access;
  const numPartitions = Math.min(cluster.brokerCount, DOCTOR_LIMITS.scratchPartitions);
  const configEntries = [{ name: 'message.timestamp.type', value: 'LogAppendTime' }];
  complain(`creating the topic ${name}, which is deleted at the end`);
  try {
    const topics = [{ topic: name, numPartitions, replicationFactor: -1, configEntries }];
    if (!(await admin.createTopics({ topics, waitForLeaders: false }))) {
      return section.skip(SCRATCH_STEPS, 'another run has just created it');
    }
  } catch (error) {
    const { hint, error: message, isConnection } = adminFailure(error);
    const skipped = SCRATCH_STEPS.slice(1);
    if (/AUTHORIZATION/.test(hint)) {
      section.skip(['create'], `not authorized to create topics (${hint})`);
      return section.skip(skipped, NAME_ONE);
    }
    section.warn('create', `${hint}: ${message}`, NAME_ONE);
    section.skip(['records', 'clock'], 'there is no scratch topic');
    // Without an answer it may exist.
    return isConnection ? deleteTopic(name, admin, section) : undefined;
  }
  try {
    const topic = await settled(name, access);
    const count = `${numPartitions} partition${numPartitions === 1 ? '' : 's'}`;
    if (access.signal.aborted) section.skip(['create', 'records', 'clock'], 'interrupted');
    else if (topic === undefined) {
      const detail = `created, but without leaders after ${DOCTOR_LIMITS.leadersMs / 1000} s`;
      section.fail('create', detail, 'see the log of the brokers and the controller');
      section.skip(['records', 'clock'], 'the scratch topic has no leaders');
    } else {
      section.ok('create', `created, with ${count}`);
      await use(topic);
    }
  } finally {
    await deleteTopic(name, admin, section);
  }
}

async function deleteTopic(name: string, admin: Admin, section: Section): Promise<void> {
  try {
    await withRetries(() => admin.deleteTopics({ topics: [name] }));
    section.ok('delete', 'deleted');
  } catch (error) {
    const { hint, error: message } = adminFailure(error);
    if (/UNKNOWN_TOPIC_OR_PARTITION/.test(hint)) return section.ok('delete', 'does not exist');
    const advice = `delete it (kafka-topics --delete --topic ${name}), or keep it for later runs`;
    section.warn('delete', `the topic ${name} remains: ${hint} (${message})`, advice);
  }
}

/** Waits until each partition has a leader. @returns undefined if some have none in time */
async function settled(name: string, access: ScratchAccess): Promise<ScratchTopic | undefined> {
  const endMs = performance.now() + DOCTOR_LIMITS.leadersMs;
  while (performance.now() < endMs && !access.signal.aborted) {
    const topic = await describe(name, access);
    if (typeof topic !== 'string') return topic;
    await sleep(DOCTOR_LIMITS.leadersPollMs);
  }
  return undefined;
}

/** Returns a topic with all leaders; otherwise its state, which continues "it …". */
async function describe(name: string, { cluster }: ScratchAccess): Promise<ScratchTopic | string> {
  const body = metadataBody([name]);
  const answer = await cluster.link.request(METADATA, body, decodeMetadata, DOCTOR_TIMEOUTS);
  const [topic] = answer.topicMetadata;
  const { topicErrorCode = UNKNOWN_TOPIC_OR_PARTITION, partitionMetadata: partitions = [] } =
    topic ?? {};
  if (topicErrorCode === UNKNOWN_TOPIC_OR_PARTITION) return MISSING;
  if (partitions.length === 0 && topicErrorCode !== 0) {
    return `cannot be described: Kafka answers ${errorName(topicErrorCode)}`;
  }
  if (partitions.length === 0 || partitions.some(({ leader }) => leader < 0)) {
    return 'has partitions without a leader';
  }
  const sorted = [...partitions].sort((a, b) => a.partitionId - b.partitionId);
  const leaders = sorted.map(({ partitionId: partition, leader: brokerId }) => {
    return { partition, brokerId, link: cluster.brokers.get(brokerId) };
  });
  return { name, leaders };
}

/** Sends a record of each codec to one broker, then one record to each broker. */
async function sendRecords(
  config: Config,
  { name, leaders }: ScratchTopic,
  access: ScratchAccess,
  section: Section,
): Promise<void> {
  const first = leaders.find(({ link }) => link !== undefined);
  if (first === undefined) {
    return section.skip(['records', 'clock'], 'no leader of the scratch topic was reached');
  }
  // Each partition has its own sequence.
  const sequences = new Map<number, number>();
  const send = async (leader: Leader, codec?: CodecName): Promise<SentRecord> => {
    const sequence = sequences.get(leader.partition) ?? 0;
    const bytes = oneRecord({ ...access.stamp, sequence }, codec && loadCodec(codec));
    const sent = await untilKnown(access.signal, async () => {
      const sentMs = Date.now();
      const startMs = performance.now();
      const answer = await produceOne(leader.link!, name, leader.partition, bytes);
      return { ...answer, sentMs, tripMs: performance.now() - startMs };
    });
    if (sent.errorCode === 0) sequences.set(leader.partition, sequence + 1);
    return sent;
  };
  for (const codec of ['none', ...CODECS] as const) {
    if (access.signal.aborted) return section.skip(['records', 'clock'], 'interrupted');
    await sendCodec(config, codec, section, () =>
      send(first, codec === 'none' ? undefined : codec),
    );
  }
  await checkClocks(leaders, access, section, send);
}

/** Answer to a record, with the time of its request, ms since 1970, and of the round trip. */
interface SentRecord extends StoredAnswer {
  readonly sentMs: number;
  readonly tripMs: number;
}

/** Repeats a request while its broker does not know yet that it leads a new partition. */
async function untilKnown(
  signal: AbortSignal,
  request: () => Promise<SentRecord>,
): Promise<SentRecord> {
  const endMs = performance.now() + DOCTOR_LIMITS.leadersMs;
  for (;;) {
    const sent = await request();
    const isUnknown = UNKNOWN_TO_BROKER.has(sent.errorCode);
    if (!isUnknown || signal.aborted || performance.now() >= endMs) return sent;
    await sleep(DOCTOR_LIMITS.leadersPollMs);
  }
}

async function sendCodec(
  config: Config,
  codec: CodecName | 'none',
  section: Section,
  send: () => Promise<StoredAnswer>,
): Promise<void> {
  const isUsed = config.compression === codec;
  const note = isUsed ? ' (KAFKA_COMPRESSION)' : '';
  const step = 'records';
  const advice = isUsed
    ? 'choose another KAFKA_COMPRESSION, or correct the cause'
    : 'no action is required while KAFKA_COMPRESSION is another codec';
  try {
    const { errorCode } = await send();
    if (errorCode === 0) return section.ok(step, `${codec}: stored${note}`);
    const detail = `${codec}: Kafka answers ${errorName(errorCode)}${note}`;
    return isUsed ? section.fail(step, detail, advice) : section.warn(step, detail, advice);
  } catch (error) {
    if (error instanceof LinkError) throw error;
    const detail = `${codec}: ${(error as Error).message}${note}`;
    if (isUsed) section.fail(step, detail, advice);
    else section.skip([step], detail);
  }
}

/** Compares the clock of each broker with that of this machine. */
async function checkClocks(
  leaders: readonly Leader[],
  { signal }: ScratchAccess,
  section: Section,
  send: (leader: Leader) => Promise<SentRecord>,
): Promise<void> {
  const brokers = new Map(leaders.map((leader) => [leader.brokerId, leader]));
  for (const [id, leader] of brokers) {
    if (signal.aborted) return section.skip(['clock'], 'interrupted');
    if (leader.link === undefined) {
      section.skip(['clock'], `broker ${id} was not reached`);
      continue;
    }
    const { errorCode, appendedAtMs, sentMs, tripMs } = await send(leader);
    if (errorCode !== 0) {
      section.skip(['clock'], `broker ${id}: Kafka answers ${errorName(errorCode)}`);
    } else if (appendedAtMs < 0) {
      const reason = 'the topic has no append times (message.timestamp.type is not LogAppendTime)';
      return section.skip(['clock'], reason);
    } else section.add(clockResult(id, appendedAtMs - (sentMs + tripMs / 2), tripMs / 2));
  }
}
