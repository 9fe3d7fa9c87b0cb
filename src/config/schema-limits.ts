import { KIB, MIB } from './limits.ts';

/**
 * Limits of the schemas of events. A file that exceeds one is rejected: it could take the time of
 * all other events of a worker.
 */
export const SCHEMA_LIMITS = {
  bytes: MIB,
  /** Levels of a file; schemas in it; those that apply to one value, without its parts. */
  depth: 200,
  subschemas: 10_000,
  evaluations: 1_000,
  /** Characters of generated code: a worker compiles them in about half a second. */
  codeChars: 2 * MIB,
  /** Characters of a file from which its code is not optimized, which would take the most time. */
  optimizedChars: 16 * KIB,
  /** Check of a file, in a thread of its own: its time and memory. */
  checkMs: 60_000,
  checkMemoryMib: 512,
  /** Stack of that thread, smaller than that of a worker: what compiles there compiles in both. */
  checkStackMib: 0.75,
  /** Results that the primary keeps. */
  resultsKept: 256,
  /** Analysis of a regular expression; time that the slowest texts of one event may take with it;
   * repetitions of that measurement: the fastest counts. */
  analysisMs: 10_000,
  patternMs: 100,
  patternRuns: 3,
  /** Work to validate an event, in steps of about 0.1 µs or less; see work-limit.ts. An array of
   * numbers that fills the largest frame takes two fifths. */
  steps: 1_000_000,
} as const;

/** Limits of `POST /events?explain=1`. What exceeds them is left out, and the response says so. */
export const EXPLAIN_LIMITS = {
  /** Events of a body, their bytes, and violations of each. */
  events: 20,
  eventBytes: 256 * KIB,
  violations: 20,
  /** Characters of all messages and locations in a response. */
  chars: 64 * KIB,
  /** CPU time of a worker's thread that explains: per second, and at once after a pause. */
  msPerSecond: 100,
  burstMs: 1_000,
  /** Time of a body until it is answered without the rest; bodies that wait for the thread. */
  timeoutMs: 2_000,
  waitingBodies: 8,
  /** Memory of the thread, and the time after which it ends if nothing is to be explained. */
  memoryMib: 96,
  idleMs: 60_000,
  /** Schemas that the thread keeps compiled; it is replaced when a reload exceeds them. */
  schemas: 256,
} as const;
