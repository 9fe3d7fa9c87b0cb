/**
 * Decides events by a table, in TypeScript: where WebAssembly is not available, and as the oracle
 * of the kernel in tests.
 */
import type { DecodeBounds } from '../decode-bounds.ts';
import { COLON, INVALID, jsonEnd, stringEnd } from '../json/json-grammar.ts';
import {
  BACKSLASH,
  CLOSE_BRACE,
  CLOSE_BRACKET,
  COMMA,
  OPEN_BRACE,
  OPEN_BRACKET,
  QUOTE,
  skipBlank,
} from '../json/json-scanner.ts';
import { EventCaptures } from './event-captures.ts';
import type { FastValidator } from './fast-validator.ts';
import {
  ALL_TYPES,
  ARRAY,
  ARRAY_ITEMS,
  ARRAY_MAX,
  ARRAY_MIN,
  ARRAY_PREFIX,
  ARRAY_UNIQUE,
  ARRAY_WORDS,
  FALSE,
  FRACTION,
  HEADER_ABSENT,
  HEADER_ROUTE,
  HEADER_ROUTES,
  HEADER_UNKNOWN,
  HEADER_WORDS,
  INTEGER,
  NODE_ARRAY,
  NODE_CAPTURES,
  NODE_NUMBER,
  NODE_OBJECT,
  NODE_STRING,
  NODE_TYPES,
  NULL,
  OBJECT,
  OBJECT_MAX,
  OBJECT_MIN,
  OBJECT_NAMES,
  OBJECT_OTHERS,
  OBJECT_SET_WORDS,
  OBJECT_WORDS,
  RESULT_END,
  RESULT_PROFILE,
  RESULT_START,
  RESULT_WORDS,
  STRING,
  TRUE,
} from './layout.ts';
import { TableRules } from './table-rules.ts';

const NUMBER = INTEGER | FRACTION;
/** Digits before the point of a number that is certainly a finite double. */
const FINITE_DIGITS = 300;
/** Integers of more digits are not all exact doubles; nor are powers of ten beyond 22. */
const MANTISSA_DIGITS = 16;
const POWER_MAX = 22;
const LITERALS = new Map([
  ['t'.charCodeAt(0), TRUE],
  ['f'.charCodeAt(0), FALSE],
  ['n'.charCodeAt(0), NULL],
]);
const NO_BYTES = Buffer.alloc(0);

export class TableValidator implements FastValidator {
  readonly #rules: TableRules;
  readonly #absent: number;
  #bytes: Buffer = NO_BYTES;
  #results = new Int32Array(RESULT_WORDS);
  readonly #result = new Int32Array(RESULT_WORDS);
  readonly #captures = new EventCaptures(() => this.#bytes, this.#result);

  /** See WasmValidator. */
  constructor(table: Buffer, absent?: number) {
    this.#rules = new TableRules(table);
    this.#absent = absent ?? this.#rules.word(0, HEADER_ABSENT);
  }

  get results(): Int32Array {
    return this.#results;
  }

  load(bytes: Buffer, _start: number, end: number): void {
    this.#bytes = bytes.subarray(0, end);
  }

  objectEnd(start: number, end: number, maxDepth: number): number {
    const input = this.#bytes;
    if (end < input.length) this.#bytes = input.subarray(0, end);
    const found = this.#event(start, maxDepth);
    this.#bytes = input;
    if (found !== INVALID) this.#save(0, start, found);
    return found;
  }

  array(open: number, { maxEvents, maxEventBytes, maxDepth }: DecodeBounds): number {
    const bytes = this.#bytes;
    let [events, at] = [0, open];
    do {
      const start = skipBlank(bytes, at + 1);
      let end = this.#event(start, maxDepth);
      const isDecided = end !== INVALID && end - start <= maxEventBytes;
      if (end === INVALID) end = jsonEnd(bytes, start, bytes.length, maxDepth);
      if (end === INVALID || events === maxEvents) return INVALID;
      if (!isDecided) this.#result[RESULT_PROFILE] = -1;
      this.#save(events++, start, end);
      at = skipBlank(bytes, end);
    } while (bytes[at] === COMMA);
    const isComplete = bytes[at] === CLOSE_BRACKET && skipBlank(bytes, at + 1) === bytes.length;
    return isComplete ? events : INVALID;
  }

