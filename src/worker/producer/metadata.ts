/**
 * Leaders of all partitions, and producer ids: the one loop that asks brokers about them.
 * One invariant rules it: what was asked for stays asked for until an answer has brought it;
 * whatever fails on the way only makes the loop ask again, or another broker. One request asks for
 * all topics; each has a back-off of its own, so that one that is missing does not slow the others.
 */
import { backoffMs } from '../../common/backoff.ts';
import { formatBrokerAddress } from '../../kafka/broker-address.ts';
import type { Topic } from '../accumulator/topic.ts';
import type { Faults } from '../faults.ts';
import { TIMES } from './adaptive-timeouts.ts';
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
import { type AnswerOrigin, type Finding, TopicWatch } from './topic-watch.ts';

const BACKOFF_MS = { first: 50, last: 2_000 } as const;
const MAX_AGE_MS = 300_000;
const LEADER_NOT_AVAILABLE = 5;
/** COORDINATOR_LOAD_IN_PROGRESS and its like: what a fresh cluster answers for a while. */
const COORDINATOR_NOT_READY: ReadonlySet<number> = new Set([14, 15, 16]);
/** Time for which that is normal. */
const COORDINATOR_MS = 10_000;
const SAME_VIEWS_MAX = 2;
/** What an event that is too long may cause: a look so much later than the last one. */
const RECHECK_MS = 1_000;
/** Pause between two looks while a leader cannot be reached: the first, and the longest. */
const LOOK_MS = { first: 100, last: 1_000 } as const;

/** One answer about the cluster. */
export interface ClusterView {
  /** Address by broker id. */
  readonly brokers: ReadonlyMap<number, Address>;
  /** Those whose leaders it tells. */
  readonly topics: readonly TopicView[];
}

export interface TopicView {
  readonly topic: Topic;
  /** Broker id of each partition's leader, by partition; -1 = none now. */
  readonly leaders: readonly number[];
  /** It was deleted and created again since the last view. */
  readonly recreated: boolean;
}

/** A topic that is asked about. */
interface Watched {
  readonly topic: Topic;
  readonly watch: TopicWatch;
  /** Answers in a row that did not bring all that was wanted of it. */
  failures: number;
  /** When to ask about it again. */
  dueMs: number;
}

/** A producer id that is asked for. */
interface IdRequest {
  readonly done: (answer: ProducerIdAnswer) => void;
  readonly isWanted: () => boolean;
}

/** What the metadata loop finds. */
export interface MetadataListener {
  changed(view: ClusterView): void;
  /** A broker answered, and does not know the topic. */
  topicMissing(topic: Topic): void;
  /** A broker answered a request for metadata. */
  answered(address: Address): void;
  /** A broker answered with an error for the topic. */
  topicFailed(topic: Topic, why: string): void;
  /** A broker answered with an error instead of a producer id. */
  producerIdFailed(errorCode: number): void;
  /** A broker could not be asked. */
  failed(address: Address, error: LinkError): void;
}

/**
 * Keeps the leaders of topics up to date, and gets producer ids: on a connection of its own, so
 * that neither waits behind a produce request. Asks the known brokers in turn, one at a time.
 */
export class Metadata {
  readonly #topics: readonly Watched[];
  readonly #link: MetadataLink;
  readonly #listener: MetadataListener;
  readonly #faults: Faults;
  #lastView = '';
  /** Answers in a row that brought nothing new. */
  #sameViews = 0;
  /** What was told last is in doubt: another broker is to be asked. */
  #inDoubt = false;
  /** Rounds in a row that failed, whatever the topic. */
  #failures = 0;
  /** Earliest time of the next round, and of the next question about topics. */
  #roundAfterMs = 0;
  #lookAfterMs = 0;
  /** Ends the pause, or begins it anew. */
  #endPause: (() => void) | undefined;
  #armPause: (() => void) | undefined;
  #look = { pauseMs: LOOK_MS.first as number, notBeforeMs: 0 };
  /** Since when every request for a producer id failed. */
  #noProducerIdSinceMs: number | undefined;
  #stopped = false;
  #idRequests: IdRequest[] = [];

