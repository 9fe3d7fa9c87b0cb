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
 *   decoded       spent: queued          overlong: queued, up to a small amount per connection
 *
 * Reading the clock for each frame, and scheduling the end of each turn, would cost as much as an
 * event. Both happen only after `checkBytes` of input.
 */
export class TurnBudget {
  readonly #clock: TurnClock;
  /** Bytes of input since the last check of the clock, with overhead. */
  #uncheckedBytes = 0;
  /** Start of this turn; undefined = too little input to measure. */
  #sinceMs: number | undefined;
  /** End of the time for input. */
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

  /** The time of this turn is used up: input must wait for a later turn. */
  get spent(): boolean {
    return this.#spent;
  }

  /** Queuing alone has taken this turn far beyond its time. */
  get overlong(): boolean {
    return this.#overlong;
  }

  /** Number of the turn, for counters per turn. */
  get number(): number {
    return this.#number;
  }

  /**
   * Deadline of queued work: the end of the turn's time, or half a `workMs` from now if that is
   * later. Without this minimum, new input could starve queued work.
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
