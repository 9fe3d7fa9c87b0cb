import type { Entry } from './entry.ts';

type Kind = 'repeats' | 'originals' | 'waiting';

/** Returns whether an earlier attempt may have stored this waiting event. */
export function isRepeat(entry: Entry | undefined): boolean {
  return (entry?.unsure ?? 0) > 0;
}

function isOf(entry: Entry, kind: Kind): boolean {
  return kind === 'waiting' || (kind === 'repeats') === isRepeat(entry);
}

/**
 * All unsettled events, within a byte limit. Waiting events are taken from the front; events taken
 * by a transport count until they are settled.
 */
export class Outbox {
  readonly #maxBytes: number;
  /** In the order of `send()`. */
  readonly #held = new Set<Entry>();
  /** Possible repeats first; both in the order of their places. */
  #waiting: Entry[] = [];
  #bytes = 0;
  #places = 0;
  /** Events set aside; see {@link setAside}. */
  readonly #aside = new Set<Entry>();
  /** The next attempt excludes suspects that were not stuck before. */
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
  /** Possible repeats wait. */
  get hasRepeats(): boolean {
    return isRepeat(this.#waiting[0]);
  }
  get held(): ReadonlySet<Entry> {
    return this.#held;
  }
  get bytes(): number {
    return this.#bytes;
  }

  /**
   * Adds an event; to make room, drops events set aside and then the oldest waiting ones. Events
   * taken by a transport may already be stored: they are never dropped, and if they leave no room,
   * the new event is.
   * @returns the dropped events
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
   * Events that may block the others: each failed alone at least twice. Every other attempt
   * excludes them, to find out whether anything gets through without them. One that was stuck
   * before is excluded until then.
   */
  get suspects(): ReadonlySet<Entry> {
    const isLeftOut = ({ alone, stuck }: Entry) => alone >= 2 && (this.#leavesOut || stuck > 0);
    return new Set(this.#waiting.filter(isLeftOut));
  }

  /** Records an attempt with these events, without these suspects, that got no response. */
  noAnswer(sent: readonly Entry[], suspects: ReadonlySet<Entry>): void {
    this.#leavesOut = ![...suspects].some(({ stuck }) => stuck === 0);
    const [first, second] = sent;
    if (first && !second) first.alone++;
  }

  /**
   * Sets a waiting event aside, until {@link again}: others got through without it.
   * @returns false if it does not wait
   */
  setAside(entry: Entry): boolean {
    if (this.withhold(new Set([entry])).length === 0) return false;
    // One more failure makes it a suspect again.
    entry.alone = 1;
    this.#aside.add(entry);
    return true;
  }

  /** Counts the possible repeats that wait. @param but events to skip */
  repeats(but: ReadonlySet<Entry>): number {
    return this.#waiting.filter((entry) => isRepeat(entry) && !but.has(entry)).length;
  }

  /** Takes the first event if it exceeds the maximum frame. @param of, but as of {@link take} */
  takeLonger(maxBytes: number, but: ReadonlySet<Entry>, of: Kind): Entry | undefined {
    const first = this.#waiting.find((entry) => !but.has(entry) && isOf(entry, of));
    if (!first || first.bytes <= maxBytes) return undefined;
    return this.withhold(new Set([first]))[0];
  }

  /**
   * Takes events from the front for sending, within the limits of a frame; bytes are those of an
   * array. They are all possible repeats, or none is. An event that failed alone is sent alone
   * again.
   * @param but events to skip
   */
  take(
    maxEvents: number,
    maxBytes: number,
    but: ReadonlySet<Entry> = new Set(),
    of: Kind = 'waiting',
  ): Entry[] {
    const taken: Entry[] = [];
    let bytes = 1;
    let isSkipping = false;
    for (const entry of this.#waiting) {
      if (but.has(entry) || !isOf(entry, of)) {
        isSkipping = true;
        continue;
      }
      const [first] = taken;
      // A single event has no brackets.
      const whole = first ? bytes + entry.bytes + 1 : entry.bytes;
      if (taken.length === maxEvents || whole > maxBytes) break;
      if (first && (entry.alone > 0 || first.alone > 0 || isRepeat(entry) !== isRepeat(first)))
        break;
      taken.push(entry);
      bytes += entry.bytes + 1;
    }
    for (const entry of taken) entry.unsure++;
    if (isSkipping) this.withhold(new Set(taken));
    else this.#waiting.splice(0, taken.length);
    return taken;
  }

  /** Returns unsettled events of a transport to their places. */
  putBack(entries: readonly Entry[]): void {
    const held = entries.filter((entry) => this.#held.has(entry));
    this.#waiting = [...held, ...this.#waiting].sort(
      (a, b) => Number(isRepeat(b)) - Number(isRepeat(a)) || a.place - b.place,
    );
  }

  /**
   * Removes these from the waiting events, until they are put back. @returns those that were
   * waiting
   */
  withhold(entries: ReadonlySet<Entry>): Entry[] {
    const withheld = this.#waiting.filter((entry) => entries.has(entry));
    this.#waiting = this.#waiting.filter((entry) => !entries.has(entry));
    return withheld;
  }

  /** Queues an event for another attempt, behind the others of its kind. */
  again(entry: Entry): void {
    this.#aside.delete(entry);
    if (!this.#held.has(entry)) return;
    entry.place = ++this.#places;
    const original = isRepeat(entry) ? this.#waiting.findIndex((other) => !isRepeat(other)) : -1;
    this.#waiting.splice(original < 0 ? this.#waiting.length : original, 0, entry);
  }

  /** Settles an event. @returns whether it was unsettled */
  done(entry: Entry): boolean {
    this.#aside.delete(entry);
    if (!this.#held.delete(entry)) return false;
    this.#bytes -= entry.bytes;
    return true;
  }

  /** Removes all events. @returns those that were unsettled */
  clear(): Entry[] {
    const left = [...this.#held];
    this.#held.clear();
    this.#aside.clear();
    this.#waiting = [];
    this.#bytes = 0;
    return left;
  }
}
