/** A well-behaved client beside hostile ones: it must not notice them. */
import assert from 'node:assert/strict';
import { AcknowledgedClient } from './client.ts';
import type { Lifetime } from './lifetime.ts';
import { until } from './wait.ts';

export interface Service {
  /** Events of which each was acknowledged before the next was sent. */
  readonly ids: readonly string[];
  /** Of all the times from an event to its ack, 99 in 100 are not longer. */
  readonly p99Ms: number;
}

/** Sends one event after the other until it is stopped. */
export class GoodClient {
  readonly #ids: string[] = [];
  readonly #latencies: number[] = [];
  readonly #name: string;
  readonly #client: AcknowledgedClient;
  #running: Promise<void> | undefined;
  #failure: unknown;
  #stopping = false;

  private constructor(url: string, name: string) {
    this.#name = name;
    const onLatency = (ms: number) => this.#latencies.push(ms);
    this.#client = new AcknowledgedClient({ url, name, onLatency });
  }

  /** Ends with the test at the latest. @param url `ws://127.0.0.1:9000/ws` */
  static async start(lifetime: Lifetime, url: string, name: string): Promise<GoodClient> {
    const good = new GoodClient(url, name);
    lifetime.after(() => {
      good.#stopping = true;
      return good.#client.close();
    });
    await good.#client.open();
    good.#running = good.#run().catch((error: unknown) => {
      good.#failure = error;
    });
    return good;
  }

  /** Events that were acknowledged. */
  get served(): number {
    return this.#latencies.length;
  }

  async #run(): Promise<void> {
    while (!this.#stopping) {
      const id = `${this.#name}-${this.#ids.length}`;
      this.#ids.push(id);
      const frame = this.#client.send({ id, clientId: this.#name, msg: '', timestamp: 1 });
      const settled = () => frame.state === 'settled' || this.#client.closes.length > 0;
      await until(settled, { everyMs: 1, what: `the ack of ${id}` });
      if (this.#stopping && frame.state !== 'settled') return;
      assert.deepEqual(this.#client.closes, [], 'the good client was thrown out');
      assert.deepEqual(frame.errors, [], 'the good client was refused');
    }
  }

  /** @throws AssertionError when one of its events was not acknowledged */
  async stop(): Promise<Service> {
    this.#stopping = true;
    await this.#running;
    if (this.#failure !== undefined) throw this.#failure;
    assert.deepEqual(this.#client.violations, []);
    await this.#client.close();
    const sorted = this.#latencies.sort((a, b) => a - b);
    return { ids: this.#ids, p99Ms: sorted[Math.floor(0.99 * (sorted.length - 1))] ?? 0 };
  }
}
