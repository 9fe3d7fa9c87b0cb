/** Clients of all kinds at a rate that the machine can sustain, and the ledger of their events. */
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
/** Shares of the load. */
const SHARES = { acknowledged: 0.7, plain: 0.2, http: 0.1 };
const CLIENTS = { acknowledged: 10, plain: 4 };
const BODIES_MAX = 200;
const SETTLE_MS = 90_000;

/** Returns 5,000 on two cores, which also run the clients and three brokers. */
export function machineRate(cores = availableParallelism()): number {
  return Math.min(cores * EVENTS_PER_SECOND_AND_CORE, EVENTS_PER_SECOND_MAX);
}

/** Ledger that also tracks the latest acknowledged event and the maximum latency. */
export class ChaosLedger extends TimedLedger {
  /** Send time of the latest event that was acknowledged. */
  freshMs = 0;
  /** Maximum time from sending an event to its acknowledgement. */
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
  /** Records of possible repeats are marked. */
  readonly hasMarks?: boolean;
}

/** Load on the gateway from `open` to `settle`. */
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
    const { wsUrl: url, access = {}, hasMarks = false } = options;
    const ledger = new ChaosLedger({ hasMarks });
    const shared = { ...access, url, ledger, reconnect: true, retryRefused: true };
    const clients = await acknowledgedClients(lifetime, CLIENTS.acknowledged, shared);
    const plain = await plainSources(lifetime, CLIENTS.plain, url, ledger, access);
    return new Traffic(lifetime, clients, plain, ledger, options);
  }

  /** Events passed to clients of this kind. */
  sentBy(kind: keyof typeof SHARES): number {
    return this.#loads[kind].events;
  }

  /** Waits until an event sent after this call is acknowledged. @returns ms until then */
  async untilAcknowledged(deadlineMs: number): Promise<number> {
    const sinceMs = performance.now();
    const fresh = () => this.ledger.freshMs > sinceMs;
    await until(fresh, { deadlineMs, what: 'the acknowledgement of a new event' });
    return performance.now() - sinceMs;
  }

  /** Stops the load, and waits until every event has a result. */
  async settle(): Promise<void> {
    await Promise.all(Object.values(this.#loads).map((load) => load.stop()));
    await allSettled(this.clients, SETTLE_MS);
    await this.http.settled(SETTLE_MS);
    await closeAll([...this.clients, ...this.plain]);
  }
}
