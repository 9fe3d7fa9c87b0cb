/** Decision of events by their bytes, without creating values. */
import type { DecodeBounds } from '../decode-bounds.ts';

/**
 * Validates and routes events, and locates the fields of their records, as a table tells. It
 * accepts a subset of the valid events; all others are undecided: left to `JSON.parse` and the
 * schema, which also name errors.
 */
export interface FastValidator {
  /**
   * Makes `bytes[start, end)` the input of subsequent calls, which must be UTF-8. Positions are
   * offsets in `bytes`.
   */
  load(bytes: Buffer, start: number, end: number): void;
  /**
   * Returns the offset after the object at `start` if it is accepted: its result is then the first
   * one. INVALID = undecided, or not JSON.
   * @param end of the text that contains it: the end of the input, or of a line
   * @param maxDepth maximum nesting of arrays and objects, counting the object itself
   */
  objectEnd(start: number, end: number, maxDepth: number): number;
  /**
   * Returns the number of values of the array at `open`, which must end with the input; each has a
   * result. INVALID = the array has none or too many, is not JSON, or nests too deeply.
   */
  array(open: number, bounds: DecodeBounds): number;
  /** Results as in layout.ts, until the next call. */
  readonly results: Int32Array;
}
