/**
 * Outages of Kafka, for the log of the instance: when one begins, how it goes on, and its end.
 *
 *   works ──nothing stored and something waits, or no leader is connected, for 4 s──▶ all
 *     ▲   ──a worker cannot store for some partitions for 30 s─────────────────────▶ some
 *     └──── every worker has a leader, and no partition is stuck, for 5 s ──────────────┘
 */
import { LIMITS } from '../limits.ts';
import type { WorkerStatus } from '../messages.ts';
import type { PrimaryLog } from './primary-log.ts';

export interface OutageOptions {
  readonly log: Pick<PrimaryLog, 'write'>;
  /** Age at which senders are told that an event was not stored. */
  readonly eventTimeoutMs: number;
  readonly ended: () => void;
}

type Scope = 'all' | 'some';

const EFFECTS: Readonly<Record<Scope, string>> = {
  all: 'no event is stored',
  some: 'events of some partitions are not stored',
};

/** An outage that lasts, by the latest reports. */
export interface CurrentOutage {
  /** Time since which events cannot be stored, by the monotonic clock. */
  readonly sinceMs: number;
  readonly scope: Scope;
  readonly effect: string;
  /** Latest failure, in words; no broker addresses. */
  readonly reason: string;
}

export class Outage {
  readonly #options: OutageOptions;
  #current: CurrentOutage | undefined;
  /** Since when reports look like an outage that has not begun yet. */
  #suspectedAtMs: number | undefined;
  /** Since when all goes well again in an outage. */
  #wellAtMs: number | undefined;
  #lineAtMs = 0;

  constructor(options: OutageOptions) {
    this.#options = options;
  }

  /** The outage that lasts; undefined = events can be stored. */
  get current(): CurrentOutage | undefined {
    return this.#current;
  }

  /** @param statuses one per slot; undefined where the worker has not spoken yet or is dead */
  update(statuses: readonly (WorkerStatus | undefined)[], nowMs = performance.now()): void {
    const known = statuses.filter((status) => status !== undefined);
    if (known.length === 0) return;
    if (this.#current === undefined) return this.#suspect(known, nowMs);
    this.#current = this.#describe(this.#current.sinceMs, known);
    this.#follow(this.#current, known, known.length === statuses.length, nowMs);
  }

  #suspect(known: readonly WorkerStatus[], nowMs: number): void {
    if (scopeOf(known) === undefined) {
      this.#suspectedAtMs = undefined;
      return;
    }
    this.#suspectedAtMs ??= nowMs;
    if (nowMs - this.#suspectedAtMs < LIMITS.outage.confirmMs) return;
    this.#suspectedAtMs = undefined;
    this.#current = this.#describe(nowMs - Math.max(...known.map(blockedMs)), known);
    this.#lineAtMs = nowMs;
    this.#options.log.write('error', this.#facts(this.#current, known), 'Kafka outage began');
  }

  #describe(sinceMs: number, known: readonly WorkerStatus[]): CurrentOutage {
    const worst = known.reduce((a, b) => (blockedMs(b) > blockedMs(a) ? b : a));
    const scope = scopeOf(known) ?? this.#current?.scope ?? 'some';
    return { sinceMs, scope, effect: EFFECTS[scope], reason: worst.delivery.reason };
  }

  #follow(
    current: CurrentOutage,
    known: readonly WorkerStatus[],
    areAll: boolean,
    nowMs: number,
  ): void {
    const { sinceMs } = current;
    const { everyMs, steadyMs } = LIMITS.outage;
    const { log, ended } = this.#options;
    if (areAll && known.every(canStore)) this.#wellAtMs ??= nowMs;
    else this.#wellAtMs = undefined;
    if (this.#wellAtMs === undefined) {
      if (nowMs - this.#lineAtMs < everyMs) return;
      this.#lineAtMs = nowMs;
      const fields = { durationMs: Math.round(nowMs - sinceMs), ...this.#facts(current, known) };
      log.write('warn', fields, 'Kafka outage continues');
    } else if (nowMs - this.#wellAtMs >= steadyMs) {
      const durationMs = Math.round(this.#wellAtMs - sinceMs);
      this.#current = undefined;
      this.#wellAtMs = undefined;
      log.write('info', { durationMs }, 'Kafka outage ended');
      ended();
    }
  }

  #facts({ effect, reason }: CurrentOutage, known: readonly WorkerStatus[]): object {
    const sum = (of: (status: WorkerStatus) => number) =>
      known.reduce((total, status) => total + of(status), 0);
    const waitingEvents = sum(({ waiting }) => waiting.events);
    const oldestMs = Math.round(Math.max(...known.map(({ waiting }) => waiting.oldestMs)));
    const { eventTimeoutMs } = this.#options;
    return {
      effect,
      reason,
      stuckPartitions: Math.max(...known.map(({ delivery }) => delivery.stuckPartitions)),
      partitions: Math.max(...known.map(({ delivery }) => delivery.partitions)),
      waitingEvents,
      waitingBytes: sum(({ waiting }) => waiting.bytes),
      ...(waitingEvents > 0 && {
        oldestMs,
        sendersNotifiedInMs: Math.max(0, eventTimeoutMs - oldestMs),
      }),
    };
  }
}

/** For how long a worker could not store events, of some partition at least. */
function blockedMs({ delivery: { unreachableMs, stuckMs } }: WorkerStatus): number {
  return Math.max(unreachableMs, stuckMs);
}

function canStore({ delivery: { unreachableMs, stuckMs } }: WorkerStatus): boolean {
  return unreachableMs === 0 && stuckMs < LIMITS.outage.totalMs;
}

/** What cannot be stored, and was not for long enough; undefined = nothing. */
function scopeOf(known: readonly WorkerStatus[]): Scope | undefined {
  const { totalMs, partialMs } = LIMITS.outage;
  const deliveries = known.map(({ delivery }) => delivery);
  const unreachable = deliveries.every(({ unreachableMs }) => unreachableMs >= totalMs);
  const stuck = deliveries.some(({ stuckMs }) => stuckMs >= totalMs);
  const stored = deliveries.some(({ storedAgoMs }) => storedAgoMs < totalMs);
  if (unreachable || (stuck && !stored)) return 'all';
  return known.some((status) => blockedMs(status) >= partialMs) ? 'some' : undefined;
}
