import type { Entry } from './entry.ts';

/**
 * Every event without an end, within a bound. Those that wait are taken from the front; what a
 * transport has taken stays charged until it is done.
 */
export class Outbox {
  readonly #maxBytes: number;
  /** In the order of `send()`. */
  readonly #held = new Set<Entry>();
  #waiting: Entry[] = [];
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get waiting(): number {
    return this.#waiting.length;
  }
  get held(): ReadonlySet<Entry> {
    return this.#held;
  }
  get bytes(): number {
    return this.#bytes;
  }

  /**
   * Takes an event in; the oldest that wait give way to it. What a transport has may be stored
   * already: it is never dropped, and if it leaves no room the new one is.
   * @returns what was dropped
   */
  add(entry: Entry): Entry[] {
    const dropped: Entry[] = [];
    while (this.#bytes + entry.bytes > this.#maxBytes && this.#waiting.length > 0) {
      dropped.push(this.#waiting.shift()!);
      this.done(dropped.at(-1)!);
    }
    if (this.#bytes + entry.bytes > this.#maxBytes) return [...dropped, entry];
    this.#held.add(entry);
    this.#waiting.push(entry);
    this.#bytes += entry.bytes;
    return dropped;
  }

  /** Takes the first one if it is longer than any frame may be. */
  takeLonger(maxBytes: number): Entry | undefined {
    const first = this.#waiting[0];
    return first && first.bytes > maxBytes ? this.#waiting.shift() : undefined;
  }

  /** Takes from the front what fits a frame: so many events, so many bytes as an array. */
  take(maxEvents: number, maxBytes: number): Entry[] {
    let [count, bytes] = [0, 1];
    for (const entry of this.#waiting) {
      // A single event has no brackets.
      const whole = count === 0 ? entry.bytes : bytes + entry.bytes + 1;
      if (count === maxEvents || whole > maxBytes) break;
      bytes += entry.bytes + 1;
      count++;
    }
    return this.#waiting.splice(0, count);
  }

  /** What a transport could not bring to an end waits again, before all others, in its order. */
  putBack(entries: readonly Entry[]): void {
    this.#waiting = [...entries.filter((entry) => this.#held.has(entry)), ...this.#waiting];
  }

  /** What may be sent again now waits behind the others. */
  again(entry: Entry): void {
    if (this.#held.has(entry)) this.#waiting.push(entry);
  }

  /** Its end is known. @returns whether it was not before */
  done(entry: Entry): boolean {
    if (!this.#held.delete(entry)) return false;
    this.#bytes -= entry.bytes;
    return true;
  }

  /** Lets go of all. @returns what had no end */
  clear(): Entry[] {
    const left = [...this.#held];
    this.#held.clear();
    this.#waiting = [];
    this.#bytes = 0;
    return left;
  }
}
