/**
 * Client of `POST /events` under load, with retries. A body with any event that may be stored is
 * declared as a repeat.
 */

import { setTimeout as sleep } from 'node:timers/promises';
import type { EventCode } from '../src/common/errors.ts';
import type { Ledger } from './ledger.ts';
import type { Lifetime } from './lifetime.ts';
import type { Source } from './load.ts';
import { type Access, Poster } from './post.ts';
import type { NackError } from './protocol.ts';
import { eventText, keyOf, type TestEvent } from './socket.ts';
import { PATIENCE_MS, until } from './wait.ts';

export interface HttpSourceOptions {
  /** `http://127.0.0.1:9000` */
  readonly url: string;
  readonly ledger: Ledger;
  /** Maximum number of requests in flight. */
  readonly openMax: number;
  readonly access?: Access;
  /** Name of the stream in the path; undefined = none. */
  readonly stream?: string;
}

/** A body with rejected events. */
export interface Refusal {
  readonly status: number;
  /** Time from the request to the whole response. */
  readonly ms: number;
  readonly retryAfter: string | null;
  readonly accepted: number;
  readonly errors: readonly NackError[];
}

interface Answer {
  readonly accepted: number;
  readonly errors: readonly NackError[];
}

/** Response to a request that was rejected before its body was decoded. */
interface Rejection {
  readonly error: { readonly code: string; readonly message: string };
}

/** Delay before a rejected request is retried, unless the response has one. */
const AGAIN_MS = 1_000;

export class HttpSource implements Source {
  readonly refusals: Refusal[] = [];
  acceptedEvents = 0;
  /** Requests without a response. */
  failed = 0;
  readonly #options: HttpSourceOptions;
  readonly #poster: Poster;
  #open = 0;
  /** Retries have stopped. */
  #closing = false;

  /** Stops with the test. */
  constructor(t: Lifetime, options: HttpSourceOptions) {
    this.#options = options;
    this.#poster = new Poster(options.url, options.access, options.stream);
    t.after(() => this.close());
  }

  get busy(): boolean {
    return this.#open >= this.#options.openMax;
  }

  send(...events: TestEvent[]): void {
    this.#open++;
    void this.#untilSettled(events).finally(() => {
      this.#open--;
    });
  }

  /** Waits until every request has a response. */
  async settled(deadlineMs = PATIENCE_MS): Promise<void> {
    const what = () => `${this.#open} bodies`;
    await until(() => this.#open === 0, { deadlineMs, what });
  }

  close(): void {
    this.#closing = true;
  }

  async #untilSettled(events: readonly TestEvent[]): Promise<void> {
    let open = events;
    /** Events that may be stored. */
    const unsure = new Set<TestEvent>();
    for (let attempt = 1; open.length > 0 && !this.#closing; attempt++) {
      const isRepeat = open.some((event) => unsure.has(event));
      const errors = await this.#post(open, attempt, isRepeat);
      const late = errors.filter(({ code }) => code === 'timeout');
      for (const index of indices(late, open.length)) unsure.add(open[index]!);
      const again = errors.filter(({ retry }) => retry);
      if (again.length === 0) return;
      const named = indices(again, open.length);
      open = open.filter((_, index) => named.has(index));
      await sleep(Math.max(...again.map(({ retryAfterMs = 0 }) => retryAfterMs)));
    }
  }

  /** Sends one request. @returns its rejections; all events if it was never decoded */
  async #post(
    events: readonly TestEvent[],
    attempt: number,
    isRepeat: boolean,
  ): Promise<readonly NackError[]> {
    const { ledger } = this.#options;
    for (const event of events) ledger.sent(event.id, attempt, { key: keyOf(event), isRepeat });
    const texts = events.map((event) => eventText(event, attempt));
    const sinceMs = performance.now();
    let answer: { status: number; retryAfter: string | null } & Answer;
    try {
      const sent = `[${texts.join(',')}]`;
      const { status, retryAfter, body } = await this.#poster.post(sent, isRepeat);
      if (status === 503 && 'error' in (body as object)) {
        const { error } = body as Rejection;
        const retryAfterMs = retryAfter === null ? AGAIN_MS : 1_000 * Number(retryAfter);
        return [{ ...error, retry: true, retryAfterMs }];
      }
      const { accepted, errors } = body as Answer;
      answer = { status, retryAfter, accepted, errors };
    } catch {
      this.failed++;
      return [];
    }
    const { accepted, errors } = answer;
    if (errors.length > 0) this.refusals.push({ ...answer, ms: performance.now() - sinceMs });
    this.acceptedEvents += accepted;
    for (const error of errors) {
      for (const index of indices([error], events.length)) {
        ledger.refused(events[index]!.id, error.code as EventCode, attempt);
      }
    }
    const refused = indices(errors, events.length);
    for (const [index, { id }] of events.entries()) {
      if (!refused.has(index)) ledger.acknowledged(id, attempt);
    }
    return errors;
  }
}

/** Returns the indices that the errors name. */
function indices(errors: readonly NackError[], count: number): Set<number> {
  const named = new Set<number>();
  for (const { events = [[0, count - 1]] } of errors) {
    for (const [first, last] of events) {
      for (let index = first; index <= last; index++) named.add(index);
    }
  }
  return named;
}
