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
  /** Events set apart; see {@link setAside}. */
  readonly #aside = new Set<Entry>();
  /** The next attempt leaves out the suspects that were not stuck before. */
  #leavesOut = true;

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
   * Takes an event in; events set apart and then the oldest that wait give way to it. What a
   * transport has may be stored already: it is never dropped, and if it leaves no room the new one
   * is.
   * @returns what was dropped
   */
  add(entry: Entry): Entry[] {
    const dropped: Entry[] = [];
    while (this.#bytes + entry.bytes > this.#maxBytes) {
      const [oldest = this.#waiting.shift()] = this.#aside;
      if (!oldest) break;
      dropped.push(oldest);
      this.done(oldest);
    }
    if (this.#bytes + entry.bytes > this.#maxBytes) return [...dropped, entry];
    this.#held.add(entry);
    this.again(entry);
    this.#bytes += entry.bytes;
    return dropped;
  }

  /**
   * Events that may block the others: each failed alone twice or more. Every other attempt leaves
   * them out, to learn whether anything gets through without them. One that was stuck before is
   * left out of all until then.
   */
  get suspects(): ReadonlySet<Entry> {
    const isLeftOut = ({ alone, stuck }: Entry) => alone >= 2 && (this.#leavesOut || stuck > 0);
    return new Set(this.#waiting.filter(isLeftOut));
  }

  /** Records an attempt with these events that got no answer, and left out these suspects. */
  noAnswer(sent: readonly Entry[], suspects: ReadonlySet<Entry>): void {
    this.#leavesOut = ![...suspects].some(({ stuck }) => stuck === 0);
    const [first, second] = sent;
    if (first && !second) first.alone++;
  }

  /**
   * Sets a waiting event apart, until {@link again}: others got through without it.
   * @returns false: it does not wait
   */
  setAside(entry: Entry): boolean {
    if (this.withhold(new Set([entry])).length === 0) return false;
    // One more failure makes it a suspect again.
    entry.alone = 1;
    this.#aside.add(entry);
    return true;
  }

  /** Takes the first one if it is longer than any frame may be. */
  takeLonger(maxBytes: number): Entry | undefined {
    const first = this.#waiting[0];
    return first && first.bytes > maxBytes ? this.#waiting.shift() : undefined;
  }

  /**
   * Takes events from the front, to be sent, within the limits of a frame: bytes are those of an
   * array. An event that failed alone goes alone again.
   * @param but events to leave where they are
   */
  take(maxEvents: number, maxBytes: number, but: ReadonlySet<Entry> = new Set()): Entry[] {
    const taken: Entry[] = [];
    let bytes = 1;
    for (const entry of this.#waiting) {
      if (but.has(entry)) continue;
      // A single event has no brackets.
      const whole = taken.length === 0 ? entry.bytes : bytes + entry.bytes + 1;
      if (taken.length === maxEvents || whole > maxBytes) break;
      if (taken.length > 0 && (entry.alone > 0 || taken[0]!.alone > 0)) break;
      taken.push(entry);
      entry.unsure++;
      bytes += entry.bytes + 1;
    }
    if (but.size === 0) this.#waiting.splice(0, taken.length);
    else this.withhold(new Set(taken));
    return taken;
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
    this.#aside.delete(entry);
    if (!this.#held.has(entry)) return;
    entry.place = ++this.#places;
    this.#waiting.push(entry);
  }

  /** Its end is known. @returns whether it was not before */
  done(entry: Entry): boolean {
    this.#aside.delete(entry);
    if (!this.#held.delete(entry)) return false;
    this.#bytes -= entry.bytes;
    return true;
  }

  /** Lets go of all. @returns what had no end */
  clear(): Entry[] {
    const left = [...this.#held];
    this.#held.clear();
    this.#aside.clear();
    this.#waiting = [];
    this.#bytes = 0;
    return left;
  }
}
