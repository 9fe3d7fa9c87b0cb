/**
 * Limits of violations, in each worker and in the primary. An example takes about 50 µs: a worker
 * creates up to `examples` per report, and another one for the same reason after `exampleReports`.
 */
export const VIOLATION_LIMITS = {
  /** Reasons of all streams. */
  rows: 200,
  /** Reasons of one stream and kind. */
  rowsPerStream: 20,
  /** Rows of one stream and kind that new reasons replace per report of a worker. */
  evictionsPerPeriod: 2,
  reasonChars: 200,
  examples: 8,
  exampleReports: 5,
  exampleChars: 600,
  /** Fields of an object, items of an array, and levels of both. */
  exampleFields: 30,
  exampleItems: 3,
  exampleDepth: 4,
  /** Characters of a field's name. */
  nameChars: 60,
} as const;
