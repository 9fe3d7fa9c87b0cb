/**
 * Shutdown of an instance:
 *
 *   first signal    readiness fails; FOREBAY_PRESTOP_MS later every worker drains; exit 0, or 1 if
 *                   events were left or a worker died. POST /drain has the same effect, and the
 *                   first signal after it is ignored
 *   second signal   immediately, exit 1
 *   deadline        FOREBAY_DRAIN_TIMEOUT_MS after the start of the drain: exit 1, after the events
 *                   left are counted
 *   failure         no worker can run: immediately, with its message and code
 */
import { EXIT, type StartError } from '../common/errors.ts';
import type { DeferredLog } from './deferred-log.ts';
import type { Supervisor } from './supervisor.ts';

export interface StopOptions {
  /** Delay between failing readiness and the drain; traffic is served meanwhile. */
  readonly prestopMs: number;
  /** Drain timeout of the workers. */
  readonly timeoutMs: number;
  readonly log: DeferredLog;
  readonly supervisor: Supervisor;
  /** Events in flight in a worker, by its last report. */
  inFlight(worker: number): number;
  /** The instance is no longer ready. */
  announced(): void;
  /** The drain begins; called before the workers receive `drain`. */
  begun(): void;
}

/** Workers enforce the deadline themselves; this extra time is for those that fail to. */
export const DRAIN_GRACE_MS = 500;

export class Stop {
  /** The exit code; rejects with the StartError that caused the stop. */
  readonly ended: Promise<number>;
  #resolve!: (exitCode: number) => void;
  #reject!: (error: StartError) => void;
  readonly #options: StopOptions;
  /** Start of the drain; undefined = not started. */
  #sinceMs: number | undefined;
  #prestop: NodeJS.Timeout | undefined;
  #deadline: NodeJS.Timeout | undefined;
  #error: StartError | undefined;
  /** Unsettled events that each live worker reported. */
  readonly #left = new Map<number, number>();
  /** Unsettled events of workers that have exited. */
  #leftByGone = 0;
  #workerDied = false;
  /** A signal was received; platforms send one even after their hook has called POST /drain. */
  #signalled = false;
  #isOver = false;

  constructor(options: StopOptions) {
    this.#options = options;
    this.ended = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    // Prevents an unhandled rejection if it settles while the start awaits something else.
    this.ended.catch(() => {});
  }

  /** The drain has begun, or will begin after FOREBAY_PRESTOP_MS. */
  get announced(): boolean {
    return this.#prestop !== undefined || this.draining;
  }

  get draining(): boolean {
    return this.#sinceMs !== undefined;
  }

  signal(signal: NodeJS.Signals): void {
    const { log, supervisor } = this.#options;
    if (this.#isOver) return;
    if (!this.#signalled) {
      this.#signalled = true;
      if (!this.announced) return this.request(signal);
      log.write('info', { signal }, 'signal ignored, instance is already stopping');
      return;
    }
    log.write(
      'warn',
      { signal, left: this.#leftNow() },
      'second signal received, exiting immediately',
    );
    supervisor.killAll();
    this.#settle(EXIT.failed);
  }

  /** Begins to stop, unless a stop is already announced. */
  request(cause: string): void {
    const { log, prestopMs, announced } = this.#options;
    if (this.#isOver || this.announced) return;
    if (prestopMs === 0) return this.#begin(cause);
    log.write('info', { cause, prestopMs }, 'stop requested');
    this.#prestop = setTimeout(() => this.#begin(cause), prestopMs);
    announced();
  }

  /** Kills all workers and ends with an error; later errors are ignored. */
  failed(error: StartError): void {
    if (this.#isOver) return;
    this.#error = error;
    this.#options.supervisor.killAll();
    this.#settle(EXIT.failed);
  }

  /** Sends `drain` to a worker, with the remaining time. */
  drainWorker(worker: number): void {
    const passedMs = performance.now() - (this.#sinceMs ?? 0);
    const timeoutMs = Math.max(0, Math.round(this.#options.timeoutMs - passedMs));
    this.#options.supervisor.send(worker, { type: 'drain', timeoutMs });
  }

  drained(worker: number, left: number): void {
    this.#left.set(worker, left);
  }

  /**
   * A worker has exited; one that had listened should have reported `drained`.
   * @returns whether the exit was expected
   */
  died(worker: number, listened: boolean): boolean {
    const left = this.#left.get(worker);
    this.#left.delete(worker);
    if (this.#isOver) return true;
    if (!this.draining) return false;
    const expected = left !== undefined || !listened;
    if (!expected) this.#workerDied = true;
    this.#leftByGone += left ?? this.#options.inFlight(worker);
    return expected;
  }

  /** The last worker has exited. */
  allEnded(): void {
    if (this.#isOver) return;
    const left = this.#leftByGone;
    const ms = Math.round(performance.now() - (this.#sinceMs ?? 0));
    const failed = left > 0 || this.#workerDied;
    this.#options.log.write(failed ? 'error' : 'info', { left, ms }, 'drain ended');
    this.#settle(failed ? EXIT.failed : EXIT.clean);
  }

  #begin(cause: string): void {
    const { log, supervisor, timeoutMs, begun } = this.#options;
    clearTimeout(this.#prestop);
    this.#sinceMs = performance.now();
    log.write('info', { cause, timeoutMs }, 'drain started');
    begun();
    this.#deadline = setTimeout(() => this.#atDeadline(), timeoutMs + DRAIN_GRACE_MS);
    for (const worker of supervisor.attached()) this.drainWorker(worker);
    supervisor.drain();
  }

  #atDeadline(): void {
    this.#options.log.write('error', { left: this.#leftNow() }, 'drain timed out');
    this.#options.supervisor.killAll();
    this.#settle(EXIT.failed);
  }

  #leftNow(): number {
    const { supervisor, inFlight } = this.#options;
    return supervisor
      .alive()
      .reduce((sum, id) => sum + (this.#left.get(id) ?? inFlight(id)), this.#leftByGone);
  }

  #settle(exitCode: number): void {
    this.#isOver = true;
    clearTimeout(this.#prestop);
    clearTimeout(this.#deadline);
    if (this.#error !== undefined) this.#reject(this.#error);
    else this.#resolve(exitCode);
  }
}