  /** Adds the current result. */
  #save(index: number, start: number, end: number): void {
    const at = index * RESULT_WORDS;
    if (at + RESULT_WORDS > this.#results.length) {
      const larger = new Int32Array(2 * this.#results.length);
      larger.set(this.#results);
      this.#results = larger;
    }
    this.#result[RESULT_START] = start;
    this.#result[RESULT_END] = end;
    this.#results.set(this.#result, at);
  }

  /** Returns the offset after an accepted object; INVALID = undecided, or not JSON. */
  #event(start: number, maxDepth: number): number {
    if (this.#bytes[start] !== OPEN_BRACE) return INVALID;
    const profile = this.#profile(start, maxDepth);
    if (profile === -1) return INVALID;
    const node = this.#rules.word(0, HEADER_WORDS + profile);
    if (node === 0) return INVALID;
    this.#captures.begin();
    this.#result[RESULT_PROFILE] = profile;
    return this.#value(start, node, maxDepth);
  }

  /** Returns the index of the profile of an event; -1 = undecided. */
  #profile(start: number, maxDepth: number): number {
    const rules = this.#rules;
    const node = rules.word(0, HEADER_ROUTE);
    if (node === 0) return 0;
    const captures = this.#captures;
    captures.begin();
    if (this.#value(start, node, maxDepth) === INVALID) return -1;
    if (!captures.hasRoute) return this.#absent;
    const { routeStart, routeEnd } = captures;
    const texts = rules.word(0, HEADER_ROUTES);
    const found = rules.find(texts, this.#bytes, routeStart, routeEnd);
    return found === -1 ? rules.word(0, HEADER_UNKNOWN) : found;
  }

  /** Returns the offset after an accepted value; INVALID = undecided, or not JSON. */
  #value(at: number, node: number, maxDepth: number): number {
    const rules = this.#rules;
    const types = rules.word(node, NODE_TYPES);
    const captures = rules.word(node, NODE_CAPTURES);
    switch (this.#bytes[at]) {
      case OPEN_BRACE:
        if (!this.#accepts(types, captures, OBJECT, at, at, false)) return INVALID;
        return this.#object(at, rules.word(node, NODE_OBJECT), maxDepth);
      case OPEN_BRACKET:
        if (!this.#accepts(types, captures, ARRAY, at, at, false)) return INVALID;
        return this.#array(at, rules.word(node, NODE_ARRAY), maxDepth);
      case QUOTE:
        return this.#string(at, types, captures, rules.word(node, NODE_STRING));
      default:
        return this.#scalar(at, types, captures, rules.word(node, NODE_NUMBER));
    }
  }

  #accepts(
    types: number,
    captures: number,
    type: number,
    start: number,
    end: number,
    isExact: boolean,
  ): boolean {
    if ((types & type) === 0) return false;
    return captures === 0 || this.#captures.add(captures, type, start, end, isExact);
  }

  /** @param rule 0 = any members */
  #object(open: number, rule: number, maxDepth: number): number {
    const bytes = this.#bytes;
    if (rule === 0) return jsonEnd(bytes, open, bytes.length, maxDepth);
    if (maxDepth < 1) return INVALID;
    const rules = this.#rules;
    const setWords = rules.word(rule, OBJECT_SET_WORDS);
    const seen = new Set<number>();
    let [members, at] = [0, skipBlank(bytes, open + 1)];
    if (bytes[at] !== CLOSE_BRACE) {
      at--;
      do {
        at = skipBlank(bytes, at + 1);
        const nameEnd = bytes[at] === QUOTE ? stringEnd(bytes, at) : INVALID;
        if (nameEnd === INVALID) return INVALID;
        const name = textOf(bytes, at, nameEnd);
        const colon = skipBlank(bytes, nameEnd);
        if (name === undefined || bytes[colon] !== COLON) return INVALID;
        const index = rules.find(rules.word(rule, OBJECT_NAMES), name, 0, name.length);
        if (index !== -1 && seen.has(index)) return INVALID;
        if (index !== -1) seen.add(index);
        const word = index === -1 ? OBJECT_OTHERS : OBJECT_WORDS + setWords + index;
        const node = rules.word(rule, word);
        if (node === 0) return INVALID;
        at = this.#value(skipBlank(bytes, colon + 1), node, maxDepth - 1);
        if (at === INVALID) return INVALID;
        members++;
        at = skipBlank(bytes, at);
      } while (bytes[at] === COMMA);
      if (bytes[at] !== CLOSE_BRACE) return INVALID;
    }
    for (let word = 0; word < setWords; word++) {
      const required = rules.word(rule, OBJECT_WORDS + word);
      for (let bit = 0; bit < 32; bit++) {
        if (required & (1 << bit) && !seen.has(word * 32 + bit)) return INVALID;
      }
    }
    if (seen.size < rules.word(rule, OBJECT_MIN)) return INVALID;
    return members > rules.word(rule, OBJECT_MAX) ? INVALID : at + 1;
  }

  /** @param rule 0 = any items */
  #array(open: number, rule: number, maxDepth: number): number {
    const bytes = this.#bytes;
    if (rule === 0) return jsonEnd(bytes, open, bytes.length, maxDepth);
    if (maxDepth < 1) return INVALID;
    const rules = this.#rules;
    const prefix = rules.word(rule, ARRAY_PREFIX);
    let [items, at] = [0, skipBlank(bytes, open + 1)];
    if (bytes[at] !== CLOSE_BRACKET) {
      at--;
      do {
        at = skipBlank(bytes, at + 1);
        const node = rules.word(rule, items < prefix ? ARRAY_WORDS + items : ARRAY_ITEMS);
        if (node === 0) return INVALID;
        at = this.#value(at, node, maxDepth - 1);
        if (at === INVALID) return INVALID;
        items++;
        at = skipBlank(bytes, at);
      } while (bytes[at] === COMMA);
      if (bytes[at] !== CLOSE_BRACKET) return INVALID;
    }
    if (items < rules.word(rule, ARRAY_MIN) || items > rules.word(rule, ARRAY_MAX)) return INVALID;
    return items > 1 && rules.word(rule, ARRAY_UNIQUE) === 1 ? INVALID : at + 1;
  }

