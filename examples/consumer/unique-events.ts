/**
 * Counts each event of a topic once, by the marks of repeats: see docs/consumers.md. Ids are kept
 * in memory, in two bounded windows. So it suits results that live as long as the process, such as
 * live counters; durable results need positions and ids in one transaction.
 */
import type { IHeaders, KafkaMessage } from 'kafkajs';

export interface Windows {
  /** Maximum time that clients keep an event before they send it again, ms. */
  readonly allIdsMs: number;
  /** Maximum time from a marked copy to its original, ms. */
  readonly markedIdsMs: number;
  /** Maximum number of ids in each window; beyond it the oldest are forgotten. */
  readonly idsMax: number;
}

export class UniqueEvents {
  readonly #ids: RecentIds;
  readonly #marked: RecentIds;

  constructor({ allIdsMs, markedIdsMs, idsMax }: Windows) {
    this.#ids = new RecentIds(allIdsMs, idsMax);
    this.#marked = new RecentIds(markedIdsMs, idsMax);
  }

  /** Whether the record is the first copy of its event; remembers its id. */
  isFirst({ headers, timestamp }: Pick<KafkaMessage, 'headers' | 'timestamp'>): boolean {
    const id = textOf(headers, 'fb-id');
    if (id === undefined) return true;
    const isMarked = textOf(headers, 'fb-resent') !== undefined;
    if ((isMarked ? this.#ids : this.#marked).has(id)) return false;
    // `fb-received` may have been added to the stream later than `fb-id`.
    const received = Number(textOf(headers, 'fb-received') ?? timestamp);
    this.#ids.add(id, received);
    if (isMarked) this.#marked.add(id, received);
    return true;
  }

  /** Number of ids in memory. */
  get size(): number {
    return this.#ids.size + this.#marked.size;
  }
}

/** Ids in the order of their addition, with the times at which their records arrived. */
class RecentIds {
  readonly #windowMs: number;
  readonly #max: number;
  readonly #received = new Map<string, number>();
  #latest = 0;

  constructor(windowMs: number, max: number) {
    this.#windowMs = windowMs;
    this.#max = max;
  }

  get size(): number {
    return this.#received.size;
  }

  has(id: string): boolean {
    return this.#received.has(id);
  }

  /** Adds an id, and forgets those that left the window. */
  add(id: string, received: number): void {
    this.#latest = Math.max(this.#latest, received);
    this.#received.set(id, received);
    for (const [oldest, time] of this.#received) {
      const isRecent = time >= this.#latest - this.#windowMs;
      if (isRecent && this.#received.size <= this.#max) break;
      this.#received.delete(oldest);
    }
  }
}

function textOf(headers: IHeaders | undefined, name: string): string | undefined {
  return headers?.[name]?.toString();
}
