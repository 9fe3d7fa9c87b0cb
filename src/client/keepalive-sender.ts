import type { Entry, EntryEvents } from './entry.ts';
import type { Key } from './key.ts';
import { jsonObject, refusalsOf } from './messages.ts';
import { isRepeat, type Outbox } from './outbox.ts';
import { resent } from './platform.ts';
import { ANSWER_MS, bytesOf, type Poster, request } from './poster.ts';

/** One request on page exit; browsers allow 64 KiB of pending ones, for all scripts together. */
const PIECE_BYTES = 16_000;
const QUOTA_BYTES = 64_000;
/** A rejected piece of fewer bytes is not split. */
const LEAST_BYTES = 1_000;
/** Time for responses to fetches after a page is back. */
const BACK_MS = 5_000;

/**
 * Sends events on page exit. The browser's quota is shared with other scripts, and a request is
 * accepted or rejected as a whole, so events are sent in pieces, the oldest first. A beacon reports
 * immediately whether it was accepted, but never whether it arrived; a `fetch` with `keepalive`
 * reports both, but later, when the page may be gone. Accepted events are held here; rejected ones
 * wait in the outbox.
 */
export class KeepaliveSender {
  readonly #url: string;
  readonly #key: Key;
  readonly #outbox: Outbox;
  readonly #poster: Poster;
  readonly #events: EntryEvents;
  /** Events sent by a beacon that were waiting before. */
  readonly #beacons = new Set<Entry>();
  /** Events sent by a fetch without a response yet. */
  readonly #fetches = new Set<Entry>();
  /** Abort the pending fetches. */
  readonly #aborts = new Set<AbortController>();

  constructor(url: string, key: Key, outbox: Outbox, poster: Poster, events: EntryEvents) {
    this.#url = url;
    this.#key = key;
    this.#outbox = outbox;
    this.#poster = poster;
    this.#events = events;
  }

  get unacknowledged(): number {
    return this.#beacons.size + this.#fetches.size;
  }

  /** Page hidden, possibly for good: sends waiting events. Usually the page lives on, so each event
   * is sent once, by a request with a response. */
  hidden(): void {
    this.#fetchAll(this.#outbox.waitingEntries, this.#key.atOnce);
  }

  /** Page exit: sends all unsettled events, including those in flight, which may be cut. */
  last(): void {
    const entries = [...this.#outbox.held].filter((entry) => !this.#has(entry));
    const key = this.#key.atOnce;
    // A beacon cannot carry a key: it has no headers.
    const left = key || !navigator.sendBeacon ? entries : this.#beaconAll(entries);
    this.#fetchAll(left, key);
  }

  /** Page restored: events of a beacon may not have arrived, nor those of a fetch without a
   * response for some seconds. */
  back(): void {
    this.#outbox.putBack([...this.#beacons]);
    this.#beacons.clear();
    const open = [...this.#aborts];
    if (open.length === 0) return;
    setTimeout(() => {
      for (const abort of open) abort.abort();
    }, BACK_MS);
  }

  #has(entry: Entry): boolean {
    return this.#beacons.has(entry) || this.#fetches.has(entry);
  }

  /** @returns events that no beacon accepted */
  #beaconAll(entries: readonly Entry[]): Entry[] {
    const left: Entry[] = [];
    let rejectedBytes = Number.POSITIVE_INFINITY;
    const send = (piece: readonly Entry[]): void => {
      const { body } = request(piece, undefined);
      const bytes = bytesOf(piece) + piece.length + 1;
      // A beacon has no headers, but its URL can declare repeats.
      const url = isRepeat(piece[0]) ? resent(this.#url, 1) : this.#url;
      if (bytes < rejectedBytes && navigator.sendBeacon(url, body)) {
        for (const entry of piece) entry.unsure++;
        for (const entry of this.#outbox.withhold(new Set(piece))) this.#beacons.add(entry);
        return;
      }
      rejectedBytes = Math.min(rejectedBytes, bytes);
      if (piece.length === 1) left.push(piece[0]!);
      else for (const half of halves(piece)) send(half);
    };
    let rest = entries;
    while (rest.length > 0) {
      const piece = this.#piece(rest, PIECE_BYTES);
      rest = rest.slice(piece.length);
      send(piece);
    }
    return left;
  }

  /**
   * Sizes each piece at a quarter of the quota that remains at best. The actual quota is not known
   * in time: with equal pieces, the first rejected one would waste a whole piece of it.
   */
  #fetchAll(entries: readonly Entry[], key: string | undefined): void {
    let quota = QUOTA_BYTES;
    let rest = entries;
    while (rest.length > 0) {
      const piece = this.#piece(rest, Math.min(PIECE_BYTES, quota / 4));
      rest = rest.slice(piece.length);
      const bytes = bytesOf(piece) + piece.length + 1;
      // A piece that is too long does not stop the others.
      if (bytes > quota) continue;
      quota -= bytes;
      void this.#fetch(piece, key);
    }
  }

  async #fetch(piece: readonly Entry[], key: string | undefined): Promise<void> {
    const own = this.#outbox.withhold(new Set(piece));
    for (const entry of piece) {
      entry.unsure++;
      this.#fetches.add(entry);
    }
    let text: string | undefined;
    let rejected = false;
    const abort = new AbortController();
    const timer = setTimeout(() => abort.abort(), ANSWER_MS);
    this.#aborts.add(abort);
    const { signal } = abort;
    try {
      const sent = { ...request(piece, key), keepalive: true, signal };
      text = await (await fetch(this.#url, sent)).text();
    } catch {
      rejected = !signal.aborted;
    }
    clearTimeout(timer);
    this.#aborts.delete(abort);
    for (const entry of piece) this.#fetches.delete(entry);
    const unsettled = this.#settle(piece, own, text);
    this.#outbox.putBack(unsettled);
    if (!rejected || piece.length === 1 || bytesOf(piece) < LEAST_BYTES) return this.#events.left();
    for (const half of halves(piece)) void this.#fetch(half, key);
  }

  /** @returns those of its `own` events that wait again */
  #settle(
    piece: readonly Entry[],
    own: readonly Entry[],
    text: string | undefined,
  ): readonly Entry[] {
    const { errors, accepted } = jsonObject(text) ?? {};
    const refusals = refusalsOf(errors, piece);
    if (!refusals || accepted !== piece.length - refusals.size) return own;
    for (const entry of piece) if (!refusals.has(entry)) this.#events.stored(entry);
    // The others belong to another transport, which reports their rejection.
    for (const entry of own) {
      const refusal = refusals.get(entry);
      if (refusal) this.#events.refused(entry, refusal);
    }
    return [];
  }

  /**
   * First entries within the given bytes and the current size limit, at least one; all of them
   * possible repeats, or none.
   */
  #piece(entries: readonly Entry[], most: number): readonly Entry[] {
    const room = Math.min(most, this.#poster.bodyBytes);
    let [count, bytes] = [0, 1];
    for (const entry of entries) {
      bytes += entry.bytes + 1;
      if (count > 0 && (bytes > room || isRepeat(entry) !== isRepeat(entries[0]))) break;
      count++;
    }
    return entries.slice(0, count);
  }
}

function halves(piece: readonly Entry[]): [readonly Entry[], readonly Entry[]] {
  const middle = Math.ceil(piece.length / 2);
  return [piece.slice(0, middle), piece.slice(middle)];
}
