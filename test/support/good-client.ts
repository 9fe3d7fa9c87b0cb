/** A client that behaves well beside others that do not, and what it feels of them. */
import assert from 'node:assert/strict';
import { AcknowledgedClient } from './client.ts';
import { until } from './wait.ts';

export class GoodClient {
  readonly #client: AcknowledgedClient;
  readonly #latenciesMs: number[] = [];
  readonly #running: Promise<void>;
  #going = true;

  private constructor(client: AcknowledgedClient, latenciesMs: number[]) {
    this.#client = client;
    this.#latenciesMs = latenciesMs;
    this.#running = this.#run();
  }

  /** Connects, and sends one event after the other, each when the last one is acknowledged. */
  static async start(url: string): Promise<GoodClient> {
    const latenciesMs: number[] = [];
    const onLatency = (ms: number) => latenciesMs.push(ms);
    const client = await new AcknowledgedClient({ url, name: 'good', onLatency }).open();
    return new GoodClient(client, latenciesMs);
  }

  /** Events that were acknowledged so far. */
  get served(): number {
    return this.#latenciesMs.length;
  }

  /** Waits until so many more are acknowledged: it is still served. */
  async serve(events: number): Promise<void> {
    const enough = this.served + events;
    await until(() => this.served >= enough, { what: `${events} more acks of a good client` });
  }

  /**
   * Ends it, and holds that it was served all the time on one connection.
   * @returns its 99th percentile, for people
   */
  async stop(): Promise<string> {
    this.#going = false;
    await this.#running;
    const { violations, closes } = this.#client;
    assert.deepEqual({ violations, closes }, { violations: [], closes: [] });
    await this.#client.close();
    const sorted = this.#latenciesMs.sort((a, b) => a - b);
    const p99Ms = sorted[Math.floor(0.99 * (sorted.length - 1))] ?? Number.NaN;
    return `a good client beside it: ${sorted.length} acks, p99 ${p99Ms.toFixed(1)} ms`;
  }

  async #run(): Promise<void> {
    for (let number = 0; this.#going; number++) {
      const event = { id: `g${number}`, clientId: 'good', msg: '', timestamp: number };
      const frame = this.#client.send(event);
      await until(() => frame.state === 'settled', { everyMs: 1 });
      assert.deepEqual(frame.errors, []);
    }
  }
}
