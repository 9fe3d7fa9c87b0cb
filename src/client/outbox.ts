import type { Entry } from './entry.ts';

/**
 * Every event without an end, within a bound. Those that wait are taken from the front; what a
 * transport has taken stays charged until it is done.
 */
export class Outbox {
  readonly #maxBytes: number;
  /** In the order of `send()`. */
  readonly #held = new Set<Entry>();
  /** By their places. */
  #waiting: Entry[] = [];
  #bytes = 0;
  #places = 0;
  /** An event that was sent alone, and how many attempts with it, or with all but it, had no
   * answer. */
  #unanswered: { entry?: Entry; times: number } = { times: 0 };

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get waiting(): number {
    return this.#waiting.length;
  }
  get waitingEntries(): readonly Entry[] {
    return this.#waiting;
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
    this.again(entry);
    this.#bytes += entry.bytes;
    return dropped;
  }

  /**
   * The first that waits, when it may be what keeps the others back: it was sent alone more than
   * once, and no answer came. Every other attempt leaves it out, to learn whether that is so.
   */
  get suspect(): Entry | undefined {
    const { entry, times } = this.#unanswered;
    const isFirst = this.#waiting.length > 1 && this.#waiting[0] === entry;
    return isFirst && times >= 2 && times % 2 === 0 ? entry : undefined;
  }

  /** No answer came to an attempt with these, without the suspect if there was one. */
  noAnswer(sent: readonly Entry[], suspect: Entry | undefined): void {
    const [alone, second] = sent;
    const tried = suspect ?? (second ? undefined : alone);
    if (tried === undefined) return;
    if (tried === this.#unanswered.entry) this.#unanswered.times++;
    else this.#unanswered = { entry: tried, times: 1 };
  }

  /** Others got through without it: it waits apart, until {@link again}. @returns false: it did not
   * wait */
  setAside(entry: Entry): boolean {
    this.#unanswered.times = 1;
    return this.withhold(new Set([entry])).length > 0;
  }

  /** Takes the first one if it is longer than any frame may be. */
  takeLonger(maxBytes: number): Entry | undefined {
    const first = this.#waiting[0];
    return first && first.bytes > maxBytes ? this.#waiting.shift() : undefined;
  }

  /**
   * Takes from the front what fits a frame: so many events, so many bytes as an array.
   * @param but stays where it is
   */
  take(maxEvents: number, maxBytes: number, but?: Entry): Entry[] {
    const first = but && this.#waiting[0] === but ? 1 : 0;
    let [count, bytes] = [0, 1];
    for (let at = first; at < this.#waiting.length; at++) {
      const entry = this.#waiting[at]!;
      // A single event has no brackets.
      const whole = count === 0 ? entry.bytes : bytes + entry.bytes + 1;
      if (count === maxEvents || whole > maxBytes) break;
      bytes += entry.bytes + 1;
      count++;
    }
    return this.#waiting.splice(first, count);
  }

  /** What a transport could not bring to an end waits again, in its place. */
  putBack(entries: readonly Entry[]): void {
    const held = entries.filter((entry) => this.#held.has(entry));
    this.#waiting = [...held, ...this.#waiting].sort((a, b) => a.place - b.place);
  }

  /** Takes these from those that wait, until they are put back. @returns those that waited */
  withhold(entries: ReadonlySet<Entry>): Entry[] {
    const withheld = this.#waiting.filter((entry) => entries.has(entry));
    this.#waiting = this.#waiting.filter((entry) => !entries.has(entry));
    return withheld;
  }

  /** What may be sent again now waits behind the others. */
  again(entry: Entry): void {
    if (!this.#held.has(entry)) return;
    entry.place = ++this.#places;
    this.#waiting.push(entry);
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
