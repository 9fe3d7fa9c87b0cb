/** Rules of a table for strings and numbers, applied in TypeScript. */
import { murmur2 } from '../../accumulator/murmur2.ts';
import {
  AUTOMATON_CLASSES,
  AUTOMATON_START,
  AUTOMATON_STATES,
  AUTOMATON_WORDS,
  ENTRY_BYTES,
  ENTRY_HASH,
  ENTRY_TEXT,
  ENTRY_VALUE,
  ENTRY_WORDS,
  HAS_MAX,
  HAS_MIN,
  HAS_MULTIPLE,
  MAX_IS_EXCLUSIVE,
  MIN_IS_EXCLUSIVE,
  NUMBER_FLAGS,
  NUMBER_MAX,
  NUMBER_MIN,
  NUMBER_MULTIPLE,
  NUMBER_VALUES,
  NUMBER_WORDS,
  SET_MASK,
  SET_WORDS,
  STRING_AUTOMATA,
  STRING_MAX,
  STRING_MIN,
  STRING_TEXTS,
  STRING_WORDS,
} from './layout.ts';

const WORD = 4;
const DOUBLE = 8;
const BYTE_VALUES = 256;
/** First bytes of UTF-8 sequences are below or above those that continue one. */
const CONTINUES_FROM = 0x80;
const CONTINUES_TO = 0xbf;

export class TableRules {
  readonly #table: Buffer;

  constructor(table: Buffer) {
    this.#table = table;
  }

  /** Returns a word of the part at `offset`. */
  word(offset: number, word: number): number {
    return this.#table.readInt32LE(offset + word * WORD);
  }

  /** Returns the value of a text in the set at `offset`; -1 = it has none. */
  find(offset: number, bytes: Uint8Array, start: number, end: number): number {
    const mask = this.word(offset, SET_MASK);
    const hash = murmur2(bytes, start, end - start);
    for (let place = hash & mask; ; place = (place + 1) & mask) {
      const entry = offset + (SET_WORDS + place * ENTRY_WORDS) * WORD;
      const length = this.word(entry, ENTRY_BYTES);
      if (length === -1) return -1;
      const isCandidate = length === end - start && this.word(entry, ENTRY_HASH) === hash;
      if (isCandidate && this.#isSame(this.word(entry, ENTRY_TEXT), bytes, start, length)) {
        return this.word(entry, ENTRY_VALUE);
      }
    }
  }

  #isSame(text: number, bytes: Uint8Array, start: number, length: number): boolean {
    for (let index = 0; index < length; index++) {
      if (this.#table[text + index] !== bytes[start + index]) return false;
    }
    return true;
  }

  /** Whether the rule at `offset` accepts a text without escapes. */
  acceptsText(offset: number, bytes: Uint8Array, start: number, end: number): boolean {
    const length = codePoints(bytes, start, end);
    if (length < this.word(offset, STRING_MIN) || length > this.word(offset, STRING_MAX)) {
      return false;
    }
    const texts = this.word(offset, STRING_TEXTS);
    if (texts !== 0 && this.find(texts, bytes, start, end) === -1) return false;
    const automata = this.word(offset, STRING_AUTOMATA);
    for (let index = 0; index < automata; index++) {
      const automaton = this.word(offset, STRING_WORDS + index);
      if (!this.#matches(automaton, bytes, start, end)) return false;
    }
    return true;
  }

  #matches(automaton: number, bytes: Uint8Array, start: number, end: number): boolean {
    const table = this.#table;
    const states = this.word(automaton, AUTOMATON_STATES);
    const classCount = this.word(automaton, AUTOMATON_CLASSES);
    const classes = automaton + AUTOMATON_WORDS * WORD;
    const accepting = classes + BYTE_VALUES;
    const transitions = accepting + Math.ceil(states / WORD) * WORD;
    let state = this.word(automaton, AUTOMATON_START);
    for (let at = start; at < end; at++) {
      const next = state * classCount + table[classes + bytes[at]!]!;
      state = table.readUInt16LE(transitions + next * Uint16Array.BYTES_PER_ELEMENT);
    }
    return table[accepting + state] === 1;
  }

  /** Whether the rule at `offset` accepts a number. */
  acceptsNumber(offset: number, value: number): boolean {
    const flags = this.word(offset, NUMBER_FLAGS);
    if (flags & HAS_MIN) {
      const min = this.#double(offset, NUMBER_MIN);
      if (flags & MIN_IS_EXCLUSIVE ? !(value > min) : !(value >= min)) return false;
    }
    if (flags & HAS_MAX) {
      const max = this.#double(offset, NUMBER_MAX);
      if (flags & MAX_IS_EXCLUSIVE ? !(value < max) : !(value <= max)) return false;
    }
    if (flags & HAS_MULTIPLE) {
      const quotient = value / this.#double(offset, NUMBER_MULTIPLE);
      if (Math.abs(quotient) > Number.MAX_SAFE_INTEGER || Math.trunc(quotient) !== quotient) {
        return false;
      }
    }
    const values = this.word(offset, NUMBER_VALUES);
    return values === 0 || this.#isListed(offset, values, value);
  }

  /** Whether `value` is one of the first `values` of a rule, by binary search. */
  #isListed(offset: number, values: number, value: number): boolean {
    let [from, to] = [0, values];
    while (from < to) {
      const middle = (from + to) >> 1;
      const listed = this.#double(offset, NUMBER_WORDS + (middle * DOUBLE) / WORD);
      if (listed === value) return true;
      if (listed < value) from = middle + 1;
      else to = middle;
    }
    return false;
  }

  #double(offset: number, word: number): number {
    return this.#table.readDoubleLE(offset + word * WORD);
  }
}

function codePoints(bytes: Uint8Array, start: number, end: number): number {
  let count = 0;
  for (let at = start; at < end; at++) {
    const byte = bytes[at]!;
    if (byte < CONTINUES_FROM || byte > CONTINUES_TO) count++;
  }
  return count;
}
