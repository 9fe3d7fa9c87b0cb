/**
 * Finds events that are surely good without making values of them: objects with each required field
 * once, of its type, in plain writing. What it does not let through may be good all the same:
 * `JSON.parse` and the schema decide, and name what is wrong.
 */
import { COLON, isDigit, jsonEnd, MINUS, stringEnd, WRONG, ZERO } from './json-grammar.ts';
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

/** Fields that an event must have. */
export type RequiredFields = Readonly<Record<string, FieldType>>;

interface Field {
  readonly name: Buffer;
  /** Undefined for one that is only asked for as the key. */
  readonly type: FieldType | undefined;
  readonly isKey: boolean;
  /** Holds the key in it, which the sieve does not look for. */
  readonly holdsKey: boolean;
  /** Its bit in the set of those that were seen. */
  readonly bit: number;
}

/** Up to so many digits every integer is a number that is exact. */
const INTEGER_DIGITS_MAX = 15;

export class Sieve {
  readonly #fields: readonly Field[];
  /** Bits of those that must be there. */
  readonly #required: number;
  #keyStart = 0;
  #keyBytes = -1;

  /** @param keyField as of KeyField; it may be one of the required ones */
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

  /** Where the key stands of the object that was let through last. */
  get keyStart(): number {
    return this.#keyStart;
  }
  /** Its length; -1 = it has no key. */
  get keyBytes(): number {
    return this.#keyBytes;
  }

  /**
   * The offset after the object that begins at `start`, if it is surely good; else {@link WRONG}.
   * `bytes` must be UTF-8; `end` is as in {@link jsonEnd}.
   * @param maxDepth arrays and objects in each other that the object may have, itself the first
   */
  objectEnd(bytes: Buffer, start: number, end: number, maxDepth: number): number {
    if (start >= end || bytes[start] !== OPEN_BRACE) return WRONG;
    this.#keyBytes = -1;
    let seen = 0;
    let at = start;
    do {
      const nameStart = afterBlank(bytes, at + 1, end) + 1;
      if (nameStart >= end || bytes[nameStart - 1] !== QUOTE) return WRONG;
      const nameEnd = plainEnd(bytes, nameStart, end);
      if (nameEnd === WRONG) return WRONG;
      at = afterBlank(bytes, nameEnd + 1, end);
      if (at >= end || bytes[at] !== COLON) return WRONG;
      at = afterBlank(bytes, at + 1, end);
      const field = this.#fieldOf(bytes, nameStart, nameEnd);
      if (field === undefined) at = valueEnd(bytes, at, end, maxDepth - 1);
      else {
        if (seen & field.bit) return WRONG;
        seen |= field.bit;
        at = this.#fieldEnd(field, bytes, at, end);
      }
      if (at === WRONG) return WRONG;
      at = afterBlank(bytes, at, end);
      if (at >= end) return WRONG;
    } while (bytes[at] === COMMA);
    const whole = bytes[at] === CLOSE_BRACE && (seen & this.#required) === this.#required;
    return whole ? at + 1 : WRONG;
  }

  #fieldOf(bytes: Buffer, start: number, end: number): Field | undefined {
    for (const field of this.#fields) if (isSame(field.name, bytes, start, end)) return field;
    return undefined;
  }

  #fieldEnd(field: Field, bytes: Buffer, start: number, end: number): number {
    const { type, isKey, holdsKey } = field;
    if (holdsKey) return WRONG;
    if (start < end && bytes[start] === QUOTE) {
      if (type === 'integer') return WRONG;
      if (!isKey) return textEnd(bytes, start, end);
      const keyEnd = plainEnd(bytes, start + 1, end);
      if (keyEnd === WRONG) return WRONG;
      this.#keyStart = start + 1;
      this.#keyBytes = keyEnd - start - 1;
      return keyEnd + 1;
    }
    // A key may be a number: what has no type is no key otherwise.
    if (type === 'string') return WRONG;
    const integer = integerEnd(bytes, start, end);
    if (!isKey || integer === WRONG) return integer;
    // -0 is 0.
    if (bytes[start] === MINUS && bytes[start + 1] === ZERO) return WRONG;
    this.#keyStart = start;
    this.#keyBytes = integer - start;
    return integer;
  }
}

/** {@link skipBlank}, for the case that there is none. */
function afterBlank(bytes: Buffer, at: number, end: number): number {
  return at < end && isBlank(bytes[at]) ? skipBlank(bytes, at, end) : at;
}

/** The offset of the quote that ends a string without escapes, from its first character on. */
function plainEnd(bytes: Buffer, start: number, end: number): number {
  let at = start;
  while (at < end) {
    const byte = bytes[at]!;
    if (byte === QUOTE) return at;
    if (byte === BACKSLASH || byte < 0x20) return WRONG;
    at++;
  }
  return WRONG;
}

function valueEnd(bytes: Buffer, start: number, end: number, maxDepth: number): number {
  if (start >= end) return WRONG;
  if (bytes[start] !== QUOTE) return jsonEnd(bytes, start, end, maxDepth);
  return textEnd(bytes, start, end);
}

function textEnd(bytes: Buffer, start: number, end: number): number {
  const plain = plainEnd(bytes, start + 1, end);
  return plain === WRONG ? stringEnd(bytes, start) : plain + 1;
}

function integerEnd(bytes: Buffer, start: number, end: number): number {
  const first = start < end && bytes[start] === MINUS ? start + 1 : start;
  let at = first;
  while (at < end && isDigit(bytes[at])) at++;
  const digits = at - first;
  // What may go on as a fraction or an exponent is not for us.
  const ends = at < end && (bytes[at] === COMMA || bytes[at] === CLOSE_BRACE || isBlank(bytes[at]));
  if (!ends || digits === 0 || digits > INTEGER_DIGITS_MAX) return WRONG;
  return digits > 1 && bytes[first] === ZERO ? WRONG : at;
}

function isSame(name: Buffer, bytes: Buffer, start: number, end: number): boolean {
  if (name.length !== end - start) return false;
  for (let index = 0; index < name.length; index++) {
    if (bytes[start + index] !== name[index]) return false;
  }
  return true;
}
