/**
 * Where the topic's partitions are, and producer ids: the one loop that asks brokers about them.
 * One invariant rules it: what was asked for stays asked for until an answer has brought it;
 * whatever fails on the way only makes the loop ask again, or another broker.
 */
import { backoffMs } from '../../common/backoff.ts';
import type { Faults } from '../faults.ts';
import { TIMES } from './adaptive-timeouts.ts';
import { Candidates } from './broker-selector.ts';
import { errorName } from './error-table.ts';
import { type ClusterMetadata, decodeMetadata } from './kafkajs.ts';
import { type Address, type BrokerLink, type CreateLink, LinkError } from './link.ts';
import {
  decodeInitProducerId,
  INIT_PRODUCER_ID,
  initProducerIdBody,
  METADATA,
  metadataBody,
  type ProducerIdAnswer,
} from './protocol.ts';

const BACKOFF_MS = { first: 50, last: 2_000 } as const;
const MAX_AGE_MS = 300_000;
const UNKNOWN_TOPIC = 3;
const LEADER_NOT_AVAILABLE = 5;
/** COORDINATOR_LOAD_IN_PROGRESS and its like: what a fresh cluster answers for a while. */
const COORDINATOR_NOT_READY: ReadonlySet<number> = new Set([14, 15, 16]);
/** Time for which that is normal. */
const COORDINATOR_MS = 10_000;
const SAME_VIEWS_MAX = 2;
/** Pause between two looks while a leader cannot be reached: the first, and the longest. */
const LOOK_MS = { first: 100, last: 1_000 } as const;

/** Where the topic's partitions are. */
export interface TopicView {
  /** Address by broker id. */
  readonly brokers: ReadonlyMap<number, Address>;
  /** Broker id of each partition's leader, by partition; -1 = none now. */
  readonly leaders: readonly number[];
}

/** A broker that is asked, or is to be. */
interface Asked {
  readonly address: Address;
  readonly link: BrokerLink;
  opening: boolean;
}

/** What the metadata loop finds. */
export interface MetadataListener {
  changed(view: TopicView): void;
  /** A broker answered, and does not know the topic. */
  topicMissing(): void;
  /** A broker answered a request for metadata. */
  answered(address: Address): void;
  /** A broker answered with an error for the topic. */
  topicFailed(why: string): void;
  /** A broker answered with an error instead of a producer id. */
  producerIdFailed(errorCode: number): void;
  /** A broker could not be asked. */
  failed(address: Address, error: LinkError): void;
}

/**
 * Keeps the topic's leaders up to date, and gets producer ids: on a connection of its own, so
 * that neither waits behind a produce request. Asks the known brokers in turn, one at a time.
 */
export class Metadata {
  readonly #topic: string;
  readonly #bootstrap: readonly Address[];
  readonly #createLink: CreateLink;
  readonly #listener: MetadataListener;
  readonly #faults: Faults;
  #known: readonly Address[] = [];
  readonly #candidates = new Candidates();
  #asked: Asked | undefined;
  /** Opened beside it, to be asked next. */
  #other: Asked | undefined;
  #partitions = 0;
  #lastView = '';
  /** Answers in a row that brought nothing new. */
  #sameViews = 0;
  /** Rounds in a row that did not bring all that was wanted. */
  #failures = 0;
  #wanted = true;
  #wake: (() => void) | undefined;
  #endPause: (() => void) | undefined;
  #look = { pauseMs: LOOK_MS.first as number, notBeforeMs: 0 };
  /** Since when every request for a producer id failed. */
  #noProducerIdSinceMs: number | undefined;
  #stopped = false;
  readonly #idRequests: ((answer: ProducerIdAnswer) => void)[] = [];

  constructor(
    topic: string,
    bootstrap: readonly Address[],
    createLink: CreateLink,
    faults: Faults,
    listener: MetadataListener,
  ) {
    this.#topic = topic;
    this.#bootstrap = bootstrap;
    this.#createLink = createLink;
    this.#listener = listener;
    this.#faults = faults;
  }

