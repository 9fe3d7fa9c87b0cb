/**
 * How an instance ends:
 *
 *   first signal    not ready; FOREBAY_PRESTOP_MS later every worker drains; exit 0, or 1 when
 *                   events were left or a worker died. POST /drain does the same,
 *                   and one signal after it changes nothing
 *   second signal   at once, exit 1
 *   deadline        FOREBAY_DRAIN_TIMEOUT_MS after the drain's begin: exit 1, the rest counted
 *   failure         no worker can run: at once, with its message and code
 */
import { EXIT, type StartError } from '../common/errors.ts';
import type { PrimaryLog } from './deferred-log.ts';
import type { Supervisor } from './supervisor.ts';

export interface StopOptions {
  /** Time in which everything is served, while who sends traffic here learns to stop. */
  readonly prestopMs: number;
  /** Time for the workers to settle what is in flight. */
  readonly timeoutMs: number;
  readonly log: PrimaryLog;
  readonly supervisor: Supervisor;
  /** Events in flight in a worker, as far as is known. */
  inFlight(worker: number): number;
  /** The instance is not ready any more. */
  announced(): void;
  /** The drain begins: before the workers are told. */
  begun(): void;
}

/** The workers keep the deadline themselves; those that do not get this much longer. */
export const DRAIN_GRACE_MS = 500;

export class Stop {
  /** The exit code; rejects with the StartError that ended it. */
  readonly ended: Promise<number>;
  #resolve!: (exitCode: number) => void;
  #reject!: (error: StartError) => void;
  readonly #options: StopOptions;
  /** When the drain began; undefined = it has not. */
  #sinceMs: number | undefined;
  #prestop: NodeJS.Timeout | undefined;
  #deadline: NodeJS.Timeout | undefined;
  #error: StartError | undefined;
  /** What each living worker said it could not settle. */
  readonly #left = new Map<number, number>();
  /** The same of those that are gone. */
  #leftByGone = 0;
  #broken = false;
  /** Whoever asked for a stop by a command, say a hook of the platform, sends a signal as well. */
  #signalled = false;
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

  /** It will stop, and says so: the drain has begun, or will after FOREBAY_PRESTOP_MS. */
  get announced(): boolean {
    return this.#prestop !== undefined || this.draining;
  }

  get draining(): boolean {
    return this.#sinceMs !== undefined;
  }

  signal(signal: NodeJS.Signals): void {
    const { log, supervisor } = this.#options;
    if (this.#over) return;
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

  /** Begins to stop, unless it does so already. */
  request(cause: string): void {
    const { log, prestopMs, announced } = this.#options;
    if (this.#over || this.announced) return;
    if (prestopMs === 0) return this.#begin(cause);
    log.write('info', { cause, prestopMs }, 'stop requested');
    this.#prestop = setTimeout(() => this.#begin(cause), prestopMs);
    announced();
  }

  /** Ends at once with an error; only the first one is heard. */
  failed(error: StartError): void {
    if (this.#over) return;
    this.#error = error;
    this.#options.supervisor.killAll();
    this.#settle(EXIT.failed);
  }

  /** Tells a worker to drain in the time that is left. */
  tell(worker: number): void {
    const passedMs = performance.now() - (this.#sinceMs ?? 0);
    const timeoutMs = Math.max(0, Math.round(this.#options.timeoutMs - passedMs));
    this.#options.supervisor.send(worker, { type: 'drain', timeoutMs });
  }

  drained(worker: number, left: number): void {
    this.#left.set(worker, left);
  }

  /**
   * A worker is gone; one that had listened should have said `drained`.
   * @returns whether that was to be expected
   */
  died(worker: number, listened: boolean): boolean {
    const left = this.#left.get(worker);
    this.#left.delete(worker);
    if (this.#over) return true;
    if (!this.draining) return false;
    const expected = left !== undefined || !listened;
    if (!expected) this.#broken = true;
    this.#leftByGone += left ?? this.#options.inFlight(worker);
    return expected;
  }

  /** The last worker is gone. */
  allEnded(): void {
    if (this.#over) return;
    const left = this.#leftByGone;
    const ms = Math.round(performance.now() - (this.#sinceMs ?? 0));
    const failed = left > 0 || this.#broken;
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
    for (const worker of supervisor.attached()) this.tell(worker);
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
    this.#over = true;
    clearTimeout(this.#prestop);
    clearTimeout(this.#deadline);
    if (this.#error !== undefined) this.#reject(this.#error);
    else this.#resolve(exitCode);
  }
}
