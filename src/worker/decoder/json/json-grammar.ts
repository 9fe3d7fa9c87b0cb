/**
 * JSON's grammar (RFC 8259) without values. `JSON.parse` says no with an exception, which costs
 * about 100 times what a short text that is in order does; a frame may hold 1,000 broken lines.
 */
import {
  BACKSLASH,
  CLOSE_BRACE,
  CLOSE_BRACKET,
  COMMA,
  OPEN_BRACE,
  OPEN_BRACKET,
  QUOTE,
  SPACE,
  skipBlank,
} from './json-scanner.ts';

export const COLON = 0x3a;
export const MINUS = 0x2d;
const PLUS = 0x2b;
const POINT = 0x2e;
export const ZERO = 0x30;
const NINE = 0x39;
const CAPITAL_E = 0x45;
const SMALL_E = 0x65;
export const SMALL_U = 0x75;

const LITERALS = ['true', 'false', 'null'].map((word) => Buffer.from(word));
/** What may stand after a backslash, but for `u` and its four digits. */
const ESCAPED = new Set(Buffer.from('"\\/bfnrt'));
const HEX_DIGITS = new Set(Buffer.from('0123456789abcdefABCDEF'));
/** An offset that no byte has: here is not what was looked for. */
export const WRONG = -1;
/** Another: the value is longer than was to be read now. */
export const PAUSED = -2;

/**
 * Whether `JSON.parse` would take `bytes[start, end)`: UTF-8, with no white space at its ends, and
 * nothing or white space and a line's end after it.
 */
export function isJson(bytes: Buffer, start: number, end: number): boolean {
  return jsonEnd(bytes, start, end) === end;
}

/**
 * The offset after the JSON value that begins at `start`, or {@link WRONG}. At `end` the bytes do, or
 * white space and a line's end come: that ends what is open, so `end` is asked for only where white
 * space is skipped, and no line is read on account of one before.
 * @param maxDepth arrays and objects that may be open at a time: one more is {@link WRONG}
 */
export function jsonEnd(
  bytes: Buffer,
  start: number,
  end: number,
  maxDepth = Number.POSITIVE_INFINITY,
): number {
  if (closerFor(bytes[start]) === WRONG) return scalarEnd(bytes, start);
  return walkOn(walkFrom(start, maxDepth), bytes, end, bytes.length);
}

/** The byte that closes the array or object which `opener` opens; {@link WRONG} = it opens none. */
function closerFor(opener: number | undefined): number {
  if (opener === OPEN_BRACE) return CLOSE_BRACE;
  return opener === OPEN_BRACKET ? CLOSE_BRACKET : WRONG;
}

/** A value of which a part has been read. */
export interface Walk {
  /** Where the next value in it begins. */
  at: number;
  /** How many arrays and objects are open. */
  depth: number;
  /** A bit for each of them: 1 = an object. A megabyte of brackets must not become eight. */
  readonly kinds: number[];
  /** Greatest `depth`; beyond it the value is {@link WRONG}. */
  readonly maxDepth: number;
}

export function walkFrom(start: number, maxDepth = Number.POSITIVE_INFINITY): Walk {
  return { at: start, depth: 0, kinds: [], maxDepth };
}

/** What closes the innermost of those that are open. */
function closerOf({ depth, kinds }: Walk): number {
  const level = depth - 1;
  return (kinds[level >> 5]! >>> (level & 31)) & 1 ? CLOSE_BRACE : CLOSE_BRACKET;
}

function openOne(walk: Walk, closer: number): void {
  const { depth, kinds } = walk;
  const word = depth >> 5;
  const bit = 1 << (depth & 31);
  if (word === kinds.length) kinds.push(0);
  if (closer === CLOSE_BRACE) kinds[word]! |= bit;
  else kinds[word]! &= ~bit;
  walk.depth++;
}

