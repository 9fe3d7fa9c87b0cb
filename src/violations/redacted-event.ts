/**
 * Describes the structure of an event without its content: field names, types, and lengths of texts
 * and arrays, as `{"msg": string(12), "price": integer}`.
 */
import { printable } from '../common/printable.ts';
import { VIOLATION_LIMITS } from './limits.ts';

const { exampleChars, exampleDepth, exampleFields, exampleItems, nameChars } = VIOLATION_LIMITS;

/**
 * Returns the description of a parsed JSON value. Names are those of the sender: cut, and escaped
 * for terminals. Its length and the work are bounded by `VIOLATION_LIMITS`.
 */
export function redactedEvent(value: unknown): string {
  const text = described(value, 0, exampleChars);
  return text.length <= exampleChars ? text : `${text.slice(0, exampleChars - 1)}…`;
}

/** Returns the type of a text, number, boolean or null, as `string(12)`. */
export function typeName(value: unknown): string {
  if (value === null) return 'null';
  if (typeof value === 'string') return `string(${value.length})`;
  if (typeof value === 'number') return Number.isInteger(value) ? 'integer' : 'number';
  return typeof value;
}

/** @param room characters for its description; once they are used, nothing is described */
function described(value: unknown, depth: number, room: number): string {
  if (typeof value !== 'object' || value === null) return typeName(value);
  return Array.isArray(value) ? items(value, depth, room) : fields(value, depth, room);
}

function items(values: readonly unknown[], depth: number, room: number): string {
  if (depth === exampleDepth) return `array(${values.length})`;
  let text = '[';
  for (const [index, value] of values.entries()) {
    if (index > 0) text += ', ';
    if (index === exampleItems) return `${text}… ${values.length - index} more]`;
    text += described(value, depth + 1, room - text.length);
    if (text.length > room) return text;
  }
  return `${text}]`;
}

function fields(value: object, depth: number, room: number): string {
  const names = Object.keys(value);
  if (depth === exampleDepth) return `object(${names.length})`;
  let text = '{';
  for (const [index, name] of names.entries()) {
    if (index > 0) text += ', ';
    if (index === exampleFields) return `${text}… ${names.length - index} more}`;
    text += `${nameOf(name)}: `;
    text += described(Reflect.get(value, name), depth + 1, room - text.length);
    if (text.length > room) return text;
  }
  return `${text}}`;
}

function nameOf(name: string): string {
  const isLong = name.length > nameChars;
  return printable(JSON.stringify(isLong ? `${name.slice(0, nameChars - 1)}…` : name));
}
