/** Checks of the topics that the gateway writes to: existence, permissions, replication, limits. */
import type { Admin } from 'kafkajs';
import type { Config } from '../../config/config.ts';
import { LIMITS } from '../../config/limits.ts';
import type { StreamFile, StreamSpec } from '../../streams/stream-file.ts';
import { creationOf, declaredCreation, differencesOf } from '../../streams/topic-creation.ts';
import type { ProducerStamp } from '../../worker/accumulator/records.ts';
import { adminFailure } from '../../worker/producer/admin-failure.ts';
import { errorName, UNKNOWN_TOPIC_OR_PARTITION } from '../../worker/producer/error-table.ts';
import { type ClusterMetadata, decodeMetadata } from '../../worker/producer/kafkajs.ts';
import type { Link } from '../../worker/producer/link.ts';
import { METADATA, metadataBody } from '../../worker/producer/protocol.ts';
import { readTopicConfig } from '../../worker/producer/topic-config.ts';
import { withRetries } from './admin-retries.ts';
import { DOCTOR_LIMITS, DOCTOR_TIMEOUTS } from './limits.ts';
import { oneRecord, produceOne } from './probe-records.ts';
import type { Report, Section } from './report.ts';

export const TOPIC_STEPS = ['topic', 'leaders', 'replication', 'settings', 'limits', 'write'];

type TopicMetadata = ClusterMetadata['topicMetadata'][number];
type TopicConfig = ReadonlyMap<string, string>;

const TOPIC_AUTHORIZATION_FAILED = 29;
/** Kafka’s limit: no topic has so large a partition number. */
const NO_PARTITION = 0x7fff_ffff;

/** Means of the checks. */
export interface TopicAccess {
  readonly link: Link;
  /** Undefined = there is no admin connection, for this reason. */
  readonly admin: Admin | undefined;
  readonly adminFailure: string;
  /** Undefined = Kafka assigned no producer id. */
  readonly stamp: ProducerStamp | undefined;
}

/** Checks each topic of the streams once. */
export async function checkTopics(
  config: Config,
  file: StreamFile,
  access: TopicAccess,
  report: Report,
): Promise<void> {
  const names = [...new Set(file.streams.map(({ topic }) => topic))];
  const { topicMetadata } = await access.link.request(
    METADATA,
    metadataBody(names),
    decodeMetadata,
    DOCTOR_TIMEOUTS,
  );
  for (const name of names) {
    const streams = file.streams.filter(({ topic }) => topic === name);
    const found = topicMetadata.find(({ topic }) => topic === name);
    const section = report.section(`topic ${name}`);
    await new TopicCheck({ config, file, access, section, name, streams }).run(found);
  }
}

interface TopicCheckOptions {
  readonly config: Config;
  readonly file: StreamFile;
  readonly access: TopicAccess;
  readonly section: Section;
  readonly name: string;
  /** Streams with this topic. */
  readonly streams: readonly StreamSpec[];
}

class TopicCheck {
  readonly #config: Config;
  readonly #file: StreamFile;
  readonly #access: TopicAccess;
  readonly #section: Section;
  readonly #name: string;
  readonly #streams: readonly StreamSpec[];

  constructor(options: TopicCheckOptions) {
    this.#config = options.config;
    this.#file = options.file;
    this.#access = options.access;
    this.#section = options.section;
    this.#name = options.name;
    this.#streams = options.streams;
  }

  async run(topic: TopicMetadata | undefined): Promise<void> {
    const code = topic?.topicErrorCode ?? UNKNOWN_TOPIC_OR_PARTITION;
    if (code === UNKNOWN_TOPIC_OR_PARTITION) return this.#missing();
    const users = this.#streams.map(({ name }) => name).join(', ');
    const partitions = topic?.partitionMetadata ?? [];
    if (code !== 0 && partitions.length === 0) {
      const advice =
        code === TOPIC_AUTHORIZATION_FAILED
          ? 'grant the user Describe and Write on the topic (Write includes Describe)'
          : 'see the log of the brokers';
      this.#section.fail('topic', `Kafka answers ${errorName(code)}`, advice);
      this.#section.skip(TOPIC_STEPS.slice(1), 'the topic cannot be described');
      return;
    }
    const replication = Math.max(...partitions.map(({ replicas = [] }) => replicas.length));
    const facts = `${partitions.length} partitions, replication factor ${replication}`;
    this.#section.ok('topic', `${facts}, for ${users}`);
    this.#leaders(partitions);
    const settings = await this.#readConfig();
    this.#replication(partitions, settings);
    if (settings === undefined) {
      this.#section.skip(['limits'], 'the configuration of the topic is not known');
    } else {
      this.#settings(settings, { partitions: partitions.length, replication });
      this.#limits(settings);
    }
    await this.#write();
  }

