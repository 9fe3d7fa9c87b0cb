import { KIB } from '../config/limits.ts';

/** Limits of the live tail: of the instance, unless they say otherwise. */
export const TAIL_LIMITS = {
  viewers: 3,
  /** Time after which a tail ends. */
  durationMs: 600_000,
  /** Events per second of a viewer. */
  eventsPerSecond: 50,
  /** Bytes of an event with all that is said about it, and of its JSON alone. */
  entryBytes: 4 * KIB,
  eventBytes: 3 * KIB,
  /** Characters of a key, of a sender's name, and of text that is no JSON. */
  keyChars: 200,
  nameChars: 100,
  rawChars: 1_000,
  /** Larger events are not parsed. */
  parsedBytes: 256 * KIB,
  /** Levels of an event. */
  depth: 32,
  /** Values of a filter in all, and characters of each. */
  filterValues: 20,
  filterChars: 200,
  /** Maximum share of a worker's time. */
  share: 0.05,
  /** Interval of the reports of a worker, and reports that may wait for the primary. */
  reportMs: 100,
  unsentReports: 4,
  /** Interval of the status that viewers receive. */
  statusMs: 1_000,
  /** Bytes that a viewer has not read from which it receives no events, and the time after which it
   * is disconnected. */
  unreadBytes: 64 * KIB,
  unreadMs: 30_000,
} as const;
