import type { Entry, Fates } from './entry.ts';
import type { Outbox } from './outbox.ts';
import { jsonObject, refusalsOf } from './wire.ts';

const BODY = { events: 1_000, bytes: 256 * 1024 };
/** Of what a body may have, with each that was answered: another network may take more. */
const GROWTH = 9 / 8;
const ANSWER_MS = 30_000;
/** What browsers take with `keepalive` and in beacons, all together; a little less. */
const LAST_BYTES = 60_000;

/** `POST /events`: where WebSockets are blocked, and when the page goes. */
export class Poster {
  readonly #url: string;
  readonly #key: () => string | undefined;
  readonly #outbox: Outbox;
  readonly #fates: Fates;
  /** Events of the request that is on its way; one at a time, for their order. */
  #sent: readonly Entry[] = [];
  /** Less than a body may have where something in between does not take so much. */
  #bodyBytes = BODY.bytes;

  constructor(url: string, key: () => string | undefined, outbox: Outbox, fates: Fates) {
    this.#url = url;
    this.#key = key;
    this.#outbox = outbox;
    this.#fates = fates;
  }

  get unacknowledged(): number {
    return this.#sent.length;
  }

  /**
   * Sends what waits, a body's worth.
   * @returns why it has to rest now; undefined = it may go on
   */
  async post(): Promise<string | undefined> {
    const sent = this.#take();
    this.#sent = sent;
    const { status, text, problem } = await this.#ask(sent);
    this.#sent = [];
    if (status === 413) return this.#shrink(sent);
    if (this.#settle(sent, jsonObject(text))) return undefined;
    this.#outbox.putBack(sent);
    return problem;
  }

  /** @returns an answer, whosever it is, and what is wrong if it is not the gateway's */
  async #ask(
    entries: readonly Entry[],
  ): Promise<{ status?: number; text?: string; problem: string }> {
    try {
      const signal = AbortSignal.timeout(ANSWER_MS);
      const response = await fetch(this.#url, { ...this.#request(entries), signal });
      const text = await response.text().catch(() => '');
      return { status: response.status, text, problem: `HTTP ${response.status}` };
    } catch (error) {
      return { problem: String(error) };
    }
  }

  /** A body's worth, and one event at least. */
  #take(): readonly Entry[] {
    const some = this.#outbox.take(BODY.events, this.#bodyBytes);
    return some.length > 0 ? some : this.#outbox.take(1, Number.POSITIVE_INFINITY);
  }

  /** A body was too large, for the gateway or what stands in between: it goes in parts. */
  #shrink(sent: readonly Entry[]): undefined {
    const bytes = sent.reduce((sum, entry) => sum + entry.bytes, 0);
    if (sent.length > 1) {
      this.#bodyBytes = bytes / 2;
      this.#outbox.putBack(sent);
      return;
    }
    const message = `HTTP 413 for an event of ${bytes} bytes`;
    const refusal = { code: 'too_large', retry: false, message };
    for (const entry of sent) this.#fates.refused(entry, refusal);
  }

  /** Tells what became of each. @returns false: the answer is not a gateway's, and nobody knows */
  #settle(sent: readonly Entry[], answer: Readonly<Record<string, unknown>> = {}): boolean {
    const refusals = refusalsOf(answer.errors, sent);
    if (!refusals || answer.accepted !== sent.length - refusals.size) return false;
    this.#bodyBytes = Math.min(BODY.bytes, this.#bodyBytes * GROWTH);
    for (const entry of sent) {
      // Only the gateway's answer shows that the event arrived there.
      this.#fates.sent(entry);
      const refusal = refusals.get(entry);
      if (refusal) this.#fates.refused(entry, refusal);
      else this.#fates.stored(entry);
    }
    return true;
  }

  /** What is left goes with the page, the oldest first, as much as browsers take then. */
  last(): void {
    const entries: Entry[] = [];
    let bytes = 2;
    for (const entry of this.#outbox.held) {
      // One event at least, as above.
      const most = entries.length === 0 ? LAST_BYTES : Math.min(LAST_BYTES, this.#bodyBytes);
      if (bytes + entry.bytes + 1 > most) continue;
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
