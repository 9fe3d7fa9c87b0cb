/** Moderate load for fault tests. Everything started here ends with its test, failed or not. */

import { setTimeout as sleep } from 'node:timers/promises';
import { WebSocket } from 'ws';
import { readableValue } from '../src/kafka/record-value.ts';
import { AcknowledgedClient, type ClientOptions } from './client.ts';
import type { Ledger } from './ledger.ts';
import type { Lifetime } from './lifetime.ts';
import { PlainClient } from './plain-client.ts';
import type { Access } from './post.ts';
import type { TestEvent } from './socket.ts';
import { readTopic, type TopicPlace, type TopicRecord } from './topic.ts';
import { PATIENCE_MS } from './wait.ts';

/** Recipient of generated events. */
export interface Source {
  /** Accepts no events now. */
  readonly busy: boolean;
  send(...events: TestEvent[]): unknown;
}

export interface LoadOptions {
  readonly eventsPerSecond: number;
  readonly eventsPerFrame?: number;
  /** Prefix of each id. */
  readonly prefix: string;
  /** Length of `msg`. */
  readonly msgBytes?: number;
}

const TICK_MS = 10;
/** Number of keys per source. */
const KEYS = 24;

/** Distributes events to its sources round-robin, until `stop`. */
export class Load {
  /** Number of events so far. */
  events = 0;
  readonly #sources: readonly Source[];
  readonly #options: LoadOptions;
  readonly #msg: string;
  readonly #ended: Promise<void>;
  #running = true;
  #next = 0;

  /** Starts at once. */
  constructor(t: Lifetime, sources: readonly Source[], options: LoadOptions) {
    this.#sources = sources;
    this.#options = options;
    this.#msg = 'm'.repeat(options.msgBytes ?? 20);
    this.#ended = this.#run();
    t.after(() => this.stop());
  }

  async stop(): Promise<void> {
    this.#running = false;
    await this.#ended;
  }

  async #run(): Promise<void> {
    const { eventsPerSecond, eventsPerFrame = 1 } = this.#options;
    let lastMs = performance.now();
    let due = 0;
    while (this.#running) {
      const nowMs = performance.now();
      // After a stall, the backlog is not sent in one burst.
      due += (Math.min(nowMs - lastMs, 10 * TICK_MS) * eventsPerSecond) / 1000;
      lastMs = nowMs;
      for (; due >= eventsPerFrame; due -= eventsPerFrame) this.#send(eventsPerFrame);
      await sleep(TICK_MS);
    }
  }

  #send(count: number): void {
    const source = this.#sources[this.#next++ % this.#sources.length]!;
    if (source.busy) return;
    const events: TestEvent[] = [];
    for (let i = 0; i < count; i++) {
      const number = this.events++;
      const id = `${this.#options.prefix}${number}`;
      events.push({ id, clientId: `k${number % KEYS}`, msg: this.#msg, timestamp: Date.now() });
    }
    source.send(...events);
  }
}

const BACKLOG_FRAMES = 1_000;

class AcknowledgedSource extends AcknowledgedClient implements Source {
  get busy(): boolean {
    return this.outstanding > BACKLOG_FRAMES;
  }
}

/** Opens `count` clients of `forebay.v1`. */
export function acknowledgedClients(
  t: Lifetime,
  count: number,
  options: ClientOptions,
): Promise<AcknowledgedSource[]> {
  const { name = 'a' } = options;
  const clients = Array.from(
    { length: count },
    (_, i) => new AcknowledgedSource({ ...options, name: `${name}${i}` }),
  );
  t.after(() => closeAll(clients));
  return Promise.all(clients.map((client) => client.open()));
}

interface PlainSourceOptions extends Access {
  readonly url: string;
  readonly name: string;
  readonly ledger: Ledger;
}

/** Plain client that reconnects after a connection loss. */
export class PlainSource implements Source {
  readonly #options: PlainSourceOptions;
  #client: PlainClient | undefined;
  #closing = false;
  connections = 0;

  constructor(options: PlainSourceOptions) {
    this.#options = options;
  }

  async open(): Promise<this> {
    const name = `${this.#options.name}/${++this.connections}`;
    const client = await new PlainClient({ ...this.#options, name }).open();
    this.#client = client;
    void client.closed.then(() => this.#again());
    return this;
  }

  get busy(): boolean {
    return this.#client?.socket.readyState !== WebSocket.OPEN;
  }

  send(...events: TestEvent[]): void {
    this.#client!.send(...events);
  }

  /** Resolves when the server has read everything that was sent. */
  async close(): Promise<void> {
    this.#closing = true;
    await this.#client?.close();
  }

  async #again(): Promise<void> {
    while (!this.#closing) {
      await sleep(50);
      try {
        await this.open();
        return;
      } catch {
        // The server is down at the moment.
      }
    }
  }
}

export function plainSources(
  t: Lifetime,
  count: number,
  url: string,
  ledger: Ledger,
  access: Access = {},
): Promise<PlainSource[]> {
  const sources = Array.from(
    { length: count },
    (_, i) => new PlainSource({ ...access, url, ledger, name: `p${i}` }),
  );
  t.after(() => closeAll(sources));
  return Promise.all(sources.map((source) => source.open()));
}

/** Resolves when the server has read everything that was sent. */
export async function closeAll(clients: readonly { close(): Promise<void> }[]): Promise<void> {
  await Promise.all(clients.map((client) => client.close()));
}

/** Waits until every frame of every client is settled. @throws Error that names the rest */
export async function allSettled(
  clients: readonly AcknowledgedClient[],
  deadlineMs = PATIENCE_MS,
): Promise<void> {
  await Promise.all(clients.map((client) => client.settled(deadlineMs)));
}

export function violationsOf(clients: readonly AcknowledgedClient[]): string[] {
  return clients.flatMap(({ violations }) => violations);
}

/** Returns records of events with this id prefix: the id is an event's first field. */
export function recordsWith(prefix: string, records: readonly TopicRecord[]): TopicRecord[] {
  const start = Buffer.from(`{"id":"${prefix}`);
  return records.filter((record) =>
    readableValue(record).bytes?.subarray(0, start.length).equals(start),
  );
}

const READ_TRIES = 20;
const READ_PAUSE_MS = 250;

/** Returns all records of the topic, after any election that a fault has left pending. */
export async function recordsOf(place: TopicPlace): Promise<TopicRecord[]> {
  for (let tries = 1; ; tries++) {
    try {
      return await readTopic(place);
    } catch (error) {
      const passes = (error as { retriable?: boolean }).retriable === true;
      if (!passes || tries === READ_TRIES) throw error;
      await sleep(READ_PAUSE_MS);
    }
  }
}
