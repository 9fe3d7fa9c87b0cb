/** Checks of Kafka, in the order in which the gateway depends on them. */
import { setTimeout as sleep } from 'node:timers/promises';
import kafkajs, { type Admin, type KafkaConfig } from 'kafkajs';
import { StartError } from '../../common/errors.ts';
import type { Config } from '../../config/config.ts';
import { formatBrokerAddress } from '../../kafka/broker-address.ts';
import { kafkaOptions } from '../../kafka/client-options.ts';
import type { StreamFile } from '../../streams/stream-file.ts';
import type { ProducerStamp } from '../../worker/accumulator/records.ts';
import { adminFailure } from '../../worker/producer/admin-failure.ts';
import { errorName } from '../../worker/producer/error-table.ts';
import { type Link, LinkError } from '../../worker/producer/link.ts';
import {
  decodeInitProducerId,
  INIT_PRODUCER_ID,
  initProducerIdBody,
  type ProducerIdAnswer,
} from '../../worker/producer/protocol.ts';
import { brokerConnection, checkCluster, type ReachedCluster, skipCluster } from './cluster.ts';
import { DOCTOR_LIMITS, DOCTOR_TIMEOUTS } from './limits.ts';
import type { Report, Section } from './report.ts';
import { checkScratchTopic, SCRATCH_STEPS } from './scratch-topic.ts';
import { checkTopics, TOPIC_STEPS, type TopicAccess } from './topics.ts';

export interface KafkaOptions {
  /** Undefined = the stream file is unusable. */
  readonly file: StreamFile | undefined;
  /** Nothing is created or written. */
  readonly readOnly: boolean;
  /** Existing topic for records; undefined = a new one. */
  readonly scratch: string | undefined;
  /** Aborted = the run ends early. */
  readonly signal: AbortSignal;
}

/** Checks brokers, topics and permissions. */
export async function checkKafka(
  config: Config,
  options: KafkaOptions,
  report: Report,
): Promise<void> {
  const cluster = await reach(config, report);
  if (cluster === undefined) return skipTopics(report, 'no broker answers');
  let admin: Admin | undefined;
  try {
    const section = report.section('cluster');
    const stamp = await producerId(cluster, section);
    const opened = await openAdmin(config, cluster, section);
    admin = opened.admin;
    const { file, signal } = options;
    const access = { link: cluster.link, stamp, ...opened };
    if (file === undefined) report.section('topics').skip(TOPIC_STEPS, 'see the stream file');
    else if (!signal.aborted) await topicsOf(config, file, access, report);
    await scratch(config, options, cluster, access, report);
  } finally {
    await admin?.disconnect().catch(() => {});
    cluster.close();
  }
}

async function reach(config: Config, report: Report): Promise<ReachedCluster | undefined> {
  try {
    return await checkCluster(config, brokerConnection(config), report);
  } catch (error) {
    if (!(error instanceof StartError)) throw error;
    skipCluster(report, 'a file of the connection is unusable');
    return undefined;
  }
}

function skipTopics(report: Report, reason: string): void {
  report.section('cluster').skip(['producer id', 'admin'], reason);
  report.section('topics').skip(TOPIC_STEPS, reason);
  report.section('scratch topic').skip(SCRATCH_STEPS, reason);
}

/** Requests a producer id as each worker does. */
async function producerId(
  { link }: ReachedCluster,
  section: Section,
): Promise<ProducerStamp | undefined> {
  const step = 'producer id';
  try {
    const { errorCode, producerId: id, epoch } = await assigned(link);
    if (errorCode === 0) {
      section.ok(step, 'assigned');
      return { producerId: id, epoch, sequence: 0 };
    }
    const advice = STARTING.has(errorCode)
      ? 'the brokers are starting, or have no leader for their transaction log: see their log'
      : 'grant the user Write on a topic, with Kafka before 2.8 IdempotentWrite';
    section.fail(step, `Kafka answers ${errorName(errorCode)}`, advice);
  } catch (error) {
    section.fail(step, (error as LinkError).message, 'see the log of the broker');
  }
  return undefined;
}

/** COORDINATOR_LOAD_IN_PROGRESS, COORDINATOR_NOT_AVAILABLE and NOT_COORDINATOR. */
const STARTING: ReadonlySet<number> = new Set([14, 15, 16]);

/** Requests a producer id, for a while again while the brokers start. */
async function assigned(link: Link): Promise<ProducerIdAnswer> {
  const endMs = performance.now() + DOCTOR_LIMITS.leadersMs;
  for (;;) {
    const body = initProducerIdBody();
    const decode = decodeInitProducerId;
    const answer = await link.request(INIT_PRODUCER_ID, body, decode, DOCTOR_TIMEOUTS);
    if (!STARTING.has(answer.errorCode) || performance.now() > endMs) return answer;
    await sleep(DOCTOR_LIMITS.leadersPollMs);
  }
}

/** Opens a client for the requests that workers send with kafkajs. */
async function openAdmin(
  config: Config,
  { address }: ReachedCluster,
  section: Section,
): Promise<Pick<TopicAccess, 'admin' | 'adminFailure'>> {
  const options: KafkaConfig = {
    ...kafkaOptions({ ...config, kafkaBrokers: [formatBrokerAddress(address)] }),
    connectionTimeout: DOCTOR_TIMEOUTS.handshakeMs,
    requestTimeout: DOCTOR_TIMEOUTS.requestMs,
    retry: { retries: 0 },
  };
  const admin = new kafkajs.Kafka(options).admin();
  try {
    await admin.connect();
    // The controller, or the broker that stands for it, answers requests about topics.
    await admin.describeCluster();
    section.ok('admin', 'requests about topics are answered');
    return { admin, adminFailure: '' };
  } catch (error) {
    const { hint, error: message } = adminFailure(error);
    await admin.disconnect().catch(() => {});
    // The client reads the metadata of all topics, and rejects it whole for one such partition.
    const advice = hint.endsWith('LEADER_NOT_AVAILABLE')
      ? 'find the topic with a partition without a leader, whether Forebay uses it or not: until ' +
        'then, topics are neither created nor their settings read; events are stored'
      : 'see the advertised addresses above';
    section.fail('admin', `${hint} (${message})`, advice);
    return { admin: undefined, adminFailure: 'the step admin failed' };
  }
}

async function topicsOf(
  config: Config,
  file: StreamFile,
  access: TopicAccess,
  report: Report,
): Promise<void> {
  try {
    await checkTopics(config, file, access, report);
  } catch (error) {
    if (!(error instanceof LinkError)) throw error;
    report.section('topics').fail('connection', error.message, 'run doctor again');
  }
}

async function scratch(
  config: Config,
  { readOnly, scratch: named, signal }: KafkaOptions,
  cluster: ReachedCluster,
  { admin, adminFailure: reason, stamp }: TopicAccess,
  report: Report,
): Promise<void> {
  const skip = (why: string) => report.section('scratch topic').skip(SCRATCH_STEPS, why);
  if (readOnly) return skip('--read-only');
  if (signal.aborted) return skip('interrupted');
  if (admin === undefined) return skip(reason);
  if (stamp === undefined) return skip('there is no producer id');
  try {
    await checkScratchTopic(config, named, { cluster, admin, stamp, signal }, report);
  } catch (error) {
    if (!(error instanceof LinkError)) throw error;
    report.section('scratch topic').fail('connection', error.message, 'run doctor again');
  }
}
