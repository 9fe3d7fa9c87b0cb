import { LIMITS } from '../config/limits.ts';
import type { Readiness } from '../ipc.ts';
import type { DeferredLog } from './deferred-log.ts';

/** A state that is shorter is not logged. */
const NOT_READY_LINE_MS = 1_000;

/**
 * Logs `ready` and `not ready`: one line per transition that lasts, none during a stop. While the
 * instance is not ready, another line follows for a reason that was not logged recently: reasons
 * alternate.
 */
export class ReadinessLog {
  readonly #log: Pick<DeferredLog, 'write'>;
  readonly #stops: () => boolean;
  readonly #clock: () => number;
  #now: Readiness | undefined;
  #loggedReady: boolean | undefined;
  /** Time of the last line with the reason, since the instance was ready. */
  readonly #loggedAtMs = new Map<string, number>();
  #delay: NodeJS.Timeout | undefined;

  /** @param stops returns whether the instance stops: that it is not ready is expected then */
  constructor(
    log: Pick<DeferredLog, 'write'>,
    stops: () => boolean,
    clock: () => number = () => performance.now(),
  ) {
    this.#log = log;
    this.#stops = stops;
    this.#clock = clock;
  }

  update(readiness: Readiness): void {
    this.#now = readiness;
    if (readiness.ready) this.#write();
    else this.#delay ??= setTimeout(() => this.#write(), NOT_READY_LINE_MS);
  }

  end(): void {
    clearTimeout(this.#delay);
    this.#delay = undefined;
  }

  #write(): void {
    this.end();
    if (this.#now === undefined) return;
    const { ready, reasons } = this.#now;
    if (ready) this.#writeReady();
    else if (!this.#stops()) this.#writeNotReady(reasons);
  }

  #writeReady(): void {
    if (this.#loggedReady === true) return;
    this.#loggedReady = true;
    this.#loggedAtMs.clear();
    this.#log.write('info', { sinceStartMs: Math.round(process.uptime() * 1000) }, 'ready');
  }

  #writeNotReady(reasons: readonly string[]): void {
    const nowMs = this.#clock();
    const { repeatMs } = LIMITS.faults;
    for (const [reason, atMs] of this.#loggedAtMs) {
      if (nowMs - atMs >= repeatMs) this.#loggedAtMs.delete(reason);
    }
    const isNews = reasons.some((reason) => !this.#loggedAtMs.has(reason));
    if (this.#loggedReady === false && !isNews) return;
    this.#loggedReady = false;
    for (const reason of reasons) this.#loggedAtMs.set(reason, nowMs);
    this.#log.write('warn', { reasons }, 'not ready');
  }
}
