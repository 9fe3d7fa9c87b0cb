/**
 * Routes and validates events without creating values. One pass over an object locates the fields
 * that any destination needs; a table then tells the destination, whether the required fields have
 * their types, and the fields of the record. It accepts a subset of the valid events; all others
 * are left to `JSON.parse` and the schema, which also name errors.
 */
import type { FastProfile, FastRouting, FieldType, LocatedFields } from './fast-profile.ts';
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

/** Forms of the value of a field in the current object. */
const ABSENT = 0;
/** A string without escapes. */
const PLAIN = 1;
const ESCAPED = 2;
/** An integer that is an exact double. */
const INTEGER = 4;
const OTHER = 8;

const FORMS: Readonly<Record<FieldType, number>> = { string: PLAIN | ESCAPED, integer: INTEGER };

/** A field by its index, with the forms that are accepted. */
interface Requirement {
  readonly field: number;
  readonly forms: number;
}

/** A field that is named literally, or by a path. */
interface Location {
  readonly field: number;
  /** First segment of a path: an object in it is left to the slow path. -1 = none. */
  readonly head: number;
}

interface Profile {
  readonly required: readonly Requirement[];
  readonly key: Location | undefined;
  readonly record: RecordLocations | undefined;
}

interface RecordLocations {
  readonly id: Location | undefined;
  readonly time: Location | undefined;
  readonly timeForm: number;
  readonly trace: Location | undefined;
}

interface RoutingValue {
  readonly text: Buffer;
  readonly profile: number;
}

const NO_FIELDS: RecordLocations = {
  id: undefined,
  time: undefined,
  timeForm: 0,
  trace: undefined,
};

/** Maximum digits of integers that are all exact doubles. */
const INTEGER_DIGITS_MAX = 15;
const NONE = -1;
/** Length of a field that is left to the slow path. */
const UNDECIDED = -2;

export class FastValidator {
  /** Names of the located fields. */
  readonly #names: readonly Buffer[];
  readonly #forms: Uint8Array;
  /** Ranges of their values: of strings without the quotes. */
  readonly #starts: Int32Array;
  readonly #ends: Int32Array;
  /** Undefined: events of this destination are left to the slow path. */
  readonly #profiles: readonly (Profile | undefined)[];
  readonly #routing: FastRouting | undefined;
  readonly #routeBy: Location | undefined;
  readonly #values: readonly RoutingValue[];
  /** Some profile has {@link RecordFields}. */
  readonly locatesRecordFields: boolean;
  /** Overwritten by each call of {@link objectEnd}. */
  readonly located: LocatedFields = {
    profile: 0,
    keyStart: 0,
    keyBytes: NONE,
    idStart: 0,
    idBytes: NONE,
    timeStart: 0,
    timeBytes: NONE,
    traceStart: 0,
    traceBytes: NONE,
  };

