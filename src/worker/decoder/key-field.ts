/** The field of an event whose text becomes the record's key. */
import assert from 'node:assert/strict';
import type { JsonObject } from '../../common/json-object.ts';
import { WRONG } from './json/json-grammar.ts';
import { BACKSLASH, CLOSE_BRACE, COMMA, skipBlank, valueEnd } from './json/json-scanner.ts';
import { numberText } from './msgpack/number-text.ts';

/** Reasons for an event without a key. */
export type NoKey = 'missing' | 'null' | 'object' | 'array';

interface Name {
  readonly text: string;
  readonly bytes: Buffer;
}

/**
 * A name, or names separated by dots for a field of nested objects. A field whose own name has the
 * dots goes first; arrays are not entered.
 */
export class KeyField {
  readonly #name: Name;
  /** Undefined for a name without dots. */
  readonly #path: readonly Name[] | undefined;

  constructor(name: string) {
    this.#name = nameOf(name);
    this.#path = name.includes('.') ? name.split('.').map(nameOf) : undefined;
  }

  /**
   * The key of an event: a string as it is, a boolean or a number as text; undefined = none.
   * @param bytes holds the event from `start` on, for digits that a double loses
   */
  keyOf(event: JsonObject, bytes: Buffer, start: number): string | undefined {
    const value = this.#valueIn(event);
    if (typeof value === 'string') return value;
    if (typeof value === 'boolean') return String(value);
    return typeof value === 'number' ? numberText(this.#textIn(bytes, start)) : undefined;
  }

  /** The reason why {@link keyOf} finds none. */
  whyNone(event: JsonObject): NoKey {
    const value = this.#valueIn(event);
    if (value === undefined) return 'missing';
    if (value === null) return 'null';
    return Array.isArray(value) ? 'array' : 'object';
  }

  /** Null or an array on the way to a nested field is what is found. */
  #valueIn(event: JsonObject): unknown {
    const { text } = this.#name;
    if (Object.hasOwn(event, text)) return event[text];
    if (this.#path === undefined) return undefined;
    let value: unknown = event;
    for (const { text } of this.#path) {
      if (value === null || Array.isArray(value)) return value;
      if (typeof value !== 'object' || !Object.hasOwn(value, text)) return undefined;
      value = (value as JsonObject)[text];
    }
    return value;
  }

  /** The text of the value that {@link #valueIn} finds. */
  #textIn(bytes: Buffer, start: number): string {
    let at = lastMember(bytes, start, this.#name);
    if (at === WRONG && this.#path !== undefined) {
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
 * The offset of a member's value in the object at `open`, which is valid; of several with the same
 * name the last one, as in JSON.parse. {@link WRONG} = there is none.
 */
function lastMember(bytes: Buffer, open: number, name: Name): number {
  assert(open !== WRONG, 'the scanner finds what JSON.parse does');
  let found = WRONG;
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

/** @param start, @param end of a string, its quotes included */
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
