import { boundedMessage, EVENT_CODES, type EventCode, eventCodes } from '../../errors.ts';

/** One entry of a `nack`, or of an HTTP answer: events of a frame that share a code. */
export interface RefusalEntry {
  readonly code: EventCode;
  readonly retry: boolean;
  /** Ranges of event indexes, first and last; absent where the frame could not be taken apart. */
  readonly events?: [number, number][];
  readonly message: string;
  readonly retryAfterMs?: number;
}

/**
 * How long a sender should wait before it tries again where nobody knows, ms; spread by a quarter
 * both ways.
 */
const RETRY_AFTER_MS: Partial<Record<EventCode, number>> = {
  buffer_full: 500,
  kafka_unavailable: 2_000,
  draining: 1_000,
  timeout: 1_000,
};

/** Room for the codes of so many events at first; doubles. */
const FIRST_EVENTS = 16;

/**
 * What was refused of one frame: a byte per event, so that a client that sends nothing but bad
 * events cannot make much of it.
 */
export class Refusals {
  /** By event: 0 = not refused, else the code's place in `eventCodes` + 1. */
  #codes = new Uint8Array(0);
  /** First message of each code, by its number in `#codes`. */
  readonly #messages = new Map<number, string>();
  /** By number in `#codes`: when the last of its events may come again, where that is known. */
  readonly #retryAfterMs = new Map<number, number>();
  /** Codes of the whole frame: it could not be taken apart. */
  readonly #whole = new Set<number>();

  /**
   * Adds event `event`, or the whole frame without one. The first message of a code stays, and the
   * longest `retryAfterMs`.
   */
  add(event: number | undefined, code: EventCode, message: string, retryAfterMs?: number): void {
    const number = eventCodes.indexOf(code) + 1;
    if (retryAfterMs !== undefined) {
      const longest = Math.max(retryAfterMs, this.#retryAfterMs.get(number) ?? 0);
      this.#retryAfterMs.set(number, longest);
    }
    if (!this.#messages.has(number)) this.#messages.set(number, boundedMessage(message));
    if (event === undefined) {
      this.#whole.add(number);
      return;
    }
    if (event >= this.#codes.length) this.#grow(event + 1);
    this.#codes[event] = number;
  }

  /** An entry per code, with its events as ranges. */
  entries(): RefusalEntry[] {
    const ranges = new Map<number, [number, number][]>();
    const codes = this.#codes;
    let next: number;
    for (let first = 0; first < codes.length; first = next) {
      const number = codes[first]!;
      next = first + 1;
      while (codes[next] === number) next++;
      if (number === 0) continue;
      const known = ranges.get(number);
      if (known === undefined) ranges.set(number, [[first, next - 1]]);
      else known.push([first, next - 1]);
    }
    return [...this.#messages].map(([number, message]) =>
      newEntry(
        eventCodes[number - 1]!,
        message,
        this.#whole.has(number) ? undefined : ranges.get(number),
        this.#retryAfterMs.get(number),
      ),
    );
  }

  #grow(events: number): void {
    const larger = new Uint8Array(Math.max(FIRST_EVENTS, 2 ** Math.ceil(Math.log2(events))));
    larger.set(this.#codes);
    this.#codes = larger;
  }
}

function newEntry(
  code: EventCode,
  message: string,
  events: [number, number][] | undefined,
  knownMs: number | undefined,
): RefusalEntry {
  const { retry } = EVENT_CODES[code];
  return {
    code,
    retry,
    ...(events !== undefined && { events }),
    message,
    ...(retry && { retryAfterMs: knownMs === undefined ? guessedMs(code) : spreadMs(knownMs) }),
  };
}

function guessedMs(code: EventCode): number {
  return Math.round((RETRY_AFTER_MS[code] ?? 1_000) * (0.75 + Math.random() / 2));
}

/** Never sooner than it may: others may wait for the same. */
function spreadMs(ms: number): number {
  return Math.ceil(ms * (1 + Math.random() / 4));
}