  async #missing(): Promise<void> {
    const rest = TOPIC_STEPS.slice(1);
    const properties = creationOf(this.#name, this.#file, this.#config);
    if (properties === undefined) {
      const advice =
        this.#config.streamsFile === undefined
          ? 'create it, or set KAFKA_CREATE_TOPIC=1'
          : 'create it, or declare its creation in the stream file (create)';
      this.#section.fail('topic', 'does not exist, and the gateway may not create it', advice);
      this.#section.skip(rest, 'the topic does not exist');
      return;
    }
    const { admin } = this.#access;
    if (admin === undefined) {
      this.#section.skip(['topic'], `does not exist; ${this.#access.adminFailure}`);
      this.#section.skip(rest, 'the topic does not exist');
      return;
    }
    const { partitions, replication, config } = properties;
    const configEntries = Object.entries(config).map(([name, value]) => ({ name, value }));
    const size = { numPartitions: partitions, replicationFactor: replication };
    const copies = replication === -1 ? 'the broker’s default' : replication;
    try {
      const topics = [{ topic: this.#name, ...size, configEntries }];
      const request = { topics, validateOnly: true, waitForLeaders: false };
      await withRetries(() => admin.createTopics(request));
      const what = `${partitions} partitions, replication factor ${copies}`;
      this.#section.ok('topic', `does not exist; the gateway can create it: ${what}`);
      this.#section.skip(rest, 'the topic does not exist until the gateway starts');
    } catch (error) {
      const { hint, error: message } = adminFailure(error);
      const advice = /AUTHORIZATION/.test(hint)
        ? 'create it, or grant the user Create on the topic or the cluster'
        : 'create it, or correct its partitions, replication factor and configuration';
      this.#section.fail(
        'topic',
        `does not exist; its creation fails: ${hint}: ${message}`,
        advice,
      );
      this.#section.skip(rest, 'the topic does not exist');
    }
  }

  #leaders(partitions: TopicMetadata['partitionMetadata']): void {
    const without = partitions.filter(({ leader }) => leader < 0).map(({ partitionId: id }) => id);
    if (without.length === 0) return this.#section.ok('leaders', 'each partition has one');
    const detail = `${without.length} of ${partitions.length} partitions have none: ${listed(without)}`;
    this.#section.fail(
      'leaders',
      detail,
      'start the brokers of these partitions, or see their log',
    );
  }

  async #readConfig(): Promise<TopicConfig | undefined> {
    const { admin, adminFailure: failure } = this.#access;
    if (admin === undefined) {
      this.#section.skip(['settings'], failure);
      return undefined;
    }
    try {
      const found = await withRetries(() => readTopicConfig(admin, this.#name));
      if (found !== undefined) return found;
      const detail = `not authorized to read them: a limit of ${LIMITS.maxMessageBytesDefault} bytes per batch is assumed`;
      this.#section.warn('settings', detail, 'grant the user DescribeConfigs on the topic');
    } catch (error) {
      const { hint, error: message } = adminFailure(error);
      this.#section.warn('settings', `cannot be read: ${hint} (${message})`, READ_ADVICE);
    }
    return undefined;
  }

  /** @param settings undefined = unknown */
  #replication(
    partitions: TopicMetadata['partitionMetadata'],
    settings: TopicConfig | undefined,
  ): void {
    const least = Number(settings?.get('min.insync.replicas') ?? 1);
    const idsOf = (is: (replicas: number, inSync: number) => boolean) =>
      partitions
        .filter(({ replicas = [], isr = [] }) => is(replicas.length, isr.length))
        .map(({ partitionId }) => partitionId);
    const tooFew = idsOf((_, inSync) => inSync < least);
    if (tooFew.length > 0) {
      const detail = `partitions with fewer than ${least} in-sync replicas: ${listed(tooFew)}`;
      this.#section.fail('replication', detail, 'Kafka rejects their records: start the brokers');
      return;
    }
    const behind = idsOf((replicas, inSync) => inSync < replicas);
    if (behind.length > 0) {
      const detail = `partitions with replicas that are not in sync: ${listed(behind)}`;
      this.#section.warn('replication', detail, 'see the brokers that are down or slow');
      return;
    }
    if (idsOf((replicas) => replicas === 1).length > 0) {
      const detail = 'replication factor 1: acknowledged events are on one disk only';
      this.#section.warn('replication', detail, 'use 3, with min.insync.replicas 2');
      return;
    }
    const bound = settings === undefined ? '' : `; min.insync.replicas is ${least}`;
    this.#section.ok('replication', `all replicas are in sync${bound}`);
  }

  #settings(settings: TopicConfig, size: { partitions: number; replication: number }): void {
    const declared = declaredCreation(this.#name, this.#file);
    const differences = differencesOf(declared, { ...size, config: settings });
    const weak = [
      ...(settings.get('min.insync.replicas') === '1' && size.replication > 1
        ? ['min.insync.replicas is 1: acknowledged events may be on one disk only']
        : []),
      ...(settings.get('unclean.leader.election.enable') === 'true'
        ? ['unclean.leader.election.enable is true: Kafka may lose acknowledged events']
        : []),
      ...(settings.get('cleanup.policy')?.includes('compact')
        ? ['cleanup.policy is compact: Kafka rejects events without a key, and deletes older ones']
        : []),
      ...differences.map((text) => `${text}, as in the stream file`),
    ];
    if (weak.length === 0) return this.#section.ok('settings', 'none that weakens guarantees');
    const advice = 'change the topic with kafka-configs, or the settings of the gateway';
    for (const detail of weak) this.#section.warn('settings', detail, advice);
  }

  /** Compares the largest event with the topic’s largest batch. */
  #limits(settings: TopicConfig): void {
    const maxBytes = Number(settings.get('max.message.bytes'));
    const { maxFrameBytes } = this.#config;
    const eventBytes = Math.max(
      ...this.#streams.map(({ limits }) => limits.eventBytes ?? maxFrameBytes),
    );
    const needed = eventBytes + DOCTOR_LIMITS.batchOverheadBytes;
    const detail = `max.message.bytes is ${maxBytes}, events have up to ${eventBytes} bytes`;
    if (maxBytes >= needed) return this.#section.ok('limits', detail);
    const advice = `set it to ${needed} or more: longer events get too_large`;
    this.#section.warn('limits', detail, advice);
  }

  /**
   * Asks for permission to write with a record for a partition that does not exist: Kafka checks
   * the permission first. Nothing is stored.
   */
  async #write(): Promise<void> {
    const { link, stamp } = this.#access;
    if (stamp === undefined) return this.#section.skip(['write'], 'there is no producer id');
    const batch = oneRecord(stamp, undefined);
    const { errorCode } = await produceOne(link, this.#name, NO_PARTITION, batch);
    if (errorCode === UNKNOWN_TOPIC_OR_PARTITION) {
      return this.#section.ok('write', 'authorized (nothing was stored)');
    }
    const advice =
      errorCode === TOPIC_AUTHORIZATION_FAILED
        ? 'grant the user Write on the topic'
        : 'see the log of the brokers';
    this.#section.fail('write', `Kafka answers ${errorName(errorCode)}`, advice);
  }
}

const READ_ADVICE = 'see whether the controller’s advertised address is reachable';
/** Numbers of partitions that are shown. */
const SHOWN = 10;

function listed(ids: readonly number[]): string {
  const more = ids.length > SHOWN ? ` and ${ids.length - SHOWN} more` : '';
  const sorted = [...ids].sort((a, b) => a - b);
  return sorted.slice(0, SHOWN).join(', ') + more;
}
