/**
 * Loop that requests the leaders of all partitions, and producer ids.
 * Invariant: a request stays pending until a response fulfills it; a failure only makes the loop
 * retry, or try another broker. One request covers all topics. Each topic has its own back-off, so
 * that a missing one does not slow down the others.
 */
import { backoffMs } from '../../common/backoff.ts';
import { formatBrokerAddress } from '../../kafka/broker-address.ts';
import type { Topic } from '../accumulator/topic.ts';
import type { Faults } from '../faults.ts';
import { BASE_TIMEOUTS } from './adaptive-timeouts.ts';
import { errorName, isRejectedByPolicy } from './error-table.ts';
import { type ClusterMetadata, decodeMetadata } from './kafkajs.ts';
import { type Address, type BrokerLink, type CreateLink, LinkError } from './link.ts';
import { MetadataLink } from './metadata-link.ts';
import {
  decodeMetadataWithIds,
  METADATA_WITH_IDS,
  metadataWithIdsBody,
} from './metadata-with-ids.ts';
import {
  decodeInitProducerId,
  INIT_PRODUCER_ID,
  initProducerIdBody,
  METADATA,
  metadataBody,
  type ProducerIdAnswer,
} from './protocol.ts';
import { RoundPause } from './round-pause.ts';
import { type AnswerOrigin, type Finding, TopicWatch } from './topic-watch.ts';

const BACKOFF_MS = { first: 50, last: 2_000 } as const;
/** Interval of refreshes without a cause. */
const MAX_AGE_MS = 300_000;
const LEADER_NOT_AVAILABLE = 5;
/** COORDINATOR_LOAD_IN_PROGRESS, COORDINATOR_NOT_AVAILABLE, NOT_COORDINATOR. */
const COORDINATOR_NOT_READY: ReadonlySet<number> = new Set([14, 15, 16]);
/** Time for which a new cluster may have no coordinator. */
const COORDINATOR_MS = 10_000;
/** Repetitions of a view after which another broker is queried. */
const SAME_VIEWS_MAX = 2;
/** Minimum interval of refreshes caused by oversized events. */
const RECHECK_MS = 1_000;
/** Interval of refreshes while a leader is unreachable: the first, and the longest. */
const PROBE_MS = { first: 100, last: 1_000 } as const;

/** One view of the cluster. */
export interface ClusterView {
  /** Address by broker id. */
  readonly brokers: ReadonlyMap<number, Address>;
  /** Topics whose partitions the response contains. */
  readonly topics: readonly TopicView[];
}

export interface TopicView {
  readonly topic: Topic;
  /** Broker id of each partition's leader, by partition; -1 = none now. */
  readonly leaders: readonly number[];
  /** Deleted and created again since the last view. */
  readonly recreated: boolean;
}

/** A topic and the schedule of its metadata requests. */
interface TrackedTopic {
  readonly topic: Topic;
  readonly watch: TopicWatch;
  /** Consecutive responses without all leaders of the topic. */
  failures: number;
  /** Time of its next request, on the monotonic clock. */
  dueMs: number;
}

/** A pending request for a producer id. */
interface IdRequest {
  readonly done: (answer: ProducerIdAnswer) => void;
  readonly isWanted: () => boolean;
}

/** Events of the metadata loop. */
export interface MetadataListener {
  changed(view: ClusterView): void;
  /** A broker does not know the topic. */
  topicMissing(topic: Topic): void;
  /** A broker answered a metadata request. */
  answered(address: Address): void;
  /** A broker returned an error for the topic. */
  topicFailed(topic: Topic, why: string): void;
  /** A broker returned an error instead of a producer id. */
  producerIdFailed(errorCode: number): void;
  /** A request failed, or the connection to the broker. */
  failed(address: Address, error: LinkError): void;
}

/**
 * Keeps the leaders of topics up to date, and obtains producer ids. Has its own connection, so that
 * neither waits behind a produce request, and queries the known brokers round-robin.
 */
