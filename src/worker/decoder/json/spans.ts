/**
 * Results of the fast validator for the events of an array, between the pass that validates all of
 * them and the one that emits them.
 */
import type { FastValidator } from './fast-validator.ts';

/** Numbers per event: start, end, profile, start and length of the key. */
const KEY_NUMBERS = 5;
/** With record fields: then start and length of id, time and trace. */
export const SPAN_NUMBERS_MAX = 11;
/** In place of the key's length: the fast validator has not accepted the event. */
const NOT_VALIDATED = -2;

/** Returns the numbers per event for a fast validator. */
export function spanNumbers(validator: FastValidator | undefined): number {
  return validator?.locatesRecordFields ? SPAN_NUMBERS_MAX : KEY_NUMBERS;
}

/** Saves an event at `span` that the fast validator has just accepted. */
export function saveValidated(
  spans: Int32Array,
  span: number,
  start: number,
  end: number,
  { located, locatesRecordFields }: FastValidator,
): void {
  spans[span] = start;
  spans[span + 1] = end;
  spans[span + 2] = located.profile;
  spans[span + 3] = located.keyStart;
  spans[span + 4] = located.keyBytes;
  if (!locatesRecordFields) return;
  spans[span + 5] = located.idStart;
  spans[span + 6] = located.idBytes;
  spans[span + 7] = located.timeStart;
  spans[span + 8] = located.timeBytes;
  spans[span + 9] = located.traceStart;
  spans[span + 10] = located.traceBytes;
}

/** Saves an event at `span` for the slow path. */
export function saveUndecided(spans: Int32Array, span: number, start: number, end: number): void {
  spans[span] = start;
  spans[span + 1] = end;
  spans[span + 4] = NOT_VALIDATED;
}

/** Returns whether the fast validator has accepted the event at `span`. */
export function isValidated(spans: Int32Array, span: number): boolean {
  return spans[span + 4] !== NOT_VALIDATED;
}

/** Restores the fields of the accepted event at `span`. */
export function restoreFields(
  spans: Int32Array,
  span: number,
  { located, locatesRecordFields }: FastValidator,
): void {
  located.profile = spans[span + 2]!;
  located.keyStart = spans[span + 3]!;
  located.keyBytes = spans[span + 4]!;
  if (!locatesRecordFields) return;
  located.idStart = spans[span + 5]!;
  located.idBytes = spans[span + 6]!;
  located.timeStart = spans[span + 7]!;
  located.timeBytes = spans[span + 8]!;
  located.traceStart = spans[span + 9]!;
  located.traceBytes = spans[span + 10]!;
}