  /**
   * @param profiles one per destination; undefined = its events are left to the slow path
   * @param routing undefined = all events have the first profile
   */
  constructor(profiles: readonly (FastProfile | undefined)[], routing?: FastRouting) {
    const names: string[] = [];
    const indexOf = (name: string) => {
      if (!names.includes(name)) names.push(name);
      return names.indexOf(name);
    };
    const locate = (path: string): Location => {
      const head = path.split('.')[0]!;
      return { field: indexOf(path), head: head === path ? NONE : indexOf(head) };
    };
    this.#profiles = profiles.map((profile) => {
      if (profile === undefined) return undefined;
      const required = Object.entries(profile.required).map(([name, type]) => {
        return { field: indexOf(name), forms: FORMS[type] };
      });
      const { keyField, recordFields: fields } = profile;
      const key = keyField === undefined ? undefined : locate(keyField);
      const record = fields && {
        id: fields.id === undefined ? undefined : locate(fields.id),
        time: fields.time === undefined ? undefined : locate(fields.time),
        timeForm: fields.isTimeText ? PLAIN : INTEGER,
        trace: fields.trace === undefined ? undefined : locate(fields.trace),
      };
      return { required, key, record };
    });
    this.locatesRecordFields = profiles.some((profile) => profile?.recordFields !== undefined);
    this.#routing = routing;
    this.#routeBy = routing && locate(routing.field);
    this.#values = [...(routing?.values ?? [])].map(([text, profile]) => {
      return { text: Buffer.from(text), profile };
    });
    this.#names = names.map((name) => Buffer.from(name));
    this.#forms = new Uint8Array(names.length);
    this.#starts = new Int32Array(names.length);
    this.#ends = new Int32Array(names.length);
  }

  /**
   * Returns the offset after the object at `start` if it is accepted, otherwise {@link INVALID};
   * {@link located} then describes it.
   * `bytes` must be UTF-8; `end` is as in {@link jsonEnd}.
   * @param maxDepth maximum nesting of arrays and objects, counting the object itself
   */
  objectEnd(bytes: Buffer, start: number, end: number, maxDepth: number): number {
    if (start >= end || bytes[start] !== OPEN_BRACE) return INVALID;
    const forms = this.#forms;
    for (let field = 0; field < forms.length; field++) forms[field] = ABSENT;
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
      if (field === NONE) at = valueEnd(bytes, at, end, maxDepth - 1);
      // Of duplicates, JSON.parse uses the last one.
      else if (forms[field] !== ABSENT) return INVALID;
      else at = this.#locate(field, bytes, at, end, maxDepth - 1);
      if (at === INVALID) return INVALID;
      at = afterBlank(bytes, at, end);
      if (at >= end) return INVALID;
    } while (bytes[at] === COMMA);
    return bytes[at] === CLOSE_BRACE && this.#accepts(bytes) ? at + 1 : INVALID;
  }

  #fieldOf(bytes: Buffer, start: number, end: number): number {
    const names = this.#names;
    for (let field = 0; field < names.length; field++) {
      if (isSame(names[field]!, bytes, start, end)) return field;
    }
    return NONE;
  }

  /** Records form and range of a field's value. @returns the offset after it, or {@link INVALID} */
  #locate(field: number, bytes: Buffer, start: number, end: number, maxDepth: number): number {
    if (start < end && bytes[start] === QUOTE) {
      const plain = plainEnd(bytes, start + 1, end);
      if (plain === INVALID) return this.#record(field, ESCAPED, start, stringEnd(bytes, start));
      this.#record(field, PLAIN, start + 1, plain);
      return plain + 1;
    }
    const integer = integerEnd(bytes, start, end);
    if (integer !== INVALID) return this.#record(field, INTEGER, start, integer);
    return this.#record(field, OTHER, start, valueEnd(bytes, start, end, maxDepth));
  }

  #record(field: number, form: number, start: number, end: number): number {
    this.#forms[field] = form;
    this.#starts[field] = start;
    this.#ends[field] = end;
    return end;
  }

  /**
   * Selects the profile, and finds the fields of the record.
   * @returns whether the located fields satisfy it
   */
  #accepts(bytes: Buffer): boolean {
    const routing = this.#routing;
    const index = routing === undefined ? 0 : this.#route(bytes, routing);
    const profile = index === undefined ? undefined : this.#profiles[index];
    if (profile === undefined) return false;
    const forms = this.#forms;
    for (const { field, forms: accepted } of profile.required) {
      if ((forms[field]! & accepted) === 0) return false;
    }
    this.located.profile = index!;
    if (!this.#findKey(bytes, profile.key)) return false;
    return !this.locatesRecordFields || this.#findRecordFields(profile.record ?? NO_FIELDS);
  }

  /** @returns false = the key is left to the slow path */
  #findKey(bytes: Buffer, key: Location | undefined): boolean {
    const { located } = this;
    located.keyBytes = NONE;
    if (key === undefined) return true;
    const { field, head } = key;
    const form = this.#forms[field];
    if (head !== NONE && this.#forms[head] === OTHER) return false;
    if (form === ABSENT) return true;
    if (form !== PLAIN && form !== INTEGER) return false;
    const start = this.#starts[field]!;
    // The key of -0 is 0.
    if (form === INTEGER && bytes[start] === MINUS && bytes[start + 1] === ZERO) return false;
    located.keyStart = start;
    located.keyBytes = this.#ends[field]! - start;
    return true;
  }

  /** @returns false = one of them is left to the slow path */
  #findRecordFields({ id, time, timeForm, trace }: RecordLocations): boolean {
    const { located } = this;
    const starts = this.#starts;
    located.idBytes = this.#lengthOf(id, PLAIN);
    located.timeBytes = this.#lengthOf(time, timeForm);
    located.traceBytes = this.#lengthOf(trace, PLAIN);
    if (id !== undefined) located.idStart = starts[id.field]!;
    if (time !== undefined) located.timeStart = starts[time.field]!;
    if (trace !== undefined) located.traceStart = starts[trace.field]!;
    return Math.min(located.idBytes, located.timeBytes, located.traceBytes) !== UNDECIDED;
  }

  /** Returns the length of a field; -1 = absent, or of another form than `wanted`; UNDECIDED. */
  #lengthOf(location: Location | undefined, wanted: number): number {
    if (location === undefined) return NONE;
    const { field, head } = location;
    if (head !== NONE && this.#forms[head] === OTHER) return UNDECIDED;
    const form = this.#forms[field];
    if (form === wanted) return this.#ends[field]! - this.#starts[field]!;
    return form === ESCAPED || form === OTHER ? UNDECIDED : NONE;
  }

  /** Returns the index of the profile; undefined = left to the slow path. */
  #route(bytes: Buffer, { absent, unknown }: FastRouting): number | undefined {
    const { field, head } = this.#routeBy!;
    if (head !== NONE && this.#forms[head] === OTHER) return undefined;
    const form = this.#forms[field];
    if (form === ABSENT) return absent;
    if (form !== PLAIN) return undefined;
    for (const { text, profile } of this.#values) {
      if (isSame(text, bytes, this.#starts[field]!, this.#ends[field]!)) return profile;
    }
    return unknown;
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
