import { type Entry, type Fates, type Refusal, refuse } from './entry.ts';
import type { Outbox } from './outbox.ts';

const BODY = { events: 1_000, bytes: 256 * 1024 };
const ANSWER_MS = 30_000;
/** What browsers take with `keepalive` and in beacons, all together; a little less. */
const LAST_BYTES = 60_000;

interface Answer {
  readonly accepted?: number;
  readonly errors?: readonly Refusal[];
}

/** `POST /events`: where WebSockets are blocked, and when the page goes. */
export class Poster {
  readonly #url: string;
  readonly #key: () => string | undefined;
  readonly #outbox: Outbox;
  readonly #fates: Fates;
  /** Events of the request that is on its way; one at a time, for their order. */
  #sent: readonly Entry[] = [];

  constructor(url: string, key: () => string | undefined, outbox: Outbox, fates: Fates) {
    this.#url = url;
    this.#key = key;
    this.#outbox = outbox;
    this.#fates = fates;
  }

  get unacknowledged(): number {
    return this.#sent.length;
  }

  /** Sends what waits, a body's worth. @returns why it did not work; undefined = it did */
  async post(): Promise<string | undefined> {
    this.#sent = this.#outbox.take(BODY.events, BODY.bytes);
    for (const entry of this.#sent) this.#fates.sent(entry);
    try {
      const signal = AbortSignal.timeout(ANSWER_MS);
      const response = await fetch(this.#url, { ...this.#request(this.#sent), signal });
      const { accepted, errors } = (await response.json()) as Answer;
      if (accepted === undefined || !errors) return this.#failed(`HTTP ${response.status}`);
      const sent = this.#sent;
      this.#sent = [];
      for (const entry of refuse(sent, errors, this.#fates)) this.#fates.stored(entry);
      return undefined;
    } catch (error) {
      return this.#failed(String(error));
    }
  }

  #failed(why: string): string {
    const sent = this.#sent;
    this.#sent = [];
    this.#outbox.putBack(sent);
    return why;
  }

  /** What is left goes with the page, the oldest first, as much as browsers take then. */
  last(): void {
    const entries: Entry[] = [];
    let bytes = 2;
    for (const entry of this.#outbox.held) {
      if (bytes + entry.bytes + 1 > LAST_BYTES) continue;
      bytes += entry.bytes + 1;
      entries.push(entry);
    }
    if (entries.length === 0) return;
    const request = this.#request(entries);
    // A beacon has no header to hold a key.
    if (!request.headers.Authorization && navigator.sendBeacon?.(this.#url, request.body)) return;
    fetch(this.#url, { ...request, keepalive: true }).catch(() => {});
  }

  #request(entries: readonly Entry[]) {
    const key = this.#key();
    const headers: { Authorization?: string } = key ? { Authorization: `Bearer ${key}` } : {};
    // Always an array: then the indices of an answer are those of the entries. Of type text/plain,
    // which a browser sends to other hosts without asking first.
    return { method: 'POST', body: `[${entries.map(({ text }) => text).join()}]`, headers };
  }
}
