/** Field of an event that becomes the record key. */
import assert from 'node:assert/strict';
import type { JsonObject } from '../../common/json-object.ts';
import { EventField } from './event-field.ts';
import { INVALID } from './json/json-grammar.ts';
import { BACKSLASH, CLOSE_BRACE, COMMA, skipBlank, valueEnd } from './json/json-scanner.ts';
import { numberText } from './msgpack/number-text.ts';

/** Reasons why an event has no key. */
export type NoKeyReason = 'missing' | 'null' | 'object' | 'array';

interface Name {
  readonly text: string;
  readonly bytes: Buffer;
}

/** An {@link EventField} that yields a key. */
export class KeyField {
  readonly #field: EventField;
  readonly #name: Name;
  readonly #path: readonly Name[] | undefined;

  constructor(name: string) {
    this.#field = new EventField(name);
    this.#name = nameOf(name);
    this.#path = this.#field.path?.map(nameOf);
  }

  /**
   * Returns the key of an event: a string unchanged, a boolean or number as text; undefined = none.
   * @param bytes contains the event at `start`, for digits that a double loses
   */
  keyOf(event: JsonObject, bytes: Buffer, start: number): string | undefined {
    const value = this.#field.valueOrObstacleIn(event);
    if (typeof value === 'string') return value;
    if (typeof value === 'boolean') return String(value);
    return typeof value === 'number' ? numberText(this.#textIn(bytes, start)) : undefined;
  }

  /** Returns the reason why {@link keyOf} returns undefined. */
  reasonForNoKey(event: JsonObject): NoKeyReason {
    const value = this.#field.valueOrObstacleIn(event);
    if (value === undefined) return 'missing';
    if (value === null) return 'null';
    return Array.isArray(value) ? 'array' : 'object';
  }

  /** Returns the text of the number that the field has. */
  #textIn(bytes: Buffer, start: number): string {
    let at = lastMember(bytes, start, this.#name);
    if (at === INVALID && this.#path !== undefined) {
      at = start;
      for (const name of this.#path) at = lastMember(bytes, at, name);
    }
    return bytes.toString('latin1', at, valueEnd(bytes, at));
  }
}

function nameOf(text: string): Name {
  return { text, bytes: Buffer.from(text) };
}

/**
 * Returns the offset of a member's value in the valid object at `open`: of the last one with that
 * name, as in JSON.parse. {@link INVALID} = none.
 */
function lastMember(bytes: Buffer, open: number, name: Name): number {
  assert(open !== INVALID, 'the scanner finds the same members as JSON.parse');
  let found = INVALID;
  let at = skipBlank(bytes, open + 1);
  while (bytes[at] !== CLOSE_BRACE) {
    const nameEnd = valueEnd(bytes, at);
    const value = skipBlank(bytes, skipBlank(bytes, nameEnd) + 1);
    if (isNamed(bytes, at, nameEnd, name)) found = value;
    at = skipBlank(bytes, valueEnd(bytes, value));
    if (bytes[at] === COMMA) at = skipBlank(bytes, at + 1);
  }
  return found;
}

/** @param start, @param end range of a string, including its quotes */
function isNamed(bytes: Buffer, start: number, end: number, { text, bytes: name }: Name): boolean {
  const first = start + 1;
  const length = end - 1 - first;
  let isSame = length === name.length;
  for (let index = 0; index < length; index++) {
    const byte = bytes[first + index];
    if (byte === BACKSLASH) return JSON.parse(bytes.toString('utf8', start, end)) === text;
    isSame &&= byte === name[index];
  }
  return isSame;
}

/** Between the values of several key fields. */
export const KEY_SEPARATOR = '|';

/** Key of the records of a stream: the value of a field, or of several joined by `|`. */
export class RecordKey {
  readonly #fields: readonly KeyField[];

  /** @param names as in {@link KeyField}; none = records have no key */
  constructor(names: readonly string[]) {
    this.#fields = names.map((name) => new KeyField(name));
  }

  /** Records have a key unless an event lacks one of its fields. */
  get exists(): boolean {
    return this.#fields.length > 0;
  }

  /** Number of its fields. */
  get parts(): number {
    return this.#fields.length;
  }

  /** Returns the key of an event, as {@link KeyField.keyOf}; undefined if a field yields none. */
  keyOf(event: JsonObject, bytes: Buffer, start: number): string | undefined {
    const [first, ...others] = this.#fields;
    let key = first?.keyOf(event, bytes, start);
    for (const field of others) {
      const part = field.keyOf(event, bytes, start);
      if (key === undefined || part === undefined) return undefined;
      key += KEY_SEPARATOR + part;
    }
    return key;
  }

  /** Returns the reason why {@link keyOf} returns undefined; undefined without key fields. */
  reasonForNoKey(event: JsonObject, bytes: Buffer, start: number): NoKeyReason | undefined {
    const field = this.#fields.find((each) => each.keyOf(event, bytes, start) === undefined);
    return field?.reasonForNoKey(event);
  }
}
