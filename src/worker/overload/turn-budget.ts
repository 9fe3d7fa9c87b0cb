import { LIMITS } from '../../config/limits.ts';

/** Sources of time, for tests. */
export interface TurnClock {
  /** Monotonic ms. */
  now(): number;
  /** CPU time of the process, ms. */
  cpuMs(): number;
}

const CLOCK: TurnClock = {
  now: () => performance.now(),
  cpuMs: () => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1_000;
  },
};

/**
 * Time that a worker spends on input in one turn of the event loop, over all its connections. A
 * turn begins with its first input and ends when all readable sockets have been served.
 *
 *   0 ........... `workMs` ............. `overlongMs`
 *   decoded       spent: queued          overlong: the windows of all connections are small
 *
 * Reading the clock and waiting for the end of a turn for each frame would cost as much as an
 * event: both begin after `checkBytes` of input.
 */
export class TurnBudget {
  readonly #clock: TurnClock;
  /** Input since the last check of the clock. */
  #uncheckedBytes = 0;
  /** Start of this turn; undefined = too little input to measure. */
  #sinceMs: number | undefined;
  #endMs = Number.NEGATIVE_INFINITY;
  #number = 0;
  #spent = false;
  #overlong = false;
  #spentAtCpuMs = 0;
  #waiting: (() => void)[] = [];
  #onEnd: () => void = () => {};

  constructor(clock: TurnClock = CLOCK) {
    this.#clock = clock;
  }

  /** Counts input. @returns whether this turn has time to decode it */
  spend(bytes: number): boolean {
    this.#uncheckedBytes += bytes + LIMITS.frameOverheadBytes;
    if (this.#uncheckedBytes >= LIMITS.turn.checkBytes) this.#checkClock();
    return !this.#spent;
  }

  /** Time is up: input must wait for another turn. */
  get spent(): boolean {
    return this.#spent;
  }

  /** Input that was only queued has taken the worker far beyond its time. */
  get overlong(): boolean {
    return this.#overlong;
  }

  /** Number of the turn, for counters per turn. */
  get number(): number {
    return this.#number;
  }

  /**
   * Deadline of queued work: the end of the turn's time, but never without a minimum, since
   * otherwise new input that is only queued could starve it.
   */
  get workUntilMs(): number {
    const { workMs } = LIMITS.turn;
    return Math.max(this.#endMs, this.#clock.now() + workMs / 2);
  }

  /** Calls `next` after this turn. */
  afterTurn(next: () => void): void {
    if (this.#waiting.push(next) === 1) this.#begin(this.#clock.now());
  }

  /** Calls `listener` at the end of each turn with much input. */
  onEnd(listener: () => void): void {
    this.#onEnd = listener;
  }

  #checkClock(): void {
    this.#uncheckedBytes = 0;
    const nowMs = this.#clock.now();
    if (this.#sinceMs === undefined) return this.#begin(nowMs);
    const { overlongMs } = LIMITS.turn;
    if (!this.#spent) {
      if (nowMs < this.#endMs) return;
      this.#spent = true;
      this.#spentAtCpuMs = this.#clock.cpuMs();
    } else if (!this.#overlong && nowMs - this.#sinceMs >= overlongMs) {
      // Wall-clock time alone would blame the connections for the CPU time of other processes.
      const cpuMs = this.#clock.cpuMs() - this.#spentAtCpuMs;
      this.#overlong = cpuMs >= overlongMs - LIMITS.turn.workMs;
    }
  }

  #begin(nowMs: number): void {
    if (this.#sinceMs !== undefined) return;
    this.#sinceMs = nowMs;
    this.#endMs = nowMs + LIMITS.turn.workMs;
    setImmediate(() => this.#end());
  }

  #end(): void {
    this.#sinceMs = undefined;
    this.#uncheckedBytes = 0;
    this.#number++;
    this.#spent = false;
    this.#overlong = false;
    const waiting = this.#waiting;
    this.#waiting = [];
    this.#onEnd();
    for (const next of waiting) next();
  }
}
