/** Streams of a simulated gateway: their declaration, their events, the ledger of each topic. */
import {
  type HeaderName,
  PLAIN_RECORDS,
  REFUSE,
  type StreamFile,
  type StreamSchema,
  type StreamSpec,
} from '../../src/streams/stream-file.ts';
import { BUILT_IN_SCHEMA } from '../../src/worker/intake/validator.ts';
import { Ledger } from '../../testing/ledger.ts';
import type { SeededRandom } from '../../testing/random.ts';
import type { SimEvent } from './events.ts';

/** Topic of the first stream, and of a gateway without a stream file. */
export const TOPIC = 'simulated';
/** Field that selects the stream of an event. */
const FIELD = 'type';

/** Headers whose values depend on the history alone, in the order of records. */
const HEADERS: readonly HeaderName[] = ['received', 'event-id', 'resent', 'stream', 'transport'];
/** Field with the time of an event. */
const TIME_FIELD = 'timestamp';
/** Bounds of event times around the arrival, far beyond a history. */
const TIME_BOUNDS = { pastMs: 3_600_000, futureMs: 300_000 } as const;

/** Form of the records of a stream. */
export interface RecordPlan {
  readonly headers: readonly HeaderName[];
  /** Events state their time. */
  readonly isTimed: boolean;
  readonly isKeyed: boolean;
}

/** Records without a stream file. */
const PLAIN: RecordPlan = { headers: [], isTimed: false, isKeyed: true };

/** Streams that a seed chooses. */
export interface StreamsPlan {
  /** By stream, with `default` as the first one: the number of its topic. */
  readonly topics: readonly number[];
  readonly shares: readonly number[];
  readonly records: readonly RecordPlan[];
  /** By topic, from the second on: its partitions. The last topic is {@link spareOf}. */
  readonly partitions: readonly number[];
  /** Number of reloads. Each moves the last stream to the spare topic, or back. */
  readonly reloads: number;
}

/** Returns the number of the topic that no stream has at first. */
export function spareOf({ partitions }: StreamsPlan): number {
  return partitions.length;
}

export function streamsFor(random: SeededRandom): StreamsPlan {
  const count = random.int(2, 4);
  const isShared = random.chance(0.4);
  const topics = Array.from({ length: count }, (_, index) => index);
  if (isShared) topics[count - 1] = random.int(0, count - 2);
  const others = Math.max(...topics);
  return {
    topics,
    shares: topics.map(() => random.pick([0.25, 0.5, 0.5, 1])),
    records: topics.map(() => recordsFor(random)),
    partitions: Array.from({ length: others + 1 }, () => random.int(1, 4)),
    // The ledger of the first topic, which is recreated, cannot follow its events to another one.
    reloads: topics[count - 1] !== 0 && random.chance(0.6) ? random.int(1, 5) : 0,
  };
}

function recordsFor(random: SeededRandom): RecordPlan {
  return {
    headers: random.chance(0.3) ? [] : HEADERS.filter(() => random.chance(0.85)),
    isTimed: random.chance(0.3),
    isKeyed: random.chance(0.5),
  };
}

/** Chooses the time of an event. @param isTimely within the bounds, else beyond them */
export function eventTime(random: SeededRandom, isTimely: boolean): number {
  const { pastMs, futureMs } = TIME_BOUNDS;
  const distanceMs = isTimely
    ? random.int(-pastMs / 2, futureMs / 2)
    : random.pick([-2 * pastMs, 10 * futureMs]);
  return Date.now() + distanceMs;
}

export function topicName(topic: number): string {
  return topic === 0 ? TOPIC : `${TOPIC}.${topic}`;
}

const SCHEMA: StreamSchema = {
  file: 'simulated.json',
  text: JSON.stringify(BUILT_IN_SCHEMA),
  mode: 'enforce',
  candidate: undefined,
};

/**
 * Returns the stream file of a plan. Every second stream has a schema, and thus no fast path.
 * @param isMoved the last stream has the spare topic
 */
export function streamFileOf(plan: StreamsPlan, keyField: string, isMoved: boolean): StreamFile {
  const { topics, shares, records } = plan;
  const streams = topics.map((topic, index): StreamSpec => {
    const isSpare = isMoved && index === topics.length - 1;
    const { headers, isTimed, isKeyed } = records[index]!;
    const time = isTimed
      ? ({ field: [TIME_FIELD], unit: 'ms', ...TIME_BOUNDS } as const)
      : undefined;
    return {
      name: streamName(index),
      topic: topicName(isSpare ? spareOf(plan) : topic),
      match: [matchOf(index)],
      create: undefined,
      schema: hasSchema(index) ? SCHEMA : undefined,
      key: isKeyed ? [[keyField]] : [],
      limits: { eventBytes: undefined, eventsPerSecond: undefined, bufferShare: shares[index]! },
      record: { ...PLAIN_RECORDS, headers, time },
      origins: undefined,
      access: 'open',
      plain: 'accept',
      deadLetter: undefined,
      internal: false,
      owner: undefined,
      required: true,
    };
  });
  return { routing: { field: [FIELD], unknown: REFUSE }, deadLetter: undefined, streams };
}

