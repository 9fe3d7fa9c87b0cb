import type { Readiness } from '../messages.ts';
import type { PrimaryLog } from './primary-log.ts';
import { sameReadiness } from './readiness.ts';

/** A state that passes sooner is not worth a line. */
const NOT_READY_LINE_MS = 1_000;

/** The lines `ready` and `not ready`: one for each state that lasts, none in a stop. */
export class ReadinessLog {
  readonly #log: Pick<PrimaryLog, 'write'>;
  readonly #stops: () => boolean;
  #now: Readiness | undefined;
  #logged: Readiness | undefined;
  #delay: NodeJS.Timeout | undefined;

  /** @param stops the instance stops: that it is not ready is no news */
  constructor(log: Pick<PrimaryLog, 'write'>, stops: () => boolean) {
    this.#log = log;
    this.#stops = stops;
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
    const readiness = this.#now;
    if (readiness === undefined) return;
    if (this.#logged !== undefined && sameReadiness(this.#logged, readiness)) return;
    this.#logged = readiness;
    const { ready, reasons } = readiness;
    const sinceStartMs = Math.round(process.uptime() * 1000);
    if (ready) this.#log.write('info', { sinceStartMs }, 'ready');
    else if (!this.#stops()) this.#log.write('warn', { reasons }, 'not ready');
  }
}
