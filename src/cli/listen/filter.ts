/** Conditions of `--filter`. */
import type { JsonObject } from '../../common/json-object.ts';
import { fieldAt } from './event.ts';

/** `field` is a path in the event, or {@link KEY_FIELD} for the record key. */
export interface Filter {
  readonly field: string;
  readonly text: string;
}

/** Name of the record key in a filter. Field names rarely begin with `@`; shells expand `$`. */
export const KEY_FIELD = '@key';

/** Parses `field=text`; undefined if invalid. The text may be empty or contain `=`. */
export function parseFilter(argument: string): Filter | undefined {
  const equals = argument.indexOf('=');
  if (equals < 1) return undefined;
  return { field: argument.slice(0, equals), text: argument.slice(equals + 1) };
}

/** Returns whether a record matches all filters. */
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

/** Objects and arrays match no text; filters address their fields. */
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
