import { boundedMessage, EVENT_CODES, type EventCode, eventCodes } from '../../common/errors.ts';
import { LIMITS } from '../../config/limits.ts';
import type { Budget } from '../accumulator/budget.ts';

type ForcedBudget = Pick<Budget, 'forceCharge' | 'release'>;

/** One entry of a `nack` or an HTTP response: events of a frame that share a code. */
export interface RejectionEntry {
  readonly code: EventCode;
  readonly retry: boolean;
  /** Ranges of event indexes, first and last; absent if the frame was rejected as a whole. */
  readonly events?: [number, number][];
  readonly message: string;
  readonly retryAfterMs?: number;
}

/** Default retry delays, ms, where the exact time is unknown; with a jitter of 25 % both ways. */
const RETRY_AFTER_MS: Partial<Record<EventCode, number>> = {
  buffer_full: 500,
  kafka_unavailable: 2_000,
  draining: 1_000,
  timeout: 1_000,
};

/** Initial capacity in events; doubles. */
const FIRST_EVENTS = 16;
const NO_CODES = new Uint8Array(0);

/** Rejections of one code. */
interface CodeEntry {
  /** Index of the code in `eventCodes` + 1. */
  readonly number: number;
  /** The first message. */
  readonly message: string;
  /** The code applies to the whole frame. */
  wholeFrame: boolean;
  /** Longest known delay of its events. */
  retryAfterMs: number | undefined;
}

/**
 * Rejections in one frame: a byte per event, so that a client that sends only invalid events cannot
 * make it use much memory. Its memory is charged to the budget, even above the limit, until
 * {@link release}: a rejection must be reported, and a full buffer must accept less.
 */
export class Rejections {
  readonly #budget: ForcedBudget;
  #chargedBytes = 0;
  /** By event: 0 = not rejected, else the number of its code. */
  #codes = NO_CODES;
  /** By code, in order of the first rejection. */
  readonly #byCode: CodeEntry[] = [];

  constructor(budget: ForcedBudget) {
    this.#budget = budget;
    this.#charge(LIMITS.refusals.frameBytes);
  }

  /** Bytes charged to the budget. */
  get chargedBytes(): number {
    return this.#chargedBytes;
  }

  /**
   * Adds an event, or the whole frame if `event` is undefined. Keeps the first message of a code,
   * and the longest `retryAfterMs`.
   */
  add(event: number | undefined, code: EventCode, message: string, retryAfterMs?: number): void {
    const number = eventCodes.indexOf(code) + 1;
    const entry =
      this.#byCode.find((known) => known.number === number) ?? this.#addCode(number, message);
    if (retryAfterMs !== undefined) {
      entry.retryAfterMs = Math.max(retryAfterMs, entry.retryAfterMs ?? 0);
    }
    if (event === undefined) {
      entry.wholeFrame = true;
      return;
    }
    if (event >= this.#codes.length) this.#grow(event + 1);
    this.#codes[event] = number;
  }

  /** Returns an entry per code, with its events as ranges. */
  entries(): RejectionEntry[] {
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
    return this.#byCode.map(({ number, message, wholeFrame, retryAfterMs }) => {
      const events = wholeFrame ? undefined : ranges.get(number);
      return newEntry(eventCodes[number - 1]!, message, events, retryAfterMs);
    });
  }

  /** Frees the memory after the report, or without one. Nothing may be added afterwards. */
  release(): void {
    this.#budget.release(this.#chargedBytes);
    this.#chargedBytes = 0;
  }

  #addCode(number: number, message: string): CodeEntry {
    const bounded = boundedMessage(message);
    const entry = { number, message: bounded, wholeFrame: false, retryAfterMs: undefined };
    this.#byCode.push(entry);
    this.#charge(LIMITS.refusals.codeBytes + bounded.length);
    return entry;
  }

  #grow(events: number): void {
    const larger = new Uint8Array(Math.max(FIRST_EVENTS, 2 ** Math.ceil(Math.log2(events))));
    larger.set(this.#codes);
    this.#charge(larger.length - this.#codes.length);
    this.#codes = larger;
  }

  #charge(bytes: number): void {
    this.#budget.forceCharge(bytes);
    this.#chargedBytes += bytes;
  }
}

function newEntry(
  code: EventCode,
  message: string,
  events: [number, number][] | undefined,
  knownMs: number | undefined,
): RejectionEntry {
  const { retry } = EVENT_CODES[code];
  return {
    code,
    retry,
    ...(events !== undefined && { events }),
    message,
    ...(retry && { retryAfterMs: knownMs === undefined ? defaultMs(code) : spreadMs(knownMs) }),
  };
}

function defaultMs(code: EventCode): number {
  return Math.round((RETRY_AFTER_MS[code] ?? 1_000) * (0.75 + Math.random() / 2));
}

/** Adds jitter to a wait, which is never shortened: other clients may wait for the same room. */
function spreadMs(ms: number): number {
  return Math.ceil(ms * (1 + Math.random() / 4));
}