  /** @param rule 0 = any text */
  #string(start: number, types: number, captures: number, rule: number): number {
    const bytes = this.#bytes;
    const end = stringEnd(bytes, start);
    if (end === INVALID) return INVALID;
    const isExact = !bytes.subarray(start, end).includes(BACKSLASH);
    if (!this.#accepts(types, captures, STRING, start + 1, end - 1, isExact)) return INVALID;
    if (rule === 0 && captures === 0) return end;
    const text = textOf(bytes, start, end);
    if (text === undefined) return INVALID;
    return rule === 0 || this.#rules.acceptsText(rule, text, 0, text.length) ? end : INVALID;
  }

  /** @param rule of numbers; 0 = any number */
  #scalar(start: number, types: number, captures: number, rule: number): number {
    const bytes = this.#bytes;
    const end = jsonEnd(bytes, start, bytes.length);
    if (end === INVALID) return INVALID;
    const literal = LITERALS.get(bytes[start]!);
    if (literal !== undefined) {
      return this.#accepts(types, captures, literal, start, end, true) ? end : INVALID;
    }
    if (types === ALL_TYPES && captures === 0 && rule === 0) return end;
    const text = bytes.toString('latin1', start, end);
    const number = NUMBER_PARTS.exec(text)!.groups!;
    const { whole = '', fraction, exponent } = number;
    const isInteger = fraction === undefined && exponent === undefined;
    const value = exactNumber(whole, fraction, exponent);
    if (value === undefined) {
      const isAny = (types & NUMBER) === NUMBER || (isInteger && types & INTEGER);
      const isBounded = whole.length + Math.max(0, Number(exponent ?? 0)) <= FINITE_DIGITS;
      return isAny && captures === 0 && rule === 0 && isBounded ? end : INVALID;
    }
    const type = Math.trunc(value) === value ? INTEGER : FRACTION;
    const isExact = isInteger && text !== '-0';
    if (!this.#accepts(types, captures, type, start, end, isExact)) return INVALID;
    const signed = text.startsWith('-') ? -value : value;
    return rule === 0 || this.#rules.acceptsNumber(rule, signed) ? end : INVALID;
  }
}

const NUMBER_PARTS = /^-?(?<whole>\d+)(?:\.(?<fraction>\d+))?(?:[eE](?<exponent>[+-]?\d+))?$/;

/**
 * Returns the double of a number, without its sign, if one operation on exact doubles computes it;
 * otherwise undefined.
 */
function exactNumber(whole: string, fraction = '', exponent = '0'): number | undefined {
  const digits = (whole + fraction).replace(/^0+/, '');
  const power = Number(exponent) - fraction.length;
  const mantissa = Number(digits);
  if (digits.length > MANTISSA_DIGITS || mantissa > Number.MAX_SAFE_INTEGER) return undefined;
  if (Math.abs(power) > POWER_MAX) return undefined;
  return power < 0 ? mantissa / 10 ** -power : mantissa * 10 ** power;
}

/** Returns the UTF-8 of a valid JSON string; undefined = it has a lone surrogate. */
function textOf(bytes: Buffer, start: number, end: number): Buffer | undefined {
  const raw = bytes.subarray(start + 1, end - 1);
  if (!raw.includes(BACKSLASH)) return raw;
  const text = JSON.parse(bytes.toString('utf8', start, end)) as string;
  const utf8 = Buffer.from(text);
  return utf8.toString() === text ? utf8 : undefined;
}
