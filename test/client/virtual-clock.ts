/** Virtual time: timers, `performance.now` and `fetch` under control of the test. */
import { mock, type TestContext } from 'node:test';

interface Timer {
  readonly id: number;
  atMs: number;
  readonly everyMs: number | undefined;
  readonly act: () => void;
}

const turn = setImmediate;

export class VirtualClock {
  fetch: typeof globalThis.fetch = () => Promise.reject(new TypeError('fetch failed'));
  #nowMs = 1_000;
  #made = 0;
  #timers = new Map<number, Timer>();

  /** Replaces the global functions until the test ends. */
  constructor(t: TestContext) {
    const add = (act: () => void, ms = 0, everyMs?: number) => {
      const id = ++this.#made;
      this.#timers.set(id, { id, atMs: this.#nowMs + Math.max(1, ms), everyMs, act });
      return id;
    };
    const remove = (id: number | undefined) => this.#timers.delete(id ?? 0);
    const replaced = {
      setTimeout: (act: () => void, ms?: number) => add(act, ms),
      setInterval: (act: () => void, ms: number) => add(act, ms, ms),
      clearTimeout: remove,
      clearInterval: remove,
      fetch: (...args: Parameters<typeof fetch>) => this.fetch(...args),
      WebSocket: undefined,
    };
    for (const [name, value] of Object.entries(replaced)) {
      const real = Object.getOwnPropertyDescriptor(globalThis, name);
      Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
      t.after(() => {
        if (real) Object.defineProperty(globalThis, name, real);
        else Reflect.deleteProperty(globalThis, name);
      });
    }
    mock.method(performance, 'now', () => this.#nowMs);
    t.after(() => mock.restoreAll());
  }

  /** Removes all timers. */
  restart(): void {
    this.#timers.clear();
  }

  /** Runs timers, one by one, until the condition holds, none is left, or the time is over. */
  async run(until: () => boolean, ms: number): Promise<void> {
    const endMs = this.#nowMs + ms;
    for (;;) {
      await new Promise((done) => turn(done));
      if (until()) return;
      let next: Timer | undefined;
      for (const timer of this.#timers.values())
        if (timer.atMs < (next?.atMs ?? Infinity)) next = timer;
      if (next === undefined || next.atMs > endMs) break;
      this.#nowMs = next.atMs;
      if (next.everyMs === undefined) this.#timers.delete(next.id);
      else next.atMs += next.everyMs;
      next.act();
    }
    this.#nowMs = endMs;
  }
}
