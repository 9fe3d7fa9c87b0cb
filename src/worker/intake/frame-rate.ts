import { EVENT_CODES, type EventCode } from '../../common/errors.ts';
import { LIMITS } from '../../config/limits.ts';
import {
  type Buckets,
  charge,
  isInDebt,
  takeToken,
  takeTokens,
  waitMs,
} from '../admission/token-bucket.ts';

/** State of {@link FrameRate} between two slices of a frame; zero without buckets. */
export interface RateProgress {
  readonly limited: number;
  readonly lastLimited: number;
  readonly rejected: number;
  readonly validBytes: number;
}

/** An event that is over the rate, and the wait until all of them can be sent again. */
export interface LongerWait {
  readonly index: number;
  readonly retryAfterMs: number;
}

/** Rate limits of the sender of a frame, and the cost of the events that are rejected in it. */
export class FrameRate {
  #buckets: Buckets | undefined;
  #nowMs = 0;
  #limited = 0;
  #lastLimited = 0;
  #rejected = 0;
  #validBytes = 0;

  /** Begins a frame. @param buckets rate limits of its sender; undefined = none */
  begin(buckets: Buckets | undefined, nowMs: number): void {
    this.#buckets = buckets;
    this.#nowMs = nowMs;
    this.#limited = 0;
    this.#rejected = 0;
    this.#validBytes = 0;
  }

  /** Continues a frame that {@link begin} has begun again. */
  resume({ limited, lastLimited, rejected, validBytes }: RateProgress): void {
    this.#limited = limited;
    this.#lastLimited = lastLimited;
    this.#rejected = rejected;
    this.#validBytes = validBytes;
  }

  get progress(): RateProgress {
    const [limited, lastLimited] = [this.#limited, this.#lastLimited];
    return { limited, lastLimited, rejected: this.#rejected, validBytes: this.#validBytes };
  }

  /** Whether events of the frame take tokens. */
  get isLimited(): boolean {
    return this.#buckets !== undefined;
  }

  /** Returns ms until the sender has paid for earlier rejections; undefined = it owes nothing. */
  get debtMs(): number | undefined {
    const buckets = this.#buckets;
    if (buckets === undefined || !isInDebt(buckets, this.#nowMs)) return undefined;
    return waitMs(buckets, 1);
  }

  /**
   * Takes a token for an event, valid or not.
   * @returns ms until all events of the frame without a token can be sent again; undefined = it has
   * one
   */
  take(index: number, bytes: number): number | undefined {
    this.#validBytes += bytes;
    if (takeToken(this.#buckets!, this.#nowMs)) return undefined;
    this.#limited++;
    this.#lastLimited = index;
    return waitMs(this.#buckets!, this.#limited);
  }

  /** Takes the tokens of the events of a frame that is rejected undecoded, as far as available. */
  takeUpTo(events: number): void {
    if (this.#buckets !== undefined) takeTokens(this.#buckets, events, this.#nowMs);
  }

  /** An event that has its token is rejected, and no retry can make it valid. */
  rejected(bytes: number): void {
    this.#rejected++;
    this.#validBytes -= bytes;
  }

  /** The decoder rejected an event, or the frame: charges a token, into debt if need be. */
  chargeUndecoded(code: EventCode): void {
    if (this.#buckets === undefined || EVENT_CODES[code].retry) return;
    this.#rejected++;
    charge(this.#buckets, 1, this.#nowMs);
  }

  /**
   * Ends a decoded frame of `bytes`. Its rejected bytes cost one token per
   * `LIMITS.rejectedBytesPerToken`, minus the tokens that its rejected events have already taken.
   * @returns the last event over the rate, which has to wait longer because of that
   */
  end(bytes: number): LongerWait | undefined {
    const buckets = this.#buckets;
    if (buckets === undefined || this.#rejected === 0) return undefined;
    const tokens = Math.ceil((bytes - this.#validBytes) / LIMITS.rejectedBytesPerToken);
    if (tokens > this.#rejected) charge(buckets, tokens - this.#rejected, this.#nowMs);
    if (this.#limited === 0) return undefined;
    return { index: this.#lastLimited, retryAfterMs: waitMs(buckets, this.#limited) };
  }
}
