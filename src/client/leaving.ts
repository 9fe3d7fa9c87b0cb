import type { Entry, Fates } from './entry.ts';
import type { Key } from './key.ts';
import type { Outbox } from './outbox.ts';
import { ANSWER_MS, bytesOf, type Poster, request } from './poster.ts';
import { jsonObject, refusalsOf } from './wire.ts';

/** One request of a page that goes; browsers take 64 KiB of them, of all scripts together. */
const PIECE_BYTES = 16_000;
const QUOTA_BYTES = 64_000;
/** A rejected piece of fewer bytes is not tried in parts. */
const LEAST_BYTES = 1_000;
/** Time for answers to fetches after a page is back. */
const BACK_MS = 5_000;

/**
 * What goes with the page. The quota of the browser is shared with other scripts and takes a
 * request or rejects it as a whole, so events go in pieces, the oldest first. A beacon tells at
 * once whether it was taken, and never whether it arrived; a `fetch` with `keepalive` tells both,
 * but later, when the page may be gone. What the browser has taken is kept here; what it rejects
 * waits in the outbox.
 */
export class Leaving {
  readonly #url: string;
  readonly #key: Key;
  readonly #outbox: Outbox;
  readonly #poster: Poster;
  readonly #fates: Fates;
  /** Of the events that a beacon has, those that waited before. */
  readonly #beacons = new Set<Entry>();
  /** Those that a fetch has, without an answer. */
  readonly #fetches = new Set<Entry>();
  /** Ends the fetches that are open. */
  readonly #aborts = new Set<AbortController>();

  constructor(url: string, key: Key, outbox: Outbox, poster: Poster, fates: Fates) {
    this.#url = url;
    this.#key = key;
    this.#outbox = outbox;
    this.#poster = poster;
    this.#fates = fates;
  }

  get unacknowledged(): number {
    return this.#beacons.size + this.#fetches.size;
  }

  /** The page is hidden and may end without another word: sends what waits. It lives on as a rule,
   * so each event goes once, by a request that is answered. */
  hidden(): void {
    this.#fetchAll(this.#outbox.waitingEntries, this.#key.atOnce);
  }

  /** The page goes: sends what has no end, also what is on its way, which may be cut. */
  last(): void {
    const entries = [...this.#outbox.held].filter((entry) => !this.#has(entry));
    const key = this.#key.atOnce;
    // A beacon has no header to hold a key.
    const left = key || !navigator.sendBeacon ? entries : this.#beaconAll(entries);
    this.#fetchAll(left, key);
  }

  /** The page is there again: what a beacon had may not have arrived, nor what a fetch has had for
   * some seconds without an answer. */
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

  /** @returns what no beacon took */
  #beaconAll(entries: readonly Entry[]): Entry[] {
    const left: Entry[] = [];
    let rejectedBytes = Number.POSITIVE_INFINITY;
    const send = (piece: readonly Entry[]): void => {
      const { body } = request(piece, undefined);
      const bytes = bytesOf(piece) + piece.length + 1;
      if (bytes < rejectedBytes && navigator.sendBeacon(this.#url, body)) {
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
   * Each piece has a quarter of what the quota leaves at best. Nothing tells in time how much that
   * is: of equal pieces, one too many would waste a whole piece of it.
   */
  #fetchAll(entries: readonly Entry[], key: string | undefined): void {
    let quota = QUOTA_BYTES;
    let rest = entries;
    while (rest.length > 0) {
      const piece = this.#piece(rest, Math.min(PIECE_BYTES, quota / 4));
      rest = rest.slice(piece.length);
      const bytes = bytesOf(piece) + piece.length + 1;
      // One that is too long keeps no other from it.
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
    if (!rejected || piece.length === 1 || bytesOf(piece) < LEAST_BYTES) return this.#fates.left();
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
    for (const entry of piece) if (!refusals.has(entry)) this.#fates.stored(entry);
    // Of the others another transport tells.
    for (const entry of own) {
      const refusal = refusals.get(entry);
      if (refusal) this.#fates.refused(entry, refusal);
    }
    return [];
  }

  /** The first of them, within these bytes, and within those that get through; one at least. */
  #piece(entries: readonly Entry[], most: number): readonly Entry[] {
    const room = Math.min(most, this.#poster.bodyBytes);
    let [count, bytes] = [0, 1];
    for (const entry of entries) {
      bytes += entry.bytes + 1;
      if (count > 0 && bytes > room) break;
      count++;
    }
    return entries.slice(0, count);
  }
}

function halves(piece: readonly Entry[]): [readonly Entry[], readonly Entry[]] {
  const middle = Math.ceil(piece.length / 2);
  return [piece.slice(0, middle), piece.slice(middle)];
}
