/**
 * Validates events without creating values: accepts objects with each required field exactly once,
 * of its type and without escapes. It accepts a subset of the valid events; all others are left to
 * `JSON.parse` and the schema, which also name errors.
 */
import { COLON, INVALID, isDigit, jsonEnd, MINUS, stringEnd, ZERO } from './json-grammar.ts';
import {
  BACKSLASH,
  CLOSE_BRACE,
  COMMA,
  isBlank,
  OPEN_BRACE,
  QUOTE,
  skipBlank,
} from './json-scanner.ts';

export type FieldType = 'string' | 'integer';

/** Required fields of an event. */
export type RequiredFields = Readonly<Record<string, FieldType>>;

interface Field {
  readonly name: Buffer;
  /** Undefined for a field that is not required, only the key. */
  readonly type: FieldType | undefined;
  readonly isKey: boolean;
  /** The first segment of a key path: the key is nested in it, which is left to the slow path. */
  readonly holdsKey: boolean;
  /** Bit in the set of seen fields. */
  readonly bit: number;
}

/** Maximum digits of integers that are all exact doubles. */
const INTEGER_DIGITS_MAX = 15;

export class FastValidator {
  readonly #fields: readonly Field[];
  /** Bits of the required fields. */
  readonly #required: number;
  #keyStart = 0;
  #keyBytes = -1;

  /** @param keyField name or path as in KeyField; it may be one of the required fields */
  constructor(required: RequiredFields, keyField: string) {
    const head = keyField.split('.')[0]!;
    const names = [...new Set([...Object.keys(required), keyField, head])];
    this.#fields = names.map((name, index) => {
      const type = Object.hasOwn(required, name) ? required[name] : undefined;
      const isKey = name === keyField;
      const holdsKey = type === undefined && !isKey;
      return { name: Buffer.from(name), type, isKey, holdsKey, bit: 1 << index };
    });
    this.#required = this.#fields.reduce((set, { type, bit }) => (type ? set | bit : set), 0);
  }

  /** Start of the key in the object accepted last. */
  get keyStart(): number {
    return this.#keyStart;
  }
  /** Length of that key; -1 = no key. */
  get keyBytes(): number {
    return this.#keyBytes;
  }

  /**
   * Returns the offset after the object at `start` if it is accepted, otherwise {@link INVALID}.
   * `bytes` must be UTF-8; `end` is as in {@link jsonEnd}.
   * @param maxDepth maximum nesting of arrays and objects, counting the object itself
   */
  objectEnd(bytes: Buffer, start: number, end: number, maxDepth: number): number {
    if (start >= end || bytes[start] !== OPEN_BRACE) return INVALID;
    this.#keyBytes = -1;
    let seen = 0;
    let at = start;
    do {
      const nameStart = afterBlank(bytes, at + 1, end) + 1;
      if (nameStart >= end || bytes[nameStart - 1] !== QUOTE) return INVALID;
      const nameEnd = plainEnd(bytes, nameStart, end);
      if (nameEnd === INVALID) return INVALID;
      at = afterBlank(bytes, nameEnd + 1, end);
      if (at >= end || bytes[at] !== COLON) return INVALID;
      at = afterBlank(bytes, at + 1, end);
      const field = this.#fieldOf(bytes, nameStart, nameEnd);
      if (field === undefined) at = valueEnd(bytes, at, end, maxDepth - 1);
      else {
        if (seen & field.bit) return INVALID;
        seen |= field.bit;
        at = this.#fieldEnd(field, bytes, at, end);
      }
      if (at === INVALID) return INVALID;
      at = afterBlank(bytes, at, end);
      if (at >= end) return INVALID;
    } while (bytes[at] === COMMA);
    const whole = bytes[at] === CLOSE_BRACE && (seen & this.#required) === this.#required;
    return whole ? at + 1 : INVALID;
  }

  #fieldOf(bytes: Buffer, start: number, end: number): Field | undefined {
    for (const field of this.#fields) if (isSame(field.name, bytes, start, end)) return field;
    return undefined;
  }

  #fieldEnd(field: Field, bytes: Buffer, start: number, end: number): number {
    const { type, isKey, holdsKey } = field;
    if (holdsKey) return INVALID;
    if (start < end && bytes[start] === QUOTE) {
      if (type === 'integer') return INVALID;
      if (!isKey) return textEnd(bytes, start, end);
      const keyEnd = plainEnd(bytes, start + 1, end);
      if (keyEnd === INVALID) return INVALID;
      this.#keyStart = start + 1;
      this.#keyBytes = keyEnd - start - 1;
      return keyEnd + 1;
    }
    // A key can be a number; other values of an untyped key field are left to the slow path.
    if (type === 'string') return INVALID;
    const integer = integerEnd(bytes, start, end);
    if (!isKey || integer === INVALID) return integer;
    // The key of -0 is 0.
    if (bytes[start] === MINUS && bytes[start + 1] === ZERO) return INVALID;
    this.#keyStart = start;
    this.#keyBytes = integer - start;
    return integer;
  }
}

/** {@link skipBlank}, optimized for no white space. */
function afterBlank(bytes: Buffer, at: number, end: number): number {
  return at < end && isBlank(bytes[at]) ? skipBlank(bytes, at, end) : at;
}

/** Returns the offset of the closing quote of a string without escapes, or {@link INVALID}. */
function plainEnd(bytes: Buffer, start: number, end: number): number {
  let at = start;
  while (at < end) {
    const byte = bytes[at]!;
    if (byte === QUOTE) return at;
    if (byte === BACKSLASH || byte < 0x20) return INVALID;
    at++;
  }
  return INVALID;
}

function valueEnd(bytes: Buffer, start: number, end: number, maxDepth: number): number {
  if (start >= end) return INVALID;
  if (bytes[start] !== QUOTE) return jsonEnd(bytes, start, end, maxDepth);
  return textEnd(bytes, start, end);
}

function textEnd(bytes: Buffer, start: number, end: number): number {
  const plain = plainEnd(bytes, start + 1, end);
  return plain === INVALID ? stringEnd(bytes, start) : plain + 1;
}

function integerEnd(bytes: Buffer, start: number, end: number): number {
  const first = start < end && bytes[start] === MINUS ? start + 1 : start;
  let at = first;
  while (at < end && isDigit(bytes[at])) at++;
  const digits = at - first;
  // Fractions and exponents are left to the slow path.
  const ends = at < end && (bytes[at] === COMMA || bytes[at] === CLOSE_BRACE || isBlank(bytes[at]));
  if (!ends || digits === 0 || digits > INTEGER_DIGITS_MAX) return INVALID;
  return digits > 1 && bytes[first] === ZERO ? INVALID : at;
}

function isSame(name: Buffer, bytes: Buffer, start: number, end: number): boolean {
  if (name.length !== end - start) return false;
  for (let index = 0; index < name.length; index++) {
    if (bytes[start + index] !== name[index]) return false;
  }
  return true;
}