/**
 * {@link jsonEnd} from where `walk` stands. Gives {@link PAUSED} at the first value within that
 * begins behind `pauseAt`: what is too long for one turn of the loop is walked through in several.
 */
export function walkOn(walk: Walk, bytes: Buffer, end: number, pauseAt: number): number {
  let { at } = walk;
  for (;;) {
    const closer = closerFor(bytes[at]);
    if (closer === WRONG) at = scalarEnd(bytes, at);
    else {
      if (walk.depth >= walk.maxDepth) return WRONG;
      at = skipBlank(bytes, at + 1, end);
      if (bytes[at] !== closer) {
        openOne(walk, closer);
        at = itemStart(bytes, at, end, closer);
        if (at === WRONG) return WRONG;
        if (at > pauseAt) break;
        continue;
      }
      at++;
    }
    if (at === WRONG) return WRONG;
    // A value has ended, and maybe what it stands in.
    while (walk.depth > 0) {
      at = skipBlank(bytes, at, end);
      if (bytes[at] !== closerOf(walk)) break;
      walk.depth--;
      at++;
    }
    if (walk.depth === 0) return at;
    if (bytes[at] !== COMMA) return WRONG;
    at = itemStart(bytes, skipBlank(bytes, at + 1, end), end, closerOf(walk));
    if (at === WRONG) return WRONG;
    if (at > pauseAt) break;
  }
  walk.at = at;
  return PAUSED;
}

/** Where the value of an array's or object's next item begins, after its key if it has one. */
function itemStart(bytes: Buffer, start: number, end: number, closer: number): number {
  if (closer !== CLOSE_BRACE) return start;
  const keyEnd = bytes[start] === QUOTE ? stringEnd(bytes, start) : WRONG;
  if (keyEnd === WRONG) return WRONG;
  const colon = skipBlank(bytes, keyEnd, end);
  return bytes[colon] === COLON ? skipBlank(bytes, colon + 1, end) : WRONG;
}

function scalarEnd(bytes: Buffer, start: number): number {
  const byte = bytes[start];
  if (byte === QUOTE) return stringEnd(bytes, start);
  if (byte === MINUS || isDigit(byte)) return numberEnd(bytes, start);
  for (const word of LITERALS) {
    if (byte !== word[0]) continue;
    const end = start + word.length;
    return end <= bytes.length && word.equals(bytes.subarray(start, end)) ? end : WRONG;
  }
  return WRONG;
}

/** The offset after the string that begins at `start`, or {@link WRONG}. */
export function stringEnd(bytes: Buffer, start: number): number {
  let at = start + 1;
  for (;;) {
    const byte = bytes[at];
    if (byte === undefined || byte < SPACE) return WRONG;
    if (byte === QUOTE) return at + 1;
    at++;
    if (byte !== BACKSLASH) continue;
    const escaped = bytes[at++] ?? WRONG;
    if (ESCAPED.has(escaped)) continue;
    if (escaped !== SMALL_U) return WRONG;
    for (const digits = at + 4; at < digits; at++) {
      if (!HEX_DIGITS.has(bytes[at] ?? WRONG)) return WRONG;
    }
  }
}

function numberEnd(bytes: Buffer, start: number): number {
  const whole = bytes[start] === MINUS ? start + 1 : start;
  let end = bytes[whole] === ZERO ? whole + 1 : digitsEnd(bytes, whole);
  if (end !== WRONG && bytes[end] === POINT) end = digitsEnd(bytes, end + 1);
  if (end === WRONG || (bytes[end] !== SMALL_E && bytes[end] !== CAPITAL_E)) return end;
  const sign = bytes[end + 1];
  return digitsEnd(bytes, sign === MINUS || sign === PLUS ? end + 2 : end + 1);
}

/** The offset after one digit or more. */
function digitsEnd(bytes: Buffer, start: number): number {
  let at = start;
  while (isDigit(bytes[at])) at++;
  return at > start ? at : WRONG;
}

export function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= ZERO && byte <= NINE;
}
