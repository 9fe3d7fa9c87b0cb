/** Well-behaved clients beside hostile ones: they must not notice them. */
import assert from 'node:assert/strict';
import { AcknowledgedClient } from './client.ts';
import type { Lifetime } from './lifetime.ts';
import { eventText, type TestEvent } from './socket.ts';
import { until } from './wait.ts';

export interface Service {
  /** Events of which each was acknowledged before the next was sent. */
  readonly ids: readonly string[];
  /** Of all the times from an event to its acknowledgement, 99 in 100 are not longer. */
  readonly p99Ms: number;
}

/** Sends one event after the other until it is stopped. */
export class GoodClient {
  readonly #ids: string[] = [];
  readonly #latencies: number[] = [];
  readonly #name: string;
  readonly #exchange: (event: TestEvent) => Promise<void>;
  readonly #running: Promise<void>;
  #failure: unknown;
  #stopping = false;

  private constructor(
    lifetime: Lifetime,
    name: string,
    exchange: (event: TestEvent) => Promise<void>,
  ) {
    this.#name = name;
    this.#exchange = exchange;
    this.#running = this.#run().catch((error: unknown) => {
      this.#failure = error;
    });
    lifetime.after(() => {
      this.#stopping = true;
      return this.#running;
    });
  }

  /** By WebSocket. Ends with the test at the latest. @param url `ws://127.0.0.1:9000/ws` */
  static async overWs(lifetime: Lifetime, url: string, name: string): Promise<GoodClient> {
    const client = await new AcknowledgedClient({ url, name }).open();
    const good = new GoodClient(lifetime, name, async (event) => {
      const frame = client.send(event);
      const settled = () => frame.state === 'settled' || client.closes.length > 0;
      await until(settled, { everyMs: 1, what: `the ack of ${event.id}` });
      assert.deepEqual([client.closes, frame.errors, client.violations], [[], [], []]);
    });
    lifetime.after(() => client.close());
    return good;
  }

  /** By HTTP. Ends with the test at the latest. @param url `http://127.0.0.1:9000` */
  static overHttp(lifetime: Lifetime, url: string, name: string): GoodClient {
    return new GoodClient(lifetime, name, async (event) => {
      const headers = { 'Content-Type': 'application/json' };
      const request = { method: 'POST', headers, body: eventText(event, 1) };
      const response = await fetch(`${url}/events`, request);
      const answer = await response.json();
      assert.deepEqual([response.status, answer], [200, { accepted: 1, errors: [] }]);
    });
  }

  /** Events that were acknowledged. */
  get served(): number {
    return this.#latencies.length;
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

  /** Waits until so many were acknowledged. */
  async hasServed(count: number): Promise<void> {
    const what = () => `${count} acknowledgements of ${this.#name}: ${this.#failure}`;
    const done = () => this.served >= count || this.#failure !== undefined;
    await until(done, { everyMs: 1, what });
  }

  /** @throws the error at which it has ended: an event was refused, or the connection lost */
  async stop(): Promise<Service> {
    this.#stopping = true;
    await this.#running;
    if (this.#failure !== undefined) throw this.#failure;
    const sorted = this.#latencies.sort((a, b) => a - b);
    return { ids: this.#ids, p99Ms: sorted[Math.floor(0.99 * (sorted.length - 1))] ?? 0 };
  }
}
