import { type BrokerLink, LinkError } from '../../src/worker/producer/link.ts';
import { METADATA_WITH_IDS } from '../../src/worker/producer/metadata-with-ids.ts';
import type { Api, RequestBody } from '../../src/worker/producer/protocol.ts';
import type { Broker } from './broker.ts';
import type { VirtualClock } from './clock.ts';
import type { Faults } from './faults.ts';
import type { Quotas } from './quotas.ts';
import type { SentBatches } from './sent-batches.ts';
import { API_KEYS, throttleIn } from './wire.ts';

type Times = Parameters<BrokerLink['request']>[3];

/** Environment of links. */
export interface Line {
  readonly clock: VirtualClock;
  readonly faults: Faults;
  readonly sent: SentBatches;
  readonly quotas: Quotas;
  readonly note: (line: () => string) => void;
  /** Brokers report topic ids. */
  readonly topicIds: boolean;
  readonly demand: (holds: boolean, otherwise: string) => void;
  opened(link: SimLink): void;
  closed(link: SimLink): void;
}

/** A connection to a simulated broker: bytes travel with delays, or are lost. */
export class SimLink implements BrokerLink {
  readonly #host: string;
  readonly #broker: Broker | undefined;
  readonly #line: Line;
  #state: 'new' | 'open' | 'closed' = 'new';
  #reject: ((error: LinkError) => void) | undefined;
  #forget: (() => void) | undefined;
  #busy = false;
  /** Time before which the broker does not read from this connection: a quota. */
  #mutedUntilMs = 0;

  constructor(host: string, broker: Broker | undefined, line: Line) {
    this.#host = host;
    this.#broker = broker;
    this.#line = line;
  }

  get usable(): boolean {
    return this.#state === 'open';
  }
  get idle(): boolean {
    return this.usable && !this.#busy;
  }

  supports({ apiVersion }: Api): boolean {
    return this.#line.topicIds || apiVersion < METADATA_WITH_IDS.apiVersion;
  }

  open(times: Times): Promise<void> {
    const { clock, faults, note } = this.#line;
    return this.#pending(times.connectMs, 'connect_timeout', (resolve) => {
      clock.after(faults.lineMs() * 4, () => {
        const broker = this.#broker;
        if (broker === undefined || broker.health === 'down') return this.end('connection');
        this.#forget = broker.onDown(() =>
          clock.after(faults.lineMs(), () => this.end('connection')),
        );
        broker.do(() => {
          if (this.#state !== 'new') return;
          this.#state = 'open';
          this.#line.opened(this);
          note(() => `a link to ${this.#host} is open`);
          resolve();
        });
      });
    });
  }

  request<T>(
    api: Api,
    body: RequestBody,
    decode: (raw: Buffer) => T | Promise<T>,
    times: Times,
  ): Promise<T> {
    if (!this.idle) return Promise.reject(new LinkError('connection', 'the link cannot be used'));
    const bytes = Buffer.concat(body);
    const outcome = api.apiKey === API_KEYS.produce ? this.#produce(bytes) : undefined;
    this.#busy = true;
    // Responses arrive whole, so the guard always fires before the bound of the whole request.
    const answered = this.#pending<Buffer>(times.guardMs, 'guard', (resolve) => {
      this.#travel(api, bytes, resolve);
    });
    return this.#answer(answered, decode, outcome).finally(() => {
      const same = Buffer.concat(body).equals(bytes);
      this.#line.demand(same, 'a request changed while it was in flight');
    });
  }

  /** A produce request leaves. @returns the callback for its response; undefined = none */
  #produce(bytes: Buffer): (response: Buffer | undefined) => void {
    const { sent, quotas } = this.#line;
    quotas.begin(this.#host);
    const outcome = sent.begin(bytes);
    return (response) => {
      outcome(response);
      if (response !== undefined) quotas.throttled(this.#host, throttleIn(response));
    };
  }

  async #answer<T>(
    answered: Promise<Buffer>,
    decode: (raw: Buffer) => T | Promise<T>,
    outcome: ((response: Buffer | undefined) => void) | undefined,
  ): Promise<T> {
    try {
      const raw = await answered;
      const value = await decode(raw);
      outcome?.(raw);
      return value;
    } catch (error) {
      outcome?.(undefined);
      if (error instanceof LinkError) throw error;
      this.end('bad_response');
      throw new LinkError('bad_response', String(error));
    } finally {
      this.#busy = false;
    }
  }

  close(): void {
    this.end('closed');
  }

  /** The connection ends; data in flight may still arrive. */
  end(why: LinkError['why']): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.#line.note(() => `a link to ${this.#host} ends: ${why}`);
    this.#forget?.();
    this.#line.closed(this);
    this.#reject?.(new LinkError(why, `simulated: ${why}`));
  }

  #travel({ apiKey, apiVersion }: Api, body: Buffer, resolve: (response: Buffer) => void): void {
    const { clock, faults } = this.#line;
    const { ms, cutMs } = faults.travel();
    const sentAtMs = clock.nowMs;
    if (cutMs !== undefined) clock.after(cutMs, () => this.end('connection'));
    if (ms === undefined) return;
    const mutedMs = Math.max(0, this.#mutedUntilMs - clock.nowMs);
    clock.after(Math.max(ms, mutedMs), () => {
      const broker = this.#broker;
      if (broker === undefined || broker.health === 'down') return;
      broker.handle({
        apiKey,
        apiVersion,
        body,
        sentAtMs,
        isStray: () => this.#state === 'closed',
        respond: (response, throttleMs) => {
          this.#mutedUntilMs = clock.nowMs + throttleMs;
          this.#travelBack(response, resolve);
        },
      });
    });
  }

  #travelBack(response: Buffer, resolve: (response: Buffer) => void): void {
    const { clock, faults } = this.#line;
    const { ms, cutMs } = faults.travelBack();
    if (cutMs !== undefined) clock.after(cutMs, () => this.end('connection'));
    if (ms === undefined) return;
    clock.after(ms, () => {
      if (this.#state === 'open') resolve(response);
    });
  }

  /** Returns a promise that `begin` may resolve, and that rejects when the link ends or after `ms`. */
  #pending<T>(
    ms: number,
    why: LinkError['why'],
    begin: (resolve: (value: T) => void) => void,
  ): Promise<T> {
    const { clock } = this.#line;
    return new Promise((resolve, reject) => {
      const bound = clock.after(ms, () => this.end(why));
      this.#reject = (error) => {
        clock.cancel(bound);
        reject(error);
      };
      begin((value) => {
        clock.cancel(bound);
        this.#reject = undefined;
        resolve(value);
      });
    });
  }
}
