import type { Entry, EntryEvents } from './entry.ts';
import { textOf } from './error-text.ts';
import type { Key } from './key.ts';
import {
  isRejectedBody,
  isRequestError,
  jsonObject,
  type NotAdmitted,
  notAdmitted,
  refusalsOf,
} from './messages.ts';
import type { Outbox } from './outbox.ts';
import { SizeLimit } from './size-limit.ts';

const BODY = { events: 1_000, firstBytes: 64 * 1024, bytes: 256 * 1024 };
/** Timeout of a body's response. An event alone in its body cannot be split, and gets the time that
 * the gateway allows by default, at a byte per millisecond. */
export const ANSWER_MS = 30_000;
/** A body that took longer is long enough for its network. */
const QUICK_MS = ANSWER_MS / 4;
const TOO_LARGE = 413;
/** Errors of Node.js before a request is sent: a later `read EHOSTUNREACH` is none of them. */
const UNSENT = /getaddrinfo|connect (E|timeout)|certificate|wrong version|bad port/i;

/** Reason why nothing was settled. */
export interface Problem {
  readonly text: string;
  /** The gateway currently rejects everything from this client. */
  readonly notAdmitted?: NotAdmitted | undefined;
  /** No response arrived, or none that a page may read. */
  readonly noAnswer?: boolean;
  /** Independent of the size: the gateway says so, or nothing was sent. */
  readonly anySize?: boolean;
  /** None of the events is stored. */
  readonly unstored?: boolean;
}

interface Answer {
  readonly status?: number;
  readonly text?: string;
  readonly problem: Problem;
}

/** `POST /events`: where WebSockets are blocked, and on page exit. */
export class Poster {
  readonly #url: string;
  readonly #key: Key;
  readonly #outbox: Outbox;
  readonly #events: EntryEvents;
  /** Events of the request in flight; one at a time, to keep their order. */
  #sent: readonly Entry[] = [];
  readonly #limit = new SizeLimit(BODY.firstBytes, BODY.bytes);
  #ackMs: number | undefined;

  constructor(url: string, key: Key, outbox: Outbox, events: EntryEvents) {
    this.#url = url;
    this.#key = key;
    this.#outbox = outbox;
    this.#events = events;
  }

  get unacknowledged(): number {
    return this.#sent.length;
  }

  /** Time from the start of the last answered body to its response. */
  get ackMs(): number | undefined {
    return this.#ackMs;
  }

  /** Current size limit of a body. */
  get bodyBytes(): number {
    return this.#limit.bytes;
  }

  /**
   * Sends one body of waiting events.
   * @returns the reason to pause; undefined = continue
   */
  async post(events: 'repeats' | 'waiting' = 'waiting'): Promise<Problem | undefined> {
    const suspects = this.#outbox.suspects;
    // With no other events the body is empty, which the gateway answers as well.
    const sent = this.#take(suspects, events);
    this.#sent = sent;
    const bytes = bytesOf(sent);
    const tried = this.#limit.bytes;
    const begunMs = performance.now();
    const { status, text, problem } = await this.#ask(sent);
    this.#sent = [];
    if (status === TOO_LARGE) return this.#shrink(sent, bytes);
    if (this.#settle(sent, text)) {
      this.#ackMs = performance.now() - begunMs;
      this.#limit.passed(bytes, tried, this.#ackMs < QUICK_MS);
      for (const suspect of suspects) this.#events.stuck(suspect);
      return undefined;
    }
    if (!problem.anySize) {
      if (bytes > 0) this.#limit.failed(bytes);
      // Repeats are sent by WebSocket next.
      if (events === 'waiting') this.#outbox.noAnswer(sent, suspects);
    }
    if (problem.unstored) for (const entry of sent) entry.unsure--;
    this.#outbox.putBack(sent);
    return problem;
  }

  /** Checks whether the gateway would accept events. @returns the reason if not */
  async check(): Promise<Problem | undefined> {
    const { text, problem } = await this.#ask([]);
    return Array.isArray(jsonObject(text)?.errors) ? undefined : problem;
  }

  /** @returns any response, and the problem if it is not the gateway's */
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
      const rejection = notAdmitted(status, text, key, entries.length === 0);
      return {
        status,
        text,
        problem: {
          text: rejection?.message ?? `HTTP ${status}`,
          notAdmitted: rejection,
          anySize,
          unstored: isRejectedBody(text),
        },
      };
    } catch (error) {
      const text = textOf(error);
      return { problem: { text, noAnswer: true, unstored: UNSENT.test(text) } };
    }
  }

  /** One body of events, at least one event. */
  #take(suspects: ReadonlySet<Entry>, of: 'repeats' | 'waiting'): readonly Entry[] {
    const some = this.#outbox.take(BODY.events, this.#limit.bytes, suspects, of);
    return some.length > 0 ? some : this.#outbox.take(1, Number.POSITIVE_INFINITY, suspects, of);
  }

  /** Handles a body that was too large for the gateway or an intermediary: splits it. */
  #shrink(sent: readonly Entry[], bytes: number): undefined {
    if (sent.length > 1) {
      for (const entry of sent) entry.unsure--;
      this.#limit.failed(bytes);
      this.#outbox.putBack(sent);
      return;
    }
    const message = `HTTP 413 for an event of ${bytes} bytes`;
    const refusal = { code: 'too_large', retry: false, message };
    for (const entry of sent) this.#events.refused(entry, refusal);
  }

  /**
   * Settles each event. @returns false if the response is not a gateway's: the result is unknown
   */
  #settle(sent: readonly Entry[], text: string | undefined): boolean {
    const { errors, accepted } = jsonObject(text) ?? {};
    const refusals = refusalsOf(errors, sent);
    if (!refusals || accepted !== sent.length - refusals.size) return false;
    for (const entry of sent) {
      // Only the gateway's response proves that the event arrived there.
      this.#events.sent(entry);
      const refusal = refusals.get(entry);
      if (refusal) this.#events.refused(entry, refusal);
      else this.#events.stored(entry);
    }
    return true;
  }
}

export function bytesOf(entries: readonly Entry[]): number {
  return entries.reduce((sum, { bytes }) => sum + bytes, 0);
}

/** Request with events, which were taken or counted as sent before; declares possible repeats. */
export function request(entries: readonly Entry[], key: string | undefined) {
  const headers: Record<string, string> = key ? { Authorization: `Bearer ${key}` } : {};
  if (entries.some(({ unsure }) => unsure > 1)) headers['Forebay-Resent'] = '1';
  // Always an array, so that indices in a response match the entries. Its type text/plain lets
  // browsers send it to other origins without a preflight.
  return { method: 'POST', body: `[${entries.map(({ text }) => text).join()}]`, headers };
}
