/** How many events a second, and at once. */
export interface Rate {
  readonly eventsPerSecond: number;
  /** Events that may come at once after a pause. */
  readonly burst: number;
}

/** A rate as tokens: each event takes one, they come back evenly, up to the burst. */
export class TokenBucket {
  readonly #rate: Rate;
  #tokens: number;
  /** When the tokens were counted last, ms of the monotonic clock. */
  #countedMs = 0;

  /** It begins full. */
  constructor(rate: Rate) {
    this.#rate = rate;
    this.#tokens = rate.burst;
  }

  /** Whether there is a token, at `nowMs` of the monotonic clock. */
  has(nowMs: number): boolean {
    if (nowMs > this.#countedMs) {
      const { eventsPerSecond, burst } = this.#rate;
      const more = ((nowMs - this.#countedMs) / 1000) * eventsPerSecond;
      this.#tokens = Math.min(burst, this.#tokens + more);
      this.#countedMs = nowMs;
    }
    return this.#tokens >= 1;
  }

  /** Takes a token that {@link has} has seen. */
  take(): void {
    this.#tokens--;
  }

  /**
   * Takes `tokens` at `nowMs`, there or not. What is missing is a debt, of up to a burst: the next
   * events wait until it is paid and a token is there.
   */
  charge(tokens: number, nowMs: number): void {
    this.has(nowMs);
    this.#tokens = Math.max(-this.#rate.burst, this.#tokens - tokens);
  }

  /** Whether more was taken than was there, at `nowMs`. */
  isInDebt(nowMs: number): boolean {
    this.has(nowMs);
    return this.#tokens < 0;
  }

  /** When all tokens are there again if none is taken any more, ms of the monotonic clock. */
  get fullAtMs(): number {
    const { eventsPerSecond, burst } = this.#rate;
    return this.#countedMs + ((burst - this.#tokens) / eventsPerSecond) * 1000;
  }

  /** ms until so many tokens are there, or as many as there can be; as of the last {@link has}. */
  waitMs(tokens: number): number {
    const { eventsPerSecond, burst } = this.#rate;
    const missing = Math.min(tokens, burst) - this.#tokens;
    // The whole ms behind it: at the very one a sum of fractions may be a hair short.
    return missing <= 0 ? 0 : Math.floor((missing / eventsPerSecond) * 1000) + 1;
  }
}

/** The buckets that bound one sender; others may share them. */
export type Buckets = readonly TokenBucket[];

/**
 * Takes a token from each bucket, or from none when one of them has none.
 * @returns whether it did
 */
export function takeToken(buckets: Buckets, nowMs: number): boolean {
  for (const bucket of buckets) if (!bucket.has(nowMs)) return false;
  for (const bucket of buckets) bucket.take();
  return true;
}

/** Takes tokens from each bucket, there or not; see {@link TokenBucket.charge}. */
export function charge(buckets: Buckets, tokens: number, nowMs: number): void {
  for (const bucket of buckets) bucket.charge(tokens, nowMs);
}

/** Whether the sender owes a bucket tokens. */
export function isInDebt(buckets: Buckets, nowMs: number): boolean {
  return buckets.some((bucket) => bucket.isInDebt(nowMs));
}

/** ms until `events` may come; see {@link TokenBucket.waitMs}. */
export function waitMs(buckets: Buckets, events: number): number {
  return buckets.reduce((longest, bucket) => Math.max(longest, bucket.waitMs(events)), 0);
}

/** The buckets of both; undefined where there are none: that costs no look at them. */
export function mergeBuckets(own: Buckets, keyBuckets: Buckets | undefined): Buckets | undefined {
  const all = [...own, ...(keyBuckets ?? [])];
  return all.length === 0 ? undefined : all;
}
