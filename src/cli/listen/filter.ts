/** The conditions of `--filter`. */
import type { JsonObject } from '../../common/json-object.ts';
import { fieldAt } from './event.ts';

/** `field` names a place in the event, or with {@link KEY_FIELD} the record's key. */
export interface Filter {
  readonly field: string;
  readonly text: string;
}

/** Shells expand `$`; no name of a field is likely to begin with it either. */
export const KEY_FIELD = '@key';

/** Reads `field=text`; undefined if it is none. The text may be empty and have more `=` in it. */
export function parseFilter(argument: string): Filter | undefined {
  const equals = argument.indexOf('=');
  if (equals < 1) return undefined;
  return { field: argument.slice(0, equals), text: argument.slice(equals + 1) };
}

/** Whether all of `filters` hold for a record. */
export function matchesAll(
  filters: readonly Filter[],
  key: Buffer | null,
  event: JsonObject | undefined,
): boolean {
  return filters.every(({ field, text }) =>
    field === KEY_FIELD ? key?.toString('utf8') === text : isWritten(fieldAt(event, field), text),
  );
}

const NUMBER = /^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$/;

/** Objects and arrays match no text: their fields are what can be asked for. */
function isWritten(value: unknown, text: string): boolean {
  switch (typeof value) {
    case 'string':
      return value === text;
    case 'number':
      return NUMBER.test(text) && Number(text) === value;
    case 'boolean':
      return String(value) === text;
    default:
      return value === null && text === 'null';
  }
}
