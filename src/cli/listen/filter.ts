/** Conditions of `--filter`, `--header` and `--without-header`. */
import type { JsonObject } from '../../common/json-object.ts';
import { hasHeader, type RecordHeaders } from '../../kafka/record-headers.ts';
import { fieldAt } from './event.ts';

/** `field` is a path in the event, or {@link KEY_FIELD} for the record key. */
export interface Filter {
  readonly field: string;
  readonly text: string;
}

export interface HeaderFilter {
  readonly name: string;
  /** Undefined = any value, or none. */
  readonly text: string | undefined;
}

/** Name of the record key in a filter. Field names rarely begin with `@`; shells expand `$`. */
export const KEY_FIELD = '@key';

/** Parses `field=text`; undefined if invalid. The text may be empty or contain `=`. */
export function parseFilter(argument: string): Filter | undefined {
  const equals = argument.indexOf('=');
  if (equals < 1) return undefined;
  return { field: argument.slice(0, equals), text: argument.slice(equals + 1) };
}

/** Parses `name` or `name=text`; undefined if invalid. */
export function parseHeaderFilter(argument: string): HeaderFilter | undefined {
  if (argument === '') return undefined;
  if (!argument.includes('=')) return { name: argument, text: undefined };
  const filter = parseFilter(argument);
  return filter && { name: filter.field, text: filter.text };
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

/**
 * Returns whether the headers match all filters, and none has a name of `without`. Of a repeated
 * header, one value has to match.
 */
export function matchesHeaders(
  filters: readonly HeaderFilter[],
  without: readonly string[],
  headers: RecordHeaders,
): boolean {
  if (without.some((name) => hasHeader(headers, name))) return false;
  return filters.every(({ name, text }) =>
    headers.some(
      (header) =>
        header.name === name && (text === undefined || header.value?.toString('utf8') === text),
    ),
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
