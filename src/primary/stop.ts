/**
 * How an instance ends:
 *
 *   first signal    every worker drains; exit 0, or 1 when events were left or a worker died
 *   second signal   at once, exit 1
 *   deadline        FOREBAY_DRAIN_TIMEOUT_MS after the first signal: exit 1, the rest counted
 *   fatal           no worker can run: those that serve drain first, then its message and code
 */
import { EXIT, type StartError } from '../errors.ts';
import type { PrimaryLog } from './primary-log.ts';
import type { Supervisor } from './supervisor.ts';

export interface StopOptions {
  /** Time for the workers to settle what is in flight. */
  readonly timeoutMs: number;
  readonly log: PrimaryLog;
  readonly supervisor: Supervisor;
  /** Events in flight in a slot's worker, as far as is known. */
  inFlight(slot: number): number;
  /** The drain begins: before the workers are told. */
  begun(): void;
}

/** The workers keep the deadline themselves; those that do not get this much longer. */
const GRACE_MS = 500;

export class Stop {
  /** The exit code; rejects with the StartError that ended it. */
  readonly ended: Promise<number>;
  #resolve!: (exitCode: number) => void;
  #reject!: (error: StartError) => void;
  readonly #options: StopOptions;
  #since: number | undefined;
  #deadline: NodeJS.Timeout | undefined;
  #error: StartError | undefined;
  /** What each worker said it could not settle. */
  readonly #left = new Map<number, number>();
  /** The same of those that are gone. */
  #leftByGone = 0;
  #broken = false;
  #fatalSlot: number | undefined;
  #over = false;

  constructor(options: StopOptions) {
    this.#options = options;
    this.ended = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    // It may end while the start still waits for something else.
    this.ended.catch(() => {});
  }

  get draining(): boolean {
    return this.#since !== undefined;
  }

  signal(signal: NodeJS.Signals): void {
    const { log, supervisor } = this.#options;
    if (this.#over) return;
    if (!this.draining) {
      this.#begin(signal);
      return;
    }
    log.write('warn', { signal, left: this.#leftNow() }, 'second signal: ending at once');
    supervisor.kill();
    this.#settle(EXIT.failed);
  }

  /** A worker said that none can run. Only the first one is heard. */
  fatal(slot: number, error: StartError): void {
    if (this.#error !== undefined) return;
    const { supervisor } = this.#options;
    if (supervisor.count('ready') === 0 && !this.draining) {
      this.failed(error);
      return;
    }
    this.#error = error;
    this.#fatalSlot = slot;
    supervisor.kill(slot);
    if (!this.draining) this.#begin('fatal');
  }

  /** Ends at once with an error. */
  failed(error: StartError): void {
    this.#error = error;
    this.#options.supervisor.kill();
    this.#settle(EXIT.failed);
  }

  /** Tells a worker to drain in the time that is left. */
  tell(slot: number): void {
    const passedMs = performance.now() - (this.#since ?? 0);
    const timeoutMs = Math.max(0, Math.round(this.#options.timeoutMs - passedMs));
    this.#options.supervisor.send(slot, { type: 'drain', timeoutMs });
  }

  drained(slot: number, left: number): void {
    this.#left.set(slot, left);
  }

  /**
   * A worker is gone; one that had listened should have said `drained`.
   * @returns whether that was to be expected
   */
  died(slot: number, listened: boolean): boolean {
    if (this.#over) return true;
    if (!this.draining) return false;
    const left = this.#left.get(slot);
    const expected = left !== undefined || !listened;
    if (!expected) this.#broken = true;
    this.#leftByGone += left ?? this.#options.inFlight(slot);
    return expected || slot === this.#fatalSlot;
  }

  /** The last worker is gone. */
  allEnded(): void {
    if (this.#over) return;
    const left = this.#leftByGone;
    const ms = Math.round(performance.now() - (this.#since ?? 0));
    const failed = left > 0 || this.#broken;
    this.#options.log.write(failed ? 'error' : 'info', { left, ms }, 'drain ended');
    this.#settle(failed ? EXIT.failed : EXIT.clean);
  }

  #begin(cause: string): void {
    const { log, supervisor, timeoutMs, begun } = this.#options;
    this.#since = performance.now();
    log.write('info', { cause, timeoutMs }, 'drain begun');
    begun();
    this.#deadline = setTimeout(() => this.#atDeadline(), timeoutMs + GRACE_MS);
    for (const slot of supervisor.attached()) this.tell(slot);
    supervisor.drain();
  }

  #atDeadline(): void {
    this.#options.log.write('error', { left: this.#leftNow() }, 'drain ended at its deadline');
    this.#options.supervisor.kill();
    this.#settle(EXIT.failed);
  }

  #leftNow(): number {
    const { supervisor, inFlight } = this.#options;
    return supervisor
      .alive()
      .reduce((sum, slot) => sum + (this.#left.get(slot) ?? inFlight(slot)), this.#leftByGone);
  }

  #settle(exitCode: number): void {
    this.#over = true;
    clearTimeout(this.#deadline);
    if (this.#error !== undefined) this.#reject(this.#error);
    else this.#resolve(exitCode);
  }
}
