import { KIB, MIB } from '../config/limits.ts';

/** Fixed limits of `forebay micro`. */
export const MICRO_LIMITS = {
  /** Bytes of the log of each stream and outcome: its default, and the range of `--max-bytes`. */
  logBytes: { default: 16 * MIB, min: KIB, max: 256 * MIB },
  /** Events in a response of `GET /micro/events`; bytes after which it ends. */
  listed: { default: 1_000, max: 10_000, bytes: 8 * MIB },
  /** Concurrent `POST /micro/expect`. */
  expectations: 100,
  /** Wait of `POST /micro/expect`, ms. */
  withinMs: { default: 5_000, max: 60_000 },
  /** Events that an expectation may state. */
  expectedMax: 1_000_000_000,
  /** Rejections that the answer to a failed expectation shows. */
  shownRejections: 5,
  /** Body of a request to /micro, bytes. */
  bodyBytes: 16 * KIB,
} as const;
