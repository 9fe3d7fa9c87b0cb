import type { Entry, Fates } from './entry.ts';
import { textOf } from './error-text.ts';
import { Fit } from './fit.ts';
import type { Key } from './key.ts';
import type { Outbox } from './outbox.ts';
import {
  isLateBody,
  isRequestError,
  jsonObject,
  type NotAdmitted,
  notAdmitted,
  refusalsOf,
} from './wire.ts';

const BODY = { events: 1_000, firstBytes: 64 * 1024, bytes: 256 * 1024 };
/** Time for the answer to a body; an event that is alone in it cannot be halved, and may take as
 * long as the gateway lets it by default, at a byte per millisecond. */
export const ANSWER_MS = 30_000;
/** A body that took longer is long enough for its network. */
const QUICK_MS = ANSWER_MS / 4;
const TOO_LARGE = 413;
/** Errors of Node.js before a request is sent. */
const UNSENT = /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|UNREACH|connect timeout|certificate|SSL|bad port/i;

/** Why nothing was settled. */
export interface Problem {
  readonly text: string;
  /** The gateway takes nothing from this client for now. */
  readonly notAdmitted?: NotAdmitted | undefined;
  /** No answer came, or none that a page may read. */
  readonly noAnswer?: boolean;
  /** The size has nothing to do with it: the gateway says so, or nothing was sent. */
  readonly anySize?: boolean;
  /** None of the events is stored. */
  readonly unstored?: boolean;
}

interface Answer {
  readonly status?: number;
  readonly text?: string;
  readonly problem: Problem;
}

/** `POST /events`: where WebSockets are blocked, and when the page goes. */
export class Poster {
  readonly #url: string;
  readonly #key: Key;
  readonly #outbox: Outbox;
  readonly #fates: Fates;
  /** Events of the request that is on its way; one at a time, for their order. */
  #sent: readonly Entry[] = [];
  readonly #fit = new Fit(BODY.firstBytes, BODY.bytes);
  #ackMs: number | undefined;

  constructor(url: string, key: Key, outbox: Outbox, fates: Fates) {
    this.#url = url;
    this.#key = key;
    this.#outbox = outbox;
    this.#fates = fates;
  }

  get unacknowledged(): number {
    return this.#sent.length;
  }

  /** From the start of the last body that the gateway answered to its answer. */
  get ackMs(): number | undefined {
    return this.#ackMs;
  }

  /** What one body may have. */
  get bodyBytes(): number {
    return this.#fit.bytes;
  }

  /**
   * Sends what waits, a body's worth.
   * @returns why it has to rest now; undefined = it may go on
   */
  async post(): Promise<Problem | undefined> {
    const suspects = this.#outbox.suspects;
    // Without other events it is an empty body, which the gateway answers as well.
    const sent = this.#take(suspects);
    this.#sent = sent;
    const bytes = bytesOf(sent);
    const tried = this.#fit.bytes;
    const begunMs = performance.now();
    const { status, text, problem } = await this.#ask(sent);
    this.#sent = [];
    if (status === TOO_LARGE) return this.#shrink(sent, bytes);
    if (this.#settle(sent, text)) {
      this.#ackMs = performance.now() - begunMs;
      this.#fit.passed(bytes, tried, this.#ackMs < QUICK_MS);
      for (const suspect of suspects) this.#fates.stuck(suspect);
      return undefined;
    }
    if (!problem.anySize) {
      if (bytes > 0) this.#fit.failed(bytes);
      this.#outbox.noAnswer(sent, suspects);
    }
    if (problem.unstored) for (const entry of sent) entry.unsure--;
    this.#outbox.putBack(sent);
    return problem;
  }

  /** Asks whether the gateway would take events. @returns why not, undefined = it would */
  async check(): Promise<Problem | undefined> {
    const { text, problem } = await this.#ask([]);
    return Array.isArray(jsonObject(text)?.errors) ? undefined : problem;
  }

  /** @returns an answer, whosever it is, and what is wrong if it is not the gateway's */
  async #ask(entries: readonly Entry[]): Promise<Answer> {
    let key: string | undefined;
    try {
      key = await this.#key.get();
    } catch (error) {
      return { problem: { text: (error as Error).message, anySize: true, unstored: true } };
    }
    try {
      const alone = entries.length === 1 ? entries[0]!.bytes : 0;
      const signal = AbortSignal.timeout(ANSWER_MS + alone);
      const response = await fetch(this.#url, { ...request(entries, key), signal });
      const text = await response.text();
      const { status } = response;
      const anySize = isRequestError(text);
      const told = notAdmitted(status, text, key, entries.length === 0);
      return {
        status,
        text,
        problem: {
          text: told?.message ?? `HTTP ${status}`,
          notAdmitted: told,
          anySize,
          unstored: anySize || isLateBody(text),
        },
      };
    } catch (error) {
      const text = textOf(error);
      return { problem: { text, noAnswer: true, unstored: UNSENT.test(text) } };
    }
  }

  /** A body's worth, and one event at least. */
  #take(suspects: ReadonlySet<Entry>): readonly Entry[] {
    const some = this.#outbox.take(BODY.events, this.#fit.bytes, suspects);
    return some.length > 0 ? some : this.#outbox.take(1, Number.POSITIVE_INFINITY, suspects);
  }

  /** A body was too large, for the gateway or what stands in between: it goes in parts. */
  #shrink(sent: readonly Entry[], bytes: number): undefined {
    if (sent.length > 1) {
      for (const entry of sent) entry.unsure--;
      this.#fit.failed(bytes);
      this.#outbox.putBack(sent);
      return;
    }
    const message = `HTTP 413 for an event of ${bytes} bytes`;
    const refusal = { code: 'too_large', retry: false, message };
    for (const entry of sent) this.#fates.refused(entry, refusal);
  }

  /** Tells what became of each. @returns false: the answer is not a gateway's, and nobody knows */
  #settle(sent: readonly Entry[], text: string | undefined): boolean {
    const { errors, accepted } = jsonObject(text) ?? {};
    const refusals = refusalsOf(errors, sent);
    if (!refusals || accepted !== sent.length - refusals.size) return false;
    for (const entry of sent) {
      // Only the gateway's answer shows that the event arrived there.
      this.#fates.sent(entry);
      const refusal = refusals.get(entry);
      if (refusal) this.#fates.refused(entry, refusal);
      else this.#fates.stored(entry);
    }
    return true;
  }
}

export function bytesOf(entries: readonly Entry[]): number {
  return entries.reduce((sum, { bytes }) => sum + bytes, 0);
}

export function request(entries: readonly Entry[], key: string | undefined) {
  const headers: { Authorization?: string } = key ? { Authorization: `Bearer ${key}` } : {};
  // Always an array: then the indices of an answer are those of the entries. Of type text/plain,
  // which a browser sends to other hosts without asking first.
  return { method: 'POST', body: `[${entries.map(({ text }) => text).join()}]`, headers };
}
