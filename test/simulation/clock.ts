/**
 * Virtual time, which advances when everything due has run. While it is installed, it replaces the
 * process's timers, clocks and random numbers, so that a history depends on its seed alone.
 */
import type { SeededRandom } from '../../testing/random.ts';

type Action = () => void;

/** Wall-clock time at which histories start; arbitrary. */
const WALL_START_MS = 1_700_000_000_000;
const MONOTONIC_START_MS = 5_000;

const real = {
  setTimeout: globalThis.setTimeout,
  clearTimeout: globalThis.clearTimeout,
  setInterval: globalThis.setInterval,
  clearInterval: globalThis.clearInterval,
  setImmediate: globalThis.setImmediate,
  clearImmediate: globalThis.clearImmediate,
  dateNow: Date.now,
  random: Math.random,
};

/** A scheduled action; a heap orders actions by time, then by creation. */
export class Task {
  atMs: number;
  order: number;
  action: Action | undefined;
  /** ms between runs of an interval */
  readonly everyMs: number | undefined;

  constructor(atMs: number, order: number, action: Action, everyMs?: number) {
    this.atMs = atMs;
    this.order = order;
    this.action = action;
    this.everyMs = everyMs;
  }

  unref(): this {
    return this;
  }
  ref(): this {
    return this;
  }
}

export class VirtualClock {
  #nowMs = MONOTONIC_START_MS;
  #order = 0;
  readonly #heap: Task[] = [];
  #immediates: Task[] = [];
  /** Actions run so far. */
  steps = 0;

  /** ms since the start of the history, monotonic. */
  get nowMs(): number {
    return this.#nowMs;
  }

  /** Runs `action` in exactly `ms`. */
  after(ms: number, action: Action): Task {
    return this.#push(new Task(this.#nowMs + Math.max(0, ms), this.#order++, action));
  }

  cancel(task: Task | undefined): void {
    if (task !== undefined) task.action = undefined;
  }

  /** Stops the process for `ms`: actions due meanwhile run late. */
  stall(ms: number): void {
    this.#nowMs += ms;
  }

  /** Replaces the process's timers, clocks and random numbers until `restore`. */
  install(random: SeededRandom): { restore: () => void } {
    const cancel = (task: unknown) => this.cancel(task as Task | undefined);
    const replacements = {
      setTimeout: (action: (...given: unknown[]) => void, ms?: number, ...given: unknown[]) =>
        this.#push(new Task(this.#nowMs + wholeMs(ms), this.#order++, () => action(...given))),
      setInterval: (action: Action, ms?: number) =>
        this.#push(new Task(this.#nowMs + wholeMs(ms), this.#order++, action, wholeMs(ms))),
      setImmediate: (action: (...given: unknown[]) => void, ...given: unknown[]) => {
        const task = new Task(this.#nowMs, this.#order++, () => action(...given));
        this.#immediates.push(task);
        return task;
      },
      clearTimeout: cancel,
      clearInterval: cancel,
      clearImmediate: cancel,
    };
    Object.assign(globalThis, replacements);
    Object.defineProperty(performance, 'now', { value: () => this.#nowMs, configurable: true });
    Date.now = () => WALL_START_MS + Math.floor(this.#nowMs);
    Math.random = () => random.next();
    return { restore };
  }

  /** Runs due actions until `untilMs` or until `enough`. @returns whether `enough` held */
  async run(untilMs: number, enough: () => boolean = () => false): Promise<boolean> {
    for (;;) {
      if (enough()) return true;
      const task = this.#heap[0];
      if (task === undefined || task.atMs > untilMs) {
        this.#nowMs = Math.max(this.#nowMs, untilMs);
        return false;
      }
      this.#pop();
      if (task.action === undefined) continue;
      this.#nowMs = Math.max(this.#nowMs, task.atMs);
      this.steps++;
      const { action } = task;
      if (task.everyMs !== undefined) {
        task.atMs = this.#nowMs + task.everyMs;
        task.order = this.#order++;
        this.#push(task);
      } else task.action = undefined;
      action();
      await settled();
      while (this.#immediates.length > 0) {
        const due = this.#immediates;
        this.#immediates = [];
        for (const immediate of due) immediate.action?.();
        await settled();
      }
    }
  }

  #push(task: Task): Task {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(task);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!isBefore(task, heap[parent]!)) break;
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = task;
    return task;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop()!;
    if (heap.length === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child++;
      if (!isBefore(heap[child]!, last)) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = last;
  }
}

/** Resolves when all microtasks have run, including those they queue. */
function settled(): Promise<void> {
  return new Promise((resolve) => {
    real.setImmediate(resolve);
  });
}

/** Lets the process report unhandled rejections. */
export const realTurn = settled;

function isBefore(a: Task, b: Task): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
}

/** Rounds as Node.js does: whole ms, at least one. */
function wholeMs(ms: number | undefined): number {
  return ms === undefined || !(ms >= 1) ? 1 : Math.trunc(ms);
}

function restore(): void {
  const { dateNow, random, ...timers } = real;
  Object.assign(globalThis, timers);
  Reflect.deleteProperty(performance, 'now');
  Date.now = dateNow;
  Math.random = random;
}
