import { boundedMessage, EVENT_CODES, type EventCode } from '../../errors.ts';

/** One entry of a `nack`, or of an HTTP answer: events of a frame that share a code. */
export interface RefusalEntry {
  readonly code: EventCode;
  readonly retry: boolean;
  /** Ranges of event indexes, first and last; absent where the frame could not be taken apart. */
  readonly events?: [number, number][];
  readonly message: string;
  readonly retryAfterMs?: number;
}

/** How long a sender should wait before it tries again, ms; spread by a quarter both ways. */
const RETRY_AFTER_MS: Partial<Record<EventCode, number>> = {
  rate_limited: 1_000,
  buffer_full: 500,
  kafka_unavailable: 2_000,
  draining: 1_000,
  timeout: 1_000,
};

/** What was refused of one frame. */
export class Refusals {
  readonly #entries = new Map<EventCode, RefusalEntry>();
  /** Events refused; a frame that could not be taken apart is one. */
  events = 0;

  /** Adds event `event`, or the whole frame without one. The first message of a code stays. */
  add(event: number | undefined, code: EventCode, message: string): void {
    this.events++;
    const known = this.#entries.get(code);
    if (known === undefined) {
      this.#entries.set(code, newEntry(event, code, message));
      return;
    }
    if (event === undefined || known.events === undefined) return;
    const last = known.events[known.events.length - 1]!;
    if (last[1] + 1 === event) last[1] = event;
    else known.events.push([event, event]);
  }

  /** An entry per code; events of different batches come in any order, ranges are in theirs. */
  entries(): RefusalEntry[] {
    for (const { events } of this.#entries.values()) if (events !== undefined) merge(events);
    return [...this.#entries.values()];
  }
}

function newEntry(event: number | undefined, code: EventCode, message: string): RefusalEntry {
  const { retry } = EVENT_CODES[code];
  const pause = RETRY_AFTER_MS[code] ?? 1_000;
  return {
    code,
    retry,
    ...(event !== undefined && { events: [[event, event]] }),
    message: boundedMessage(message),
    ...(retry && { retryAfterMs: Math.round(pause * (0.75 + Math.random() / 2)) }),
  };
}

/** Sorts ranges and joins those that touch, in place. */
function merge(ranges: [number, number][]): void {
  ranges.sort((a, b) => a[0] - b[0]);
  let kept = 0;
  for (let index = 1; index < ranges.length; index++) {
    const range = ranges[index]!;
    const last = ranges[kept]!;
    if (range[0] <= last[1] + 1) last[1] = Math.max(last[1], range[1]);
    else ranges[++kept] = range;
  }
  ranges.length = Math.min(ranges.length, kept + 1);
}