/** Returns the name of the stream that reloads move. */
export function movingName({ topics }: StreamsPlan): string {
  return streamName(topics.length - 1);
}

function streamName(index: number): string {
  return index === 0 ? 'default' : `s${index}`;
}

function matchOf(index: number): string {
  return `kind-${index}`;
}

function hasSchema(index: number): boolean {
  return index % 2 === 1;
}

/** Stream of an event. */
export interface Destination {
  /** Number of the topic. */
  readonly topic: number;
  /** Start of the event's text that names its stream; '' = nothing does. */
  readonly field: string;
  /** Events that violate the schema are rejected. */
  readonly hasSchema: boolean;
  /** No stream has this value. */
  readonly isUnknown: boolean;
  /** Reloads move its stream to another topic. */
  readonly moves: boolean;
  /** Name of the stream. */
  readonly stream: string;
  readonly records: RecordPlan;
}

const ONLY: Destination = {
  topic: 0,
  field: '',
  hasSchema: true,
  isUnknown: false,
  moves: false,
  stream: streamName(0),
  records: PLAIN,
};

/** Streams that the events of one client belong to. */
export class Destinations {
  /** Path below `/ws` and `/events`: '' or `/s1`. */
  readonly path: string;
  readonly #topics: readonly number[];
  readonly #records: readonly RecordPlan[];
  readonly #named: number | undefined;

  /** @param plan undefined = there is no stream file */
  constructor(plan: StreamsPlan | undefined, random: SeededRandom) {
    this.#topics = plan?.topics ?? [];
    this.#records = plan?.records ?? [];
    if (plan === undefined || random.chance(0.4)) {
      this.path = '';
      return;
    }
    this.#named = random.int(0, plan.topics.length - 1);
    this.path = `/${streamName(this.#named)}`;
  }

  /** Chooses the stream of the next event. */
  next(random: SeededRandom): Destination {
    const topics = this.#topics;
    if (topics.length === 0) return ONLY;
    const index = random.int(0, topics.length - 1);
    const isUnknown = random.chance(0.03);
    const field = `"${FIELD}":"${isUnknown ? 'none' : matchOf(index)}",`;
    // The path decides, whatever the field says.
    if (this.#named !== undefined) return this.#to(this.#named, random.chance(0.5) ? field : '');
    if (index === 0 && random.chance(0.5)) return this.#to(0, '');
    return this.#to(index, field, isUnknown);
  }

  #to(index: number, field: string, isUnknown = false): Destination {
    const moves = !isUnknown && index === this.#topics.length - 1;
    return {
      topic: this.#topics[index]!,
      field,
      hasSchema: hasSchema(index),
      isUnknown,
      moves,
      stream: streamName(index),
      records: this.#records[index]!,
    };
  }
}

/** Returns the suffix of the ids of events that belong to a topic. */
export function idSuffix(topic: number): string {
  return `@${topic}`;
}

/** Returns the number of the topic that an event belongs to, by its id or name. */
export function topicOfId(id: string): number {
  return Number(/@(\d+)/.exec(id)?.[1]);
}

/** Ledgers of the topics that streams have at first; each event is in that of its own topic. */
export class Ledgers {
  readonly #byTopic: readonly Ledger[];

  /** @param topics number of topics */
  constructor(topics: number) {
    this.#byTopic = Array.from({ length: topics }, () => new Ledger());
  }

  /** Number of sends so far. */
  get size(): number {
    return this.#byTopic.reduce((sum, { size }) => sum + size, 0);
  }

  of(topic: number): Ledger {
    return this.#byTopic[topic]!;
  }

  /** @param connection within which its order is kept, unless it has no key */
  sent({ id, attempt, key, records }: SimEvent, connection: string): void {
    const facts = records.isKeyed ? { key, connection } : { key: null };
    this.of(topicOfId(id)).sent(id, attempt, facts);
  }

  acknowledged(...result: Parameters<Ledger['acknowledged']>): void {
    this.of(topicOfId(result[0])).acknowledged(...result);
  }

  refused(...result: Parameters<Ledger['refused']>): void {
    this.of(topicOfId(result[0])).refused(...result);
  }
}
