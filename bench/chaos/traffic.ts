/** Clients of all kinds at a rate that the machine bears, and the ledger of what they sent. */
import { availableParallelism } from 'node:os';
import { TimedLedger } from '../../testing/failover.ts';
import { HttpSource } from '../../testing/http-source.ts';
import type { Lifetime } from '../../testing/lifetime.ts';
import {
  acknowledgedClients,
  allSettled,
  closeAll,
  Load,
  type PlainSource,
  plainSources,
} from '../../testing/load.ts';
import type { Access } from '../../testing/post.ts';
import { until } from '../../testing/wait.ts';

const EVENTS_PER_SECOND_AND_CORE = 2_500;
const EVENTS_PER_SECOND_MAX = 10_000;
/** Of the load; the rest comes by HTTP. */
const SHARES = { acknowledged: 0.7, plain: 0.2, http: 0.1 };
const CLIENTS = { acknowledged: 10, plain: 4 };
const BODIES_MAX = 200;
const SETTLE_MS = 90_000;

/** 5,000 on two cores, which carry the clients and three brokers too. */
export function machineRate(cores = availableParallelism()): number {
  return Math.min(cores * EVENTS_PER_SECOND_AND_CORE, EVENTS_PER_SECOND_MAX);
}

/** Also knows how fresh the newest acknowledgement is. */
export class ChaosLedger extends TimedLedger {
  /** When the newest event was sent that has been acknowledged. */
  freshMs = 0;
  /** The longest that an acknowledged event waited for it. */
  longestMs = 0;

  override acknowledged(id: string, attempt: number): void {
    super.acknowledged(id, attempt);
    const sentMs = this.sentMs.get(`${id}#${attempt}`) ?? 0;
    this.freshMs = Math.max(this.freshMs, sentMs);
    this.longestMs = Math.max(this.longestMs, performance.now() - sentMs);
  }
}

type AcknowledgedClients = Awaited<ReturnType<typeof acknowledgedClients>>;

export interface TrafficOptions {
  readonly wsUrl: string;
  readonly httpUrl: string;
  readonly eventsPerSecond: number;
  readonly msgBytes?: number;
  readonly access?: Access;
}

/** What goes to the gateway from `open` to `settle`. */
export class Traffic {
  readonly ledger: ChaosLedger;
  readonly clients: AcknowledgedClients;
  readonly plain: readonly PlainSource[];
  readonly http: HttpSource;
  readonly #loads: Record<keyof typeof SHARES, Load>;

  private constructor(
    lifetime: Lifetime,
    clients: AcknowledgedClients,
    plain: readonly PlainSource[],
    ledger: ChaosLedger,
    { httpUrl, eventsPerSecond, msgBytes = 20, access = {} }: TrafficOptions,
  ) {
    this.ledger = ledger;
    this.clients = clients;
    this.plain = plain;
    this.http = new HttpSource(lifetime, { url: httpUrl, ledger, openMax: BODIES_MAX, access });
    const load = (kind: keyof typeof SHARES, sources: ConstructorParameters<typeof Load>[1]) =>
      new Load(lifetime, sources, {
        eventsPerSecond: eventsPerSecond * SHARES[kind],
        eventsPerFrame: { acknowledged: 5, plain: 1, http: 10 }[kind],
        prefix: `${kind[0]}-`,
        msgBytes,
      });
    this.#loads = {
      acknowledged: load('acknowledged', clients),
      plain: load('plain', plain),
      http: load('http', [this.http]),
    };
  }

  static async open(lifetime: Lifetime, options: TrafficOptions): Promise<Traffic> {
    const ledger = new ChaosLedger();
    const { wsUrl: url, access = {} } = options;
    const shared = { ...access, url, ledger, reconnect: true, retryRefused: true };
    const clients = await acknowledgedClients(lifetime, CLIENTS.acknowledged, shared);
    const plain = await plainSources(lifetime, CLIENTS.plain, url, ledger, access);
    return new Traffic(lifetime, clients, plain, ledger, options);
  }

  /** Events that were given to clients of this kind. */
  given(kind: keyof typeof SHARES): number {
    return this.#loads[kind].events;
  }

  /** Waits until an event that is sent after now is acknowledged. @returns ms until then */
  async flows(deadlineMs: number): Promise<number> {
    const sinceMs = performance.now();
    const fresh = () => this.ledger.freshMs > sinceMs;
    await until(fresh, { deadlineMs, what: 'an acknowledgement of what is sent now' });
    return performance.now() - sinceMs;
  }

  /** Sends nothing new, and waits until every client knows the fate of what it sent. */
  async settle(): Promise<void> {
    await Promise.all(Object.values(this.#loads).map((load) => load.stop()));
    await allSettled(this.clients, SETTLE_MS);
    await this.http.settled(SETTLE_MS);
    await closeAll([...this.clients, ...this.plain]);
  }
}
