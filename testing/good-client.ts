/** Well-behaved clients beside hostile ones: they must not notice them. */
import assert from 'node:assert/strict';
import { AcknowledgedClient } from './client.ts';
import type { Ledger } from './ledger.ts';
import type { Lifetime } from './lifetime.ts';
import { PlainClient } from './plain-client.ts';
import { type Access, Poster } from './post.ts';
import { eventText, keyOf, ponged, type TestEvent } from './socket.ts';
import { until } from './wait.ts';

export interface Service {
  /** Events of which each was acknowledged before the next was sent. */
  readonly ids: readonly string[];
  /** Of all the times from an event to its acknowledgement, 99 in 100 are not longer. */
  readonly p99Ms: number;
  /** The longest of these times. */
  readonly longestMs: number;
  /** The same for people. */
  readonly story: string;
}

export interface GoodOptions extends Access {
  readonly ledger?: Ledger;
}

type Exchange = (event: TestEvent) => Promise<void>;

/** Sends one event after the other, each when the last one is acknowledged, until it is stopped. */
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

  /** By WebSocket. Ends at `stop()`. @param url `ws://127.0.0.1:9000/ws` */
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

  /** The same; ends with the test at the latest. */
  static async overWs(
    lifetime: Lifetime,
    url: string,
    name: string,
    options: GoodOptions = {},
  ): Promise<GoodClient> {
    return (await GoodClient.start(url, name, options)).#endWith(lifetime);
  }

  /**
   * By WebSocket without acknowledgements: each event is followed by a ping, and the next one by
   * its pong. Ends with the test at the latest.
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

  /** By HTTP. Ends with the test at the latest. @param url `http://127.0.0.1:9000` */
  static overHttp(
    lifetime: Lifetime,
    url: string,
    name: string,
    { ledger, ...access }: GoodOptions = {},
  ): GoodClient {
    const poster = new Poster(url, access);
    const exchange = async (event: TestEvent) => {
      ledger?.sent(event.id, 1, { key: keyOf(event) });
      const { status, body } = await poster.post(eventText(event, 1));
      assert.deepEqual([status, body], [200, { accepted: 1, errors: [] }]);
      ledger?.acknowledged(event.id, 1);
    };
    return new GoodClient(name, exchange).#endWith(lifetime);
  }

  /** Events that were acknowledged. */
  get served(): number {
    return this.#latencies.length;
  }

  /** Waits until so many were acknowledged. */
  async hasServed(count: number): Promise<void> {
    const what = () => `${count} acknowledgements of ${this.#name}: ${this.#failure}`;
    const done = () => this.served >= count || this.#failure !== undefined;
    await until(done, { everyMs: 1, what });
  }

  /** Waits until so many more are acknowledged: it is still served. */
  serve(events: number): Promise<void> {
    return this.hasServed(this.served + events);
  }

  /** What it has had so far does not count. */
  forget(): void {
    this.#latencies.length = 0;
  }

  /** @throws the error at which it has ended: an event was refused, or the connection lost */
  async stop(): Promise<Service> {
    await this.#end();
    if (this.#failure !== undefined) throw this.#failure;
    return this.service;
  }

  /** What it has had so far. */
  get service(): Service {
    const sorted = [...this.#latencies].sort((a, b) => a - b);
    const p99Ms = sorted[Math.floor(0.99 * (sorted.length - 1))] ?? Number.NaN;
    const story = `a good client beside it: ${sorted.length} acks, p99 ${p99Ms.toFixed(1)} ms`;
    return { ids: this.#ids, p99Ms, longestMs: sorted.at(-1) ?? Number.NaN, story };
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