export class Metadata {
  readonly #topics: TrackedTopic[] = [];
  readonly #link: MetadataLink;
  readonly #listener: MetadataListener;
  readonly #faults: Faults;
  #lastView = '';
  /** Consecutive responses with the same view. */
  #sameViews = 0;
  /** A finding of the last response is in doubt: another broker is queried next. */
  #inDoubt = false;
  /** Consecutive failed rounds. */
  #failures = 0;
  /** Earliest time of the next round, and of the next request for topics. */
  #roundAfterMs = 0;
  #topicsAfterMs = 0;
  readonly #pause = new RoundPause(() => this.#nextRoundMs());
  #probe = { pauseMs: PROBE_MS.first as number, notBeforeMs: 0 };
  /** Time since which every request for a producer id has failed. */
  #producerIdFailingSinceMs: number | undefined;
  #stopped = false;
  #idRequests: IdRequest[] = [];

  constructor(
    topics: readonly Topic[],
    bootstrap: readonly Address[],
    createLink: CreateLink,
    faults: Faults,
    listener: MetadataListener,
  ) {
    for (const topic of topics) this.#track(topic);
    this.#link = new MetadataLink(bootstrap, createLink);
    this.#listener = listener;
    this.#faults = faults;
  }

  #track(topic: Topic): void {
    this.#topics.push({ topic, watch: new TopicWatch(), failures: 0, dueMs: 0 });
  }

  /** Requests metadata of a further topic, at once. */
  add(topic: Topic): void {
    this.#track(topic);
    this.#topicsAfterMs = 0;
    this.#pause.rearm();
  }

  /** Requests no metadata of a topic any longer. */
  remove(topic: Topic): void {
    const index = this.#topics.findIndex((tracked) => tracked.topic === topic);
    if (index >= 0) this.#topics.splice(index, 1);
  }

  /** Runs rounds until {@link stop}; errors cause retries. */
  async run(): Promise<void> {
    while (!this.#stopped) {
      try {
        this.#failures = (await this.#round()) ? 0 : this.#failures + 1;
      } catch (error) {
        this.#failures++;
        this.#report(error);
        this.#link.failed();
      }
      // After stop() nothing would end the pause.
      if (this.#stopped) return;
      if (this.#failures > 0) {
        this.refresh();
        this.#roundAfterMs = performance.now() + backoffMs(BACKOFF_MS, this.#failures);
      }
      await this.#pause.wait();
    }
  }

  /** Requests metadata soon: leaders of `topic`, or of any topic, may have changed. */
  refresh(topic?: Topic): void {
    for (const tracked of this.#topics) {
      if (topic !== undefined && tracked.topic !== topic) continue;
      // An incomplete topic is requested again in any case.
      if (tracked.failures === 0) tracked.dueMs = 0;
    }
    this.#pause.rearm();
  }

  /**
   * Requests metadata of a topic that may have been recreated although no request failed;
   * rate-limited.
   */
  recheck(topic: Topic): void {
    if (performance.now() >= this.#topicsAfterMs + RECHECK_MS) this.refresh(topic);
  }

  /**
   * Requests metadata while a leader is unreachable, since brokers do not announce new leaders.
   * Called periodically; the requests become less frequent.
   */
  leadersUnreachable(unreachable: boolean, nowMs = performance.now()): void {
    if (!unreachable) this.#probe = { pauseMs: PROBE_MS.first, notBeforeMs: 0 };
    else if (nowMs >= this.#probe.notBeforeMs) {
      const { pauseMs } = this.#probe;
      this.#probe = { pauseMs: Math.min(PROBE_MS.last, 2 * pauseMs), notBeforeMs: nowMs + pauseMs };
      this.refresh();
    }
  }

  /** Requests metadata at once, regardless of back-off, for instance after topic creation. */
  refreshNow(): void {
    for (const tracked of this.#topics) Object.assign(tracked, { failures: 0, dueMs: 0 });
    this.#failures = 0;
    this.#roundAfterMs = 0;
    this.#topicsAfterMs = 0;
    this.#pause.end();
  }

  /** Requests a producer id and passes it to `done`; retries while `isWanted`. */
  requestProducerId(done: (answer: ProducerIdAnswer) => void, isWanted: () => boolean): void {
    this.#idRequests.push({ done, isWanted });
    this.#pause.rearm();
  }

  stop(): void {
    this.#stopped = true;
    this.#link.close();
    this.#pause.end();
  }

  /** Requests due topics and pending producer ids. @returns false if a broker returned no id */
  async #round(): Promise<boolean> {
    const link = await this.#link.connect(
      this.#inDoubt || this.#sameViews >= SAME_VIEWS_MAX,
      () => {
        this.#sameViews = 0;
        this.#inDoubt = false;
      },
    );
    const nowMs = performance.now();
    const isDue = ({ dueMs }: TrackedTopic) => Math.max(dueMs, this.#topicsAfterMs) <= nowMs;
    const wanted = this.#topics.filter(isDue);
    if (wanted.length > 0) {
      const asked = [...this.#topics];
      for (const tracked of asked) tracked.dueMs = Number.POSITIVE_INFINITY;
      try {
        const answer = await this.#requestMetadata(link);
        const present = asked.filter((tracked) => this.#topics.includes(tracked));
        this.#apply(answer, present, wanted);
      } catch (error) {
        for (const tracked of this.#topics) tracked.dueMs = 0;
        throw error;
      }
    }
    for (;;) {
      this.#idRequests = this.#idRequests.filter(({ isWanted }) => isWanted());
      if (this.#idRequests.length === 0) return true;
      const body = initProducerIdBody();
      const answer = await link.request(
        INIT_PRODUCER_ID,
        body,
        decodeInitProducerId,
        BASE_TIMEOUTS,
      );
      if (answer.errorCode !== 0) {
        this.#producerIdFailed(answer.errorCode);
        return false;
      }
      this.#producerIdFailingSinceMs = undefined;
      this.#idRequests.shift()!.done(answer);
    }
  }

  async #requestMetadata(link: BrokerLink): Promise<ClusterMetadata> {
    const names = this.#topics.map(({ topic }) => topic.name);
    const answer = link.supports(METADATA_WITH_IDS)
      ? await link.request(
          METADATA_WITH_IDS,
          metadataWithIdsBody(names),
          decodeMetadataWithIds,
          BASE_TIMEOUTS,
        )
      : await link.request(METADATA, metadataBody(names), decodeMetadata, BASE_TIMEOUTS);
    if (this.#link.address !== undefined) this.#listener.answered(this.#link.address);
    return answer;
  }

  #producerIdFailed(errorCode: number): void {
    const error = errorName(errorCode);
    this.#listener.producerIdFailed(errorCode);
    this.#producerIdFailingSinceMs ??= performance.now();
    const isNew = performance.now() - this.#producerIdFailingSinceMs < COORDINATOR_MS;
    const level = COORDINATOR_NOT_READY.has(errorCode) && isNew ? 'info' : 'warn';
    this.#faults[level](
      `${error} ${level}`,
      { error, errorCode },
      'producer id request failed, retrying',
    );
  }

  /**
   * @param asked topics that the response covers
   * @param wanted those that were due
   */
  #apply(
    metadata: ClusterMetadata,
    asked: readonly TrackedTopic[],
    wanted: readonly TrackedTopic[],
  ): void {
    const nowMs = performance.now();
    const brokers = new Map(
      metadata.brokers.map(({ nodeId, host, port }) => [nodeId, { host, port }]),
    );
    if (brokers.size > 0) this.#link.known = [...brokers.values()];
    const origin = { broker: this.#currentBroker(brokers), brokers: brokers.size };
    const views: TopicView[] = [];
    this.#inDoubt = false;
    for (const tracked of asked) {
      const known = this.#applyTopic(tracked, metadata, origin, nowMs);
      const leaders = known?.leaders.map((id) => (brokers.has(id) ? id : -1)) ?? [-1];
      const complete = !leaders.includes(-1) && known?.doubtful === false;
      if (known) views.push({ topic: tracked.topic, leaders, recreated: known.recreated });
      tracked.failures = complete ? 0 : tracked.failures + 1;
      const pauseMs = complete ? MAX_AGE_MS : backoffMs(BACKOFF_MS, tracked.failures);
      tracked.dueMs = Math.min(tracked.dueMs, nowMs + pauseMs);
    }
    this.#topicsAfterMs = nowMs + BACKOFF_MS.first;
    this.#compare(views.filter(({ topic }) => wanted.some((each) => each.topic === topic)));
    if (views.length > 0) this.#listener.changed({ brokers, topics: views });
  }

  /** @returns the finding; undefined if the response does not contain the topic's partitions */
  #applyTopic(
    tracked: TrackedTopic,
    { topicMetadata }: ClusterMetadata,
    origin: AnswerOrigin,
    nowMs: number,
  ): (Finding & { state: 'known' }) | undefined {
    const { topic, watch } = tracked;
    const answer = topicMetadata.find((entry) => entry.topic === topic.name);
    const finding = answer && watch.evaluate(answer, origin, nowMs);
    switch (finding?.state) {
      case 'known':
        // The first metadata of the topic: its back-off starts from the minimum.
        if (topic.partitions.length === 0) tracked.failures = 0;
        topic.state = 'known';
        this.#inDoubt ||= finding.doubtful;
        return finding;
      case 'missing':
        topic.state = 'missing';
        this.#listener.topicMissing(topic);
        return undefined;
      case 'stale':
        this.#inDoubt = true;
        return undefined;
      default:
        this.#topicFailed(topic, finding);
        return undefined;
    }
  }

  /** @param finding undefined = the response does not contain the topic */
  #topicFailed(topic: Topic, finding: (Finding & { state: 'failed' }) | undefined): void {
    const error = finding === undefined ? 'nothing' : errorName(finding.errorCode);
    if (finding !== undefined && isRejectedByPolicy(finding.errorCode)) topic.state = 'rejected';
    this.#listener.topicFailed(topic, `Kafka answers ${error} for the topic`);
    // A new topic has no leaders for a moment.
    if (finding?.errorCode === LEADER_NOT_AVAILABLE) return;
    this.#faults.warn(
      `${topic.name} ${error}`,
      { topic: topic.name, error },
      'metadata request failed',
    );
  }

  /** Returns the id of the current broker, if the response lists its address. */
  #currentBroker(brokers: ReadonlyMap<number, Address>): number | undefined {
    if (this.#link.address === undefined) return undefined;
    const current = formatBrokerAddress(this.#link.address);
    for (const [id, address] of brokers) if (formatBrokerAddress(address) === current) return id;
    return undefined;
  }

  /** Counts repeated views: a broker that repeats one while errors occur may be partitioned off. */
  #compare(views: readonly TopicView[]): void {
    if (views.length === 0) return;
    const view = views.map(({ topic, leaders }) => `${topic.name}: ${leaders}`).join();
    this.#sameViews = view === this.#lastView ? this.#sameViews + 1 : 0;
    this.#lastView = view;
  }

  #report(error: unknown): void {
    if (!(error instanceof LinkError)) throw error;
    // stop() closed the link of the request.
    if (this.#stopped || this.#link.address === undefined) return;
    this.#listener.failed(this.#link.address, error);
  }

  #nextRoundMs(): number {
    const dueMs = Math.min(...this.#topics.map((tracked) => tracked.dueMs));
    const topicsMs = Math.max(dueMs, this.#topicsAfterMs);
    return Math.max(this.#roundAfterMs, this.#idRequests.length > 0 ? 0 : topicsMs);
  }
}
