/** Well-behaved clients during attacks, which must not affect them. */
import assert from 'node:assert/strict';
import { AcknowledgedClient } from './client.ts';
import type { Ledger } from './ledger.ts';
import type { Lifetime } from './lifetime.ts';
import { PlainClient } from './plain-client.ts';
import { type Access, Poster } from './post.ts';
import { eventText, keyOf, ponged, type TestEvent } from './socket.ts';
import { until } from './wait.ts';

export interface Service {
  /** Events, each acknowledged before the next one was sent. */
  readonly ids: readonly string[];
  /** 99th percentile of the time from an event to its acknowledgement. */
  readonly p99Ms: number;
  /** Maximum of these times. */
  readonly longestMs: number;
  /** The figures as text. */
  readonly summary: string;
}

export interface GoodOptions extends Access {
  readonly ledger?: Ledger;
}

type Exchange = (event: TestEvent) => Promise<void>;

/** Sends events in sequence, each after the previous acknowledgement, until it is stopped. */
export class GoodClient {
  readonly #ids: string[] = [];
  readonly #latencies: number[] = [];
  readonly #name: string;
  readonly #exchange: Exchange;
  readonly #close: () => Promise<void>;
  readonly #running: Promise<void>;
  #failure: unknown;
  #stopping = false;

  private constructor(name: string, exchange: Exchange, close = async () => {}) {
    this.#name = name;
    this.#exchange = exchange;
    this.#close = close;
    this.#running = this.#run().catch((error: unknown) => {
      this.#failure = error;
    });
  }

  /** Sends over WebSocket until `stop()`. @param url `ws://127.0.0.1:9000/ws` */
  static async start(url: string, name = 'good', options: GoodOptions = {}): Promise<GoodClient> {
    const client = await new AcknowledgedClient({ ...options, url, name }).open();
    const exchange = async (event: TestEvent) => {
      const frame = client.send(event);
      const settled = () => frame.state === 'settled' || client.closes.length > 0;
      await until(settled, { everyMs: 1, what: `the ack of ${event.id}` });
      assert.deepEqual([client.closes, frame.errors, client.violations], [[], [], []]);
    };
    return new GoodClient(name, exchange, () => client.close());
  }

  /** Connects over WebSocket; the client stops with the test at the latest. */
  static async overWs(
    lifetime: Lifetime,
    url: string,
    name: string,
    options: GoodOptions = {},
  ): Promise<GoodClient> {
    return (await GoodClient.start(url, name, options)).#endWith(lifetime);
  }

  /**
   * Sends over WebSocket without acknowledgements: a ping follows each event, and its pong triggers
   * the next one. Stops with the test at the latest.
   */
  static async overPlain(
    lifetime: Lifetime,
    url: string,
    name: string,
    options: GoodOptions = {},
  ): Promise<GoodClient> {
    const client = await new PlainClient({ ...options, url, name }).open();
    const ended = client.closed.then(({ code }) => {
      throw new Error(`the connection ended with ${code}`);
    });
    ended.catch(() => {});
    const exchange = async (event: TestEvent) => {
      client.send(event);
      await Promise.race([ponged(client.socket), ended]);
    };
    return new GoodClient(name, exchange, () => client.close()).#endWith(lifetime);
  }

  /** Sends over HTTP. Stops with the test at the latest. @param url `http://127.0.0.1:9000` */
  static overHttp(
    lifetime: Lifetime,
    url: string,
    name: string,
    { ledger, ...access }: GoodOptions = {},
  ): GoodClient {
    const poster = new Poster(url, access);
    const exchange = async (event: TestEvent) => {
      ledger?.sent(event.id, 1, { key: keyOf(event), isRepeat: false });
      const { status, body } = await poster.post(eventText(event, 1));
      assert.deepEqual([status, body], [200, { accepted: 1, errors: [] }]);
      ledger?.acknowledged(event.id, 1);
    };
    return new GoodClient(name, exchange).#endWith(lifetime);
  }

  /** Acknowledged events. */
  get served(): number {
    return this.#latencies.length;
  }

  /** Waits until `count` events were acknowledged. */
  async untilServed(count: number): Promise<void> {
    const what = () => `${count} acknowledgements of ${this.#name}: ${this.#failure}`;
    const done = () => this.served >= count || this.#failure !== undefined;
    await until(done, { everyMs: 1, what });
  }

  /** Waits until this many more events are acknowledged. */
  serve(events: number): Promise<void> {
    return this.untilServed(this.served + events);
  }

  /** Discards the figures so far. */
  forget(): void {
    this.#latencies.length = 0;
  }

  /** @throws the error that ended it: a rejection, or a lost connection */
  async stop(): Promise<Service> {
    await this.#end();
    if (this.#failure !== undefined) throw this.#failure;
    return this.service;
  }

  /** Figures so far. */
  get service(): Service {
    const sorted = [...this.#latencies].sort((a, b) => a - b);
    const p99Ms = sorted[Math.floor(0.99 * (sorted.length - 1))] ?? Number.NaN;
    const summary = `well-behaved client: ${sorted.length} acks, p99 ${p99Ms.toFixed(1)} ms`;
    return { ids: this.#ids, p99Ms, longestMs: sorted.at(-1) ?? Number.NaN, summary };
  }

  #endWith(lifetime: Lifetime): this {
    lifetime.after(() => this.#end());
    return this;
  }

  async #end(): Promise<void> {
    this.#stopping = true;
    await this.#running;
    await this.#close();
  }

  async #run(): Promise<void> {
    while (!this.#stopping) {
      const id = `${this.#name}-${this.#ids.length}`;
      this.#ids.push(id);
      const sinceMs = performance.now();
      await this.#exchange({ id, clientId: this.#name, msg: '', timestamp: 1 });
      this.#latencies.push(performance.now() - sinceMs);
    }
  }
}