  constructor(
    topics: readonly Topic[],
    bootstrap: readonly Address[],
    createLink: CreateLink,
    faults: Faults,
    listener: MetadataListener,
  ) {
    this.#topics = topics.map((topic) => {
      return { topic, watch: new TopicWatch(), failures: 0, dueMs: 0 };
    });
    this.#link = new MetadataLink(bootstrap, createLink);
    this.#listener = listener;
    this.#faults = faults;
  }

  /** Asks until {@link stop}; errors only make it ask again. */
  async run(): Promise<void> {
    while (!this.#stopped) {
      try {
        this.#failures = (await this.#round()) ? 0 : this.#failures + 1;
      } catch (error) {
        this.#failures++;
        this.#report(error);
        this.#link.failed();
      }
      // A pause that begins now nobody would end.
      if (this.#stopped) return;
      if (this.#failures > 0) {
        this.refresh();
        this.#roundAfterMs = performance.now() + backoffMs(BACKOFF_MS, this.#failures);
      }
      await this.#pause();
    }
  }

  /** Leaders may have changed, of `topic` or of any: ask again soon. */
  refresh(topic?: Topic): void {
    for (const watched of this.#topics) {
      if (topic !== undefined && watched.topic !== topic) continue;
      // One that is not complete is asked about again in any case.
      if (watched.failures === 0) watched.dueMs = 0;
    }
    this.#armPause?.();
  }

  /**
   * The topic may be another one by now, though nothing has failed: asks, but not again and again.
   */
  recheck(topic: Topic): void {
    if (performance.now() >= this.#lookAfterMs + RECHECK_MS) this.refresh(topic);
  }

  /**
   * Whether a leader cannot be reached: then others may lead soon, and nobody says so. To be called
   * again and again; it asks ever more rarely.
   */
  doubt(unreachable: boolean, nowMs = performance.now()): void {
    if (!unreachable) this.#look = { pauseMs: LOOK_MS.first, notBeforeMs: 0 };
    else if (nowMs >= this.#look.notBeforeMs) {
      const { pauseMs } = this.#look;
      this.#look = { pauseMs: Math.min(LOOK_MS.last, 2 * pauseMs), notBeforeMs: nowMs + pauseMs };
      this.refresh();
    }
  }

  /** There is something new to see, a topic for instance: ask now, whatever went wrong before. */
  askNow(): void {
    for (const watched of this.#topics) Object.assign(watched, { failures: 0, dueMs: 0 });
    this.#failures = 0;
    this.#roundAfterMs = 0;
    this.#lookAfterMs = 0;
    this.#endPause?.();
  }

  /** Calls `done` with a new producer id; tries until it has one, or it is not wanted any more. */
  producerId(done: (answer: ProducerIdAnswer) => void, isWanted: () => boolean): void {
    this.#idRequests.push({ done, isWanted });
    this.#armPause?.();
  }

  stop(): void {
    this.#stopped = true;
    this.#link.close();
    this.#endPause?.();
  }

  /**
   * One look at the topics and the producer ids asked for. @returns false when an id was refused
   */
  async #round(): Promise<boolean> {
    const link = await this.#link.connect(
      this.#inDoubt || this.#sameViews >= SAME_VIEWS_MAX,
      () => {
        this.#sameViews = 0;
        this.#inDoubt = false;
      },
    );
    const nowMs = performance.now();
    const isDue = ({ dueMs }: Watched) => Math.max(dueMs, this.#lookAfterMs) <= nowMs;
    const wanted = this.#topics.filter(isDue);
    if (wanted.length > 0) {
      for (const watched of this.#topics) watched.dueMs = Number.POSITIVE_INFINITY;
      try {
        this.#take(await this.#ask(link), wanted);
      } catch (error) {
        for (const watched of this.#topics) watched.dueMs = 0;
        throw error;
      }
    }
    for (;;) {
      this.#idRequests = this.#idRequests.filter(({ isWanted }) => isWanted());
      if (this.#idRequests.length === 0) return true;
      const body = initProducerIdBody();
      const answer = await link.request(INIT_PRODUCER_ID, body, decodeInitProducerId, TIMES);
      if (answer.errorCode !== 0) {
        this.#noProducerId(answer.errorCode);
        return false;
      }
      this.#noProducerIdSinceMs = undefined;
      this.#idRequests.shift()!.done(answer);
    }
  }

  async #ask(link: BrokerLink): Promise<ClusterMetadata> {
    const names = this.#topics.map(({ topic }) => topic.name);
    const answer = link.supports(METADATA_WITH_IDS)
      ? await link.request(
          METADATA_WITH_IDS,
          metadataWithIdsBody(names),
          decodeMetadataWithIds,
          TIMES,
        )
      : await link.request(METADATA, metadataBody(names), decodeMetadata, TIMES);
    if (this.#link.address !== undefined) this.#listener.answered(this.#link.address);
    return answer;
  }

  #noProducerId(errorCode: number): void {
    const error = errorName(errorCode);
    this.#listener.producerIdFailed(errorCode);
    this.#noProducerIdSinceMs ??= performance.now();
    const isNew = performance.now() - this.#noProducerIdSinceMs < COORDINATOR_MS;
    const level = COORDINATOR_NOT_READY.has(errorCode) && isNew ? 'info' : 'warn';
    this.#faults[level](
      `${error} ${level}`,
      { error, errorCode },
      'producer id request failed, retrying',
    );
  }

  /** @param wanted topics that the answer was wanted for; it is about all of them */
  #take(metadata: ClusterMetadata, wanted: readonly Watched[]): void {
    const nowMs = performance.now();
    const brokers = new Map(
      metadata.brokers.map(({ nodeId, host, port }) => [nodeId, { host, port }]),
    );
    if (brokers.size > 0) this.#link.known = [...brokers.values()];
    const origin = { broker: this.#askedBroker(brokers), brokers: brokers.size };
    const views: TopicView[] = [];
    this.#inDoubt = false;
    for (const watched of this.#topics) {
      const known = this.#takeTopic(watched, metadata, origin, nowMs);
      const leaders = known?.leaders.map((id) => (brokers.has(id) ? id : -1)) ?? [-1];
      const complete = !leaders.includes(-1) && known?.doubtful === false;
      if (known) views.push({ topic: watched.topic, leaders, recreated: known.recreated });
      watched.failures = complete ? 0 : watched.failures + 1;
      const pauseMs = complete ? MAX_AGE_MS : backoffMs(BACKOFF_MS, watched.failures);
      watched.dueMs = Math.min(watched.dueMs, nowMs + pauseMs);
    }
    this.#lookAfterMs = nowMs + BACKOFF_MS.first;
    this.#compare(views.filter(({ topic }) => wanted.some((each) => each.topic === topic)));
    if (views.length > 0) this.#listener.changed({ brokers, topics: views });
  }

  /** @returns what is known; undefined when the answer says nothing of the topic's leaders */
  #takeTopic(
    watched: Watched,
    { topicMetadata }: ClusterMetadata,
    origin: AnswerOrigin,
    nowMs: number,
  ): (Finding & { state: 'known' }) | undefined {
    const { topic, watch } = watched;
    const answer = topicMetadata.find((entry) => entry.topic === topic.name);
    const finding = answer && watch.take(answer, origin, nowMs);
    switch (finding?.state) {
      case 'known':
        // Until now nothing could be had: that was no reason to be slow with what comes next.
        if (topic.partitions.length === 0) watched.failures = 0;
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

  /** @param finding undefined = the answer does not name the topic */
  #topicFailed(topic: Topic, finding: (Finding & { state: 'failed' }) | undefined): void {
    const error = finding === undefined ? 'nothing' : errorName(finding.errorCode);
    if (finding !== undefined && isRejectedByPolicy(finding.errorCode)) topic.state = 'rejected';
    this.#listener.topicFailed(topic, `Kafka answers ${error} for the topic`);
    // A topic that was just created has no leaders for a moment.
    if (finding?.errorCode === LEADER_NOT_AVAILABLE) return;
    this.#faults.warn(
      `${topic.name} ${error}`,
      { topic: topic.name, error },
      'metadata request failed',
    );
  }

  /** The broker that was asked, among those that the answer names. */
  #askedBroker(brokers: ReadonlyMap<number, Address>): number | undefined {
    if (this.#link.address === undefined) return undefined;
    const asked = formatBrokerAddress(this.#link.address);
    for (const [id, address] of brokers) if (formatBrokerAddress(address) === asked) return id;
    return undefined;
  }

  /** Who keeps saying the same to somebody who sees errors may be cut off: another is asked. */
  #compare(views: readonly TopicView[]): void {
    if (views.length === 0) return;
    const view = views.map(({ topic, leaders }) => `${topic.name}: ${leaders}`).join();
    this.#sameViews = view === this.#lastView ? this.#sameViews + 1 : 0;
    this.#lastView = view;
  }

  #report(error: unknown): void {
    if (!(error instanceof LinkError)) throw error;
    // The link that was asked on was closed by the stop.
    if (this.#stopped || this.#link.address === undefined) return;
    this.#listener.failed(this.#link.address, error);
  }

  /** Waits for the next round; what is asked for meanwhile may bring it nearer. */
  #pause(): Promise<void> {
    return new Promise((resolve) => {
      let timer: NodeJS.Timeout | undefined;
      this.#endPause = () => {
        clearTimeout(timer);
        this.#endPause = undefined;
        this.#armPause = undefined;
        resolve();
      };
      this.#armPause = () => {
        clearTimeout(timer);
        const waitMs = Math.max(0, this.#nextRoundMs() - performance.now());
        timer = setTimeout(() => this.#endPause?.(), Math.ceil(waitMs));
      };
      this.#armPause();
    });
  }

  #nextRoundMs(): number {
    const dueMs = Math.min(...this.#topics.map((watched) => watched.dueMs));
    const lookMs = Math.max(dueMs, this.#lookAfterMs);
    return Math.max(this.#roundAfterMs, this.#idRequests.length > 0 ? 0 : lookMs);
  }
}
