/**
 * Detection of Kafka outages for the instance's log: start, progress and end.
 *
 *   works ──nothing stored and something waits, or no leader is usable, for 4 s──▶ all
 *     ▲   ──a worker cannot store for some partitions for 30 s──────────────────▶ some ─┐
 *     │                                                   all ◀── as from `works` ──────┘
 *     └──── every worker has a usable leader, and no partition is stuck, for 5 s: both
 */
import { LIMITS } from '../config/limits.ts';
import type { WorkerStatus } from '../ipc.ts';
import type { DeferredLog } from './deferred-log.ts';

export interface OutageOptions {
  readonly log: Pick<DeferredLog, 'write'>;
  /** Age at which senders are notified that an event was not stored. */
  readonly eventTimeoutMs: number;
  readonly ended: () => void;
}

type Scope = 'all' | 'some';

const EFFECTS: Readonly<Record<Scope, string>> = {
  all: 'no event is stored',
  some: 'events of some partitions are not stored',
};

/** A current outage, by the latest reports. */
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
  /** Start of reports that suggest an outage not yet begun, or wider than logged. */
  #suspectedAtMs: number | undefined;
  /** Scope in the last line. */
  #loggedScope: Scope = 'some';
  /** Time since which a worker has not reported. */
  #missingSinceMs: number | undefined;
  /** Time since which events can be stored again, during an outage. */
  #wellAtMs: number | undefined;
  #lineAtMs = 0;

  constructor(options: OutageOptions) {
    this.#options = options;
  }

  /** Current outage; undefined = events can be stored. */
  get current(): CurrentOutage | undefined {
    return this.#current;
  }

  /** @param statuses one per slot; undefined if the worker has not reported yet or is dead */
  update(statuses: readonly (WorkerStatus | undefined)[], nowMs = performance.now()): void {
    const known = statuses.filter((status) => status !== undefined);
    if (known.length === statuses.length) this.#missingSinceMs = undefined;
    else this.#missingSinceMs ??= nowMs;
    if (known.length === 0) return;
    if (this.#current === undefined) return this.#suspect(known, nowMs);
    this.#current = this.#describe(this.#current.sinceMs, known);
    const missingMs = nowMs - (this.#missingSinceMs ?? nowMs);
    const isMissing = this.#missingSinceMs !== undefined && missingMs < LIMITS.outage.missingMs;
    if (isMissing || !known.every(canStore)) this.#wellAtMs = undefined;
    else this.#wellAtMs ??= nowMs;
    if (this.#wellAtMs === undefined) this.#follow(this.#current, known, nowMs);
    else if (nowMs - this.#wellAtMs >= LIMITS.outage.steadyMs) {
      this.#end(this.#current, this.#wellAtMs);
    }
  }

  #suspect(known: readonly WorkerStatus[], nowMs: number): void {
    if (!this.#isConfirmed(scopeOf(known) !== undefined, nowMs)) return;
    this.#current = this.#describe(nowMs - Math.max(...known.map(blockedMs)), known);
    const fields = this.#fieldsOfLine(this.#current, known, nowMs);
    this.#options.log.write('error', fields, 'Kafka outage began');
  }

  /** @returns whether reports have agreed for long enough: a single one may follow a stall */
  #isConfirmed(suspected: boolean, nowMs: number): boolean {
    if (!suspected) {
      this.#suspectedAtMs = undefined;
      return false;
    }
    this.#suspectedAtMs ??= nowMs;
    if (nowMs - this.#suspectedAtMs < LIMITS.outage.confirmMs) return false;
    this.#suspectedAtMs = undefined;
    return true;
  }

  #describe(sinceMs: number, known: readonly WorkerStatus[]): CurrentOutage {
    const worst = known.reduce((a, b) => (blockedMs(b) > blockedMs(a) ? b : a));
    const scope = scopeOf(known) ?? this.#current?.scope ?? 'some';
    return { sinceMs, scope, effect: EFFECTS[scope], reason: worst.delivery.reason };
  }

  #follow(current: CurrentOutage, known: readonly WorkerStatus[], nowMs: number): void {
    const { log } = this.#options;
    const durationMs = Math.round(nowMs - current.sinceMs);
    const widens = current.scope === 'all' && this.#loggedScope === 'some';
    if (this.#isConfirmed(widens, nowMs)) {
      const fields = { durationMs, ...this.#fieldsOfLine(current, known, nowMs) };
      log.write('error', fields, 'Kafka outage widened');
    } else if (nowMs - this.#lineAtMs >= LIMITS.outage.everyMs) {
      const fields = { durationMs, ...this.#fieldsOfLine(current, known, nowMs) };
      log.write('warn', fields, 'Kafka outage continues');
    }
  }

  #end({ sinceMs }: CurrentOutage, wellAtMs: number): void {
    this.#current = undefined;
    this.#wellAtMs = undefined;
    this.#suspectedAtMs = undefined;
    const durationMs = Math.round(wellAtMs - sinceMs);
    this.#options.log.write('info', { durationMs }, 'Kafka outage ended');
    this.#options.ended();
  }

  /** Returns the fields of a line that is written now. */
  #fieldsOfLine(current: CurrentOutage, known: readonly WorkerStatus[], nowMs: number): object {
    this.#lineAtMs = nowMs;
    this.#loggedScope = current.scope;
    return this.#facts(current, known);
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

/** Time for which a worker could not store events of at least one partition. */
function blockedMs({ delivery: { unreachableMs, stuckMs } }: WorkerStatus): number {
  return Math.max(unreachableMs, stuckMs);
}

function canStore({ delivery: { unreachableMs, stuckMs } }: WorkerStatus): boolean {
  return unreachableMs === 0 && stuckMs < LIMITS.outage.totalMs;
}

/** Scope of failures that have lasted long enough; undefined = none. */
function scopeOf(known: readonly WorkerStatus[]): Scope | undefined {
  const { totalMs, partialMs } = LIMITS.outage;
  const deliveries = known.map(({ delivery }) => delivery);
  const unreachable = deliveries.every(({ unreachableMs }) => unreachableMs >= totalMs);
  const unanswered = deliveries.some(({ unansweredMs }) => unansweredMs >= totalMs);
  const stored = deliveries.some(({ storedAgoMs }) => storedAgoMs < totalMs);
  if (unreachable || (unanswered && !stored)) return 'all';
  return known.some((status) => blockedMs(status) >= partialMs) ? 'some' : undefined;
}
