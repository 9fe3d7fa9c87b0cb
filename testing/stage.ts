/** Gateway with a topic of its own, and queries on both for a test file. */
import { EVENT_CODES, type EventCode } from '../src/common/errors.ts';
import { type Gateway, startGateway } from './gateway.ts';
import { sharedKafka, uniqueTopic } from './kafka.ts';
import type { Metrics } from './metrics.ts';
import type { NackError } from './protocol.ts';
import { createTopic, readTopic, type TopicRecord } from './topic.ts';
import { PATIENCE_MS, until } from './wait.ts';

export interface StageOptions {
  readonly brokers?: readonly string[];
  readonly partitions?: number;
  /** Configuration of the topic. */
  readonly config?: Readonly<Record<string, string>>;
  readonly env?: Readonly<Record<string, string>>;
  /** Command that executes Node.js for the gateway, see GatewayOptions. */
  readonly wrapper?: readonly string[];
}

export class Stage {
  gateway!: Gateway;
  brokers: readonly string[] = [];
  topic = '';
  readonly #read = new Map<number, bigint>();

  /** Stage of a running gateway. */
  static of(gateway: Gateway, brokers: readonly string[], topic: string): Stage {
    return Object.assign(new Stage(), { gateway, brokers, topic });
  }

  /** Creates the topic, starts a gateway on it, and waits until it is ready. */
  async open(options: StageOptions): Promise<void> {
    this.brokers = options.brokers ?? (await sharedKafka()).brokers;
    this.topic = uniqueTopic();
    const { brokers, topic } = this;
    const { env = {}, wrapper = [], partitions = 6, config = {} } = options;
    const configEntries = Object.entries(config).map(([name, value]) => ({ name, value }));
    await createTopic({ brokers, topic }, { numPartitions: partitions, configEntries });
    this.gateway = await startGateway({ brokers, topic, env, wrapper });
  }

  /** Records that were stored since the last call. */
  async newRecords(): Promise<TopicRecord[]> {
    const records = await readTopic({ ...this, fromOffsets: this.#read });
    for (const { partition, offset } of records) this.#read.set(partition, BigInt(offset) + 1n);
    return records;
  }

  /** Values of {@link newRecords}. */
  async newValues(): Promise<string[]> {
    return (await this.newRecords()).map(({ value }) => String(value));
  }
}

/** Opens a stage; the caller stops its gateway. */
export async function openStage(options: StageOptions = {}): Promise<Stage> {
  const stage = new Stage();
  await stage.open(options);
  return stage;
}

export interface PostAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: {
    readonly accepted: number;
    readonly errors: readonly NackError[];
    /** The only field if the request is rejected as a whole. */
    readonly error?: { readonly code: string; readonly message: string };
  };
}

/** Sends a body to `POST /events`. @param type '' = no Content-Type */
export async function post(
  { gateway }: Pick<Stage, 'gateway'>,
  body: string | Buffer,
  type = 'application/json',
  others: Readonly<Record<string, string>> = {},
): Promise<PostAnswer> {
  // Bytes: fetch adds a content type to strings.
  const headers = { ...others, ...(type !== '' && { 'Content-Type': type }) };
  const request = { method: 'POST', body: new Uint8Array(Buffer.from(body)), headers };
  const response = await fetch(`${gateway.httpUrl}/events`, request);
  const answer = (await response.json()) as PostAnswer['body'];
  return { status: response.status, headers: response.headers, body: answer };
}

/** Time from taking a snapshot to the start of its age. */
const SNAPSHOT_WAY_MS = 100;

const SNAPSHOT_AGE = 'forebay_worker_snapshot_age_seconds{';

/** Returns metrics from snapshots of all workers taken after the call. */
export async function freshMetrics(gateway: Gateway): Promise<Metrics> {
  const since = performance.now() + SNAPSHOT_WAY_MS;
  return until(
    async () => {
      const metrics = await gateway.metrics();
      const ages = [...metrics.series].filter(([name]) => name.startsWith(SNAPSHOT_AGE));
      const oldestMs = 1000 * Math.max(...ages.map(([, seconds]) => seconds));
      return performance.now() - oldestMs > since ? metrics : undefined;
    },
    { everyMs: 50, what: 'a fresh snapshot' },
  );
}

/** Waits until nothing is in flight. */
export async function metricsAtRest(gateway: Gateway, deadlineMs = PATIENCE_MS): Promise<Metrics> {
  return until(
    async () => {
      const metrics = await freshMetrics(gateway);
      return metrics.value('forebay_events_in_flight') === 0 ? metrics : undefined;
    },
    { deadlineMs, what: 'no events in flight' },
  );
}

type Counts = Partial<Record<EventCode, number>>;

/** Counts of events by result, as expected by a test or according to the counters. */
export interface Account {
  readonly received: { ws: number; http: number };
  stored: number;
  storedLate: number;
  refused: Counts;
  dropped: Counts;
  unaccounted: number;
}

/** Events of a test file and their expected results, compared with the counters at the end. */
export class Tally implements Account {
  readonly received = { ws: 0, http: 0 };
  stored = 0;
  storedLate = 0;
  readonly refused: Counts = {};
  readonly dropped: Counts = {};
  readonly unaccounted = 0;

  /** Counts events sent over WebSocket: `stored` of them, and the rejected ones by code. */
  ws(stored: number, refused: Counts = {}): void {
    this.#note('ws', stored, refused);
  }

  /** Counts events sent over HTTP. */
  http(stored: number, refused: Counts = {}): void {
    this.#note('http', stored, refused);
  }

  /** Counts valid events of plain clients that were dropped. */
  drop(code: EventCode, events: number): void {
    this.received.ws += events;
    this.dropped[code] = (this.dropped[code] ?? 0) + events;
  }

  #note(transport: 'ws' | 'http', stored: number, refused: Counts): void {
    this.stored += stored;
    this.received[transport] += stored;
    for (const [code, events] of Object.entries(refused) as [EventCode, number][]) {
      this.refused[code] = (this.refused[code] ?? 0) + events;
      this.received[transport] += events;
    }
  }

  /** The counts as a plain object, for comparison. */
  get account(): Account {
    const { received, stored, storedLate, refused, dropped, unaccounted } = this;
    return { received, stored, storedLate, refused, dropped, unaccounted };
  }
}

/** Counters of a gateway at rest, without zero reasons. */
export async function accountOf(gateway: Gateway): Promise<Account> {
  const metrics = await metricsAtRest(gateway);
  const byCode = (name: string, codes: readonly EventCode[]) => {
    const counts: Counts = {};
    for (const code of codes) {
      const events = metrics.value(name, { reason: code });
      if (events > 0) counts[code] = events;
    }
    return counts;
  };
  const codes = Object.keys(EVENT_CODES) as EventCode[];
  const received = (transport: string) =>
    metrics.value('forebay_events_received_total', { transport });
  return {
    received: { ws: received('ws'), http: received('http') },
    stored: metrics.value('forebay_events_stored_total'),
    storedLate: metrics.value('forebay_events_stored_late_total'),
    refused: byCode('forebay_events_refused_total', codes),
    dropped: byCode(
      'forebay_events_dropped_total',
      codes.filter((code) => EVENT_CODES[code].retry),
    ),
    unaccounted: metrics.value('forebay_events_unaccounted'),
  };
}
