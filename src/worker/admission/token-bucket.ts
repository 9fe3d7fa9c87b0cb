/** Event rate: sustained, and in a burst. */
export interface Rate {
  readonly eventsPerSecond: number;
  /** Events that may arrive at once after a pause. */
  readonly burst: number;
}

/** A token bucket: each event takes a token; tokens refill evenly, up to the burst. */
export class TokenBucket {
  readonly #rate: Rate;
  #tokens: number;
  /** Time of the last refill, ms of the monotonic clock. */
  #countedMs = 0;

  /** Starts full. */
  constructor(rate: Rate) {
    this.#rate = rate;
    this.#tokens = rate.burst;
  }

  /** Returns the tokens available at `nowMs` of the monotonic clock; negative = a debt. */
  available(nowMs: number): number {
    if (nowMs > this.#countedMs) {
      const { eventsPerSecond, burst } = this.#rate;
      const more = ((nowMs - this.#countedMs) / 1000) * eventsPerSecond;
      this.#tokens = Math.min(burst, this.#tokens + more);
      this.#countedMs = nowMs;
    }
    return this.#tokens;
  }

  /** Returns whether a token is available at `nowMs`. */
  has(nowMs: number): boolean {
    return this.available(nowMs) >= 1;
  }

  /** Takes a token; {@link has} must have returned true. */
  take(): void {
    this.#tokens--;
  }

  /**
   * Takes `tokens` at `nowMs`, even if they are not available. The difference is a debt of up to
   * one burst: later events wait until it is repaid and a token is available.
   */
  charge(tokens: number, nowMs: number): void {
    this.available(nowMs);
    this.#tokens = Math.max(-this.#rate.burst, this.#tokens - tokens);
  }

  /** Returns whether the bucket is in debt at `nowMs`. */
  isInDebt(nowMs: number): boolean {
    return this.available(nowMs) < 0;
  }

  /** When the bucket is full again if no token is taken, ms of the monotonic clock. */
  get fullAtMs(): number {
    const { eventsPerSecond, burst } = this.#rate;
    return this.#countedMs + ((burst - this.#tokens) / eventsPerSecond) * 1000;
  }

  /** Returns ms until `tokens` are available, up to the burst; as of the last {@link available}. */
  waitMs(tokens: number): number {
    const { eventsPerSecond, burst } = this.#rate;
    const missing = Math.min(tokens, burst) - this.#tokens;
    // Rounded up to the next ms: at the exact time, a sum of fractions may fall just short.
    return missing <= 0 ? 0 : Math.floor((missing / eventsPerSecond) * 1000) + 1;
  }
}

/** The buckets that limit one sender; they may be shared. */
export type Buckets = readonly TokenBucket[];

/** Takes a token from each bucket, or from none if any is empty. @returns whether it did */
export function takeToken(buckets: Buckets, nowMs: number): boolean {
  for (const bucket of buckets) if (!bucket.has(nowMs)) return false;
  for (const bucket of buckets) bucket.take();
  return true;
}

/** Takes the same number of tokens from each bucket: up to `tokens`, without debt. */
export function takeTokens(buckets: Buckets, tokens: number, nowMs: number): void {
  let taken = tokens;
  for (const bucket of buckets) taken = Math.min(taken, Math.floor(bucket.available(nowMs)));
  if (taken > 0) charge(buckets, taken, nowMs);
}

/** Takes tokens from each bucket, even if not available; see {@link TokenBucket.charge}. */
export function charge(buckets: Buckets, tokens: number, nowMs: number): void {
  for (const bucket of buckets) bucket.charge(tokens, nowMs);
}

/** Returns whether any of the sender's buckets is in debt. */
export function isInDebt(buckets: Buckets, nowMs: number): boolean {
  return buckets.some((bucket) => bucket.isInDebt(nowMs));
}

/** Returns ms until `events` may arrive; see {@link TokenBucket.waitMs}. */
export function waitMs(buckets: Buckets, events: number): number {
  return buckets.reduce((longest, bucket) => Math.max(longest, bucket.waitMs(events)), 0);
}

/** Returns both sets of buckets; undefined if empty, which avoids iterating over them. */
export function mergeBuckets(own: Buckets, keyBuckets: Buckets | undefined): Buckets | undefined {
  const all = [...own, ...(keyBuckets ?? [])];
  return all.length === 0 ? undefined : all;
}