  /** Asks until {@link stop}; errors only make it ask again. */
  async run(): Promise<void> {
    while (!this.#stopped) {
      try {
        const complete = await this.#round();
        this.#failures = complete ? 0 : this.#failures + 1;
      } catch (error) {
        this.#failures++;
        this.#report(error);
        if (this.#asked) this.#candidates.failed(this.#asked.address, performance.now());
        this.#asked?.link.close();
        this.#asked = undefined;
      }
      // A pause that begins now nobody would end.
      if (this.#stopped) return;
      if (this.#failures > 0) {
        this.#wanted = true;
        await this.#pause(backoffMs(BACKOFF_MS, this.#failures), false);
      } else if (this.#wanted) {
        await this.#pause(BACKOFF_MS.first, false);
      } else if (this.#idRequests.length === 0) {
        await this.#pause(MAX_AGE_MS, true);
      }
    }
  }

  /** The leaders may have changed: ask again soon. */
  refresh(): void {
    this.#wanted = true;
    this.#wake?.();
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

  /** There is something new to see, the topic for instance: ask now, whatever went wrong before. */
  askNow(): void {
    this.#wanted = true;
    this.#failures = 0;
    this.#endPause?.();
  }

  /** Calls `done` with a new producer id; tries until it has one. */
  producerId(done: (answer: ProducerIdAnswer) => void): void {
    this.#idRequests.push(done);
    this.#wake?.();
  }

  stop(): void {
    this.#stopped = true;
    this.#asked?.link.close();
    this.#other?.link.close();
    this.#endPause?.();
  }

  /** One look at the topic and the producer ids asked for. @returns false when to ask again */
  async #round(): Promise<boolean> {
    const link = await this.#connect();
    let complete = true;
    if (this.#wanted) {
      this.#wanted = false;
      const view = await link.request(METADATA, metadataBody(this.#topic), decodeMetadata, TIMES);
      if (this.#asked?.link === link) this.#listener.answered(this.#asked.address);
      complete = this.#take(view);
    }
    while (this.#idRequests.length > 0) {
      const body = initProducerIdBody();
      const answer = await link.request(INIT_PRODUCER_ID, body, decodeInitProducerId, TIMES);
      if (answer.errorCode !== 0) {
        this.#noProducerId(answer.errorCode);
        return false;
      }
      this.#noProducerIdSinceMs = undefined;
      this.#idRequests.shift()!(answer);
    }
    return complete;
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
      'no producer id yet, asking again',
    );
  }

  /**
   * The connection to ask on. One that answers, but the same again and again, is not given up
   * before another one is open: a broker that is stopped takes a connection and says nothing.
   */
  async #connect(): Promise<BrokerLink> {
    const doubted = this.#sameViews >= SAME_VIEWS_MAX;
    const asked = this.#asked;
    if (asked?.link.usable && !doubted) return asked.link;
    const other = this.#other;
    if (other?.link.usable) {
      asked?.link.close();
      this.#asked = other;
      this.#other = undefined;
      this.#sameViews = 0;
      return other.link;
    }
    if (asked?.link.usable) {
      if (!other?.opening) this.#openOther(asked.address);
      return asked.link;
    }
    const next = this.#create(undefined);
    this.#asked = next;
    this.#sameViews = 0;
    await this.#open(next);
    return next.link;
  }

  /** Opens a link to another broker, if there is one, to be asked from then on. */
  #openOther(besides: Address): void {
    const other = this.#create(besides);
    this.#other = other;
    this.#open(other).catch(() => {
      this.#candidates.failed(other.address, performance.now());
      if (this.#other === other) this.#other = undefined;
    });
  }

  #create(besides: Address | undefined): Asked {
    const addresses = [...this.#known, ...this.#bootstrap];
    const address = this.#candidates.choose(addresses, besides, performance.now());
    return { address, link: this.#createLink(address), opening: false };
  }

  async #open(asked: Asked): Promise<void> {
    asked.opening = true;
    try {
      await asked.link.open(TIMES);
    } finally {
      asked.opening = false;
    }
    this.#candidates.answered(asked.address);
  }

  /** @returns whether every partition has a leader */
  #take(metadata: ClusterMetadata): boolean {
    const brokers = new Map(
      metadata.brokers.map(({ nodeId, host, port }) => [nodeId, { host, port }]),
    );
    if (brokers.size > 0) this.#known = [...brokers.values()];
    const topic = metadata.topicMetadata.find((entry) => entry.topic === this.#topic);
    if (topic?.topicErrorCode === UNKNOWN_TOPIC) {
      this.#listener.topicMissing();
      return false;
    }
    if (topic === undefined || topic.topicErrorCode !== 0) {
      const error = topic === undefined ? 'nothing' : errorName(topic.topicErrorCode);
      this.#listener.topicFailed(`Kafka answers ${error} for the topic`);
      // A topic that was just created has no leaders for a moment.
      if (topic?.topicErrorCode !== LEADER_NOT_AVAILABLE) {
        this.#faults.warn(error, { topic: this.#topic, error }, 'metadata request failed');
      }
      return false;
    }
    // Until now nothing could be had: that was no reason to be slow with what comes next.
    if (this.#partitions === 0) this.#failures = 0;
    // One answer may come from a broker that has not heard of all partitions yet.
    this.#partitions = Math.max(this.#partitions, topic.partitionMetadata.length);
    const leaders = new Array<number>(this.#partitions).fill(-1);
    for (const { partitionId, leader } of topic.partitionMetadata) {
      // An id beyond the count is a hole of that answer: one more to ask for.
      if (partitionId < this.#partitions && brokers.has(leader)) leaders[partitionId] = leader;
    }
    this.#compare(leaders);
    this.#listener.changed({ brokers, leaders });
    return !leaders.includes(-1);
  }

  /** Who keeps saying the same to somebody who sees errors may be cut off: another is asked. */
  #compare(leaders: readonly number[]): void {
    const view = leaders.join();
    this.#sameViews = view === this.#lastView ? this.#sameViews + 1 : 0;
    this.#lastView = view;
  }

  #report(error: unknown): void {
    if (!(error instanceof LinkError)) throw error;
    // The link that was asked on was closed by the stop.
    if (this.#stopped || this.#asked === undefined) return;
    this.#listener.failed(this.#asked.address, error);
  }

  #pause(ms: number, untilWoken: boolean): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer);
        this.#wake = undefined;
        this.#endPause = undefined;
        if (untilWoken && !this.#idRequests.length) this.#wanted = true;
        resolve();
      };
      const timer = setTimeout(done, ms);
      this.#endPause = done;
      if (untilWoken) this.#wake = done;
    });
  }
}
