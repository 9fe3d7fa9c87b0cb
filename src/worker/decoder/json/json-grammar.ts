/**
 * Checks JSON's grammar (RFC 8259) without creating values. An exception of `JSON.parse` costs
 * about 100 times as much as parsing a short valid text, and a frame can hold 1,000 broken lines.
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
/** Characters allowed after a backslash, except `u` with its four digits. */
const ESCAPED = new Set(Buffer.from('"\\/bfnrt'));
const HEX_DIGITS = new Set(Buffer.from('0123456789abcdefABCDEF'));
/** Returned in place of an offset: not valid, or not found. */
export const INVALID = -1;
/** Returned in place of an offset: the value continues after the pause. */
export const PAUSED = -2;

/**
 * Whether `JSON.parse` would accept `bytes[start, end)`. The range must be UTF-8, without white
 * space at its ends, and followed by the end of the bytes or by white space and a line feed.
 */
export function isJson(bytes: Buffer, start: number, end: number): boolean {
  return jsonEnd(bytes, start, end) === end;
}

/**
 * Returns the offset after the JSON value at `start`, or {@link INVALID}. The bytes end at `end`, or
 * white space and a line feed follow. Neither continues an unfinished value, so `end` only has to
 * bound the skipping of white space: no line is read as part of the previous one.
 * @param maxDepth maximum nesting; a deeper value is {@link INVALID}
 */
export function jsonEnd(
  bytes: Buffer,
  start: number,
  end: number,
  maxDepth = Number.POSITIVE_INFINITY,
): number {
  if (closerFor(bytes[start]) === INVALID) return scalarEnd(bytes, start);
  return continueWalk(startWalk(start, maxDepth), bytes, end, bytes.length);
}

/** Returns the closing byte for `opener`; {@link INVALID} = it opens no array or object. */
function closerFor(opener: number | undefined): number {
  if (opener === OPEN_BRACE) return CLOSE_BRACE;
  return opener === OPEN_BRACKET ? CLOSE_BRACKET : INVALID;
}

/** Position within a value that is read in several steps. */
export interface Walk {
  /** Offset of the next inner value. */
  at: number;
  /** Number of open arrays and objects. */
  depth: number;
  /** One bit per open level, 1 = object: a megabyte of brackets must not become eight. */
  readonly kinds: number[];
  /** Maximum `depth`; beyond it the value is {@link INVALID}. */
  readonly maxDepth: number;
}

export function startWalk(start: number, maxDepth = Number.POSITIVE_INFINITY): Walk {
  return { at: start, depth: 0, kinds: [], maxDepth };
}

/** Returns the closing byte of the innermost open level. */
function closerOf({ depth, kinds }: Walk): number {
  const level = depth - 1;
  return (kinds[level >> 5]! >>> (level & 31)) & 1 ? CLOSE_BRACE : CLOSE_BRACKET;
}

function pushLevel(walk: Walk, closer: number): void {
  const { depth, kinds } = walk;
  const word = depth >> 5;
  const bit = 1 << (depth & 31);
  if (word === kinds.length) kinds.push(0);
  if (closer === CLOSE_BRACE) kinds[word]! |= bit;
  else kinds[word]! &= ~bit;
  walk.depth++;
}

/**
 * Continues {@link jsonEnd} at the position of `walk`. Returns {@link PAUSED} at the first inner
 * value that begins after `pauseAt`, so that long values are read over several event-loop turns.
 */
export function continueWalk(walk: Walk, bytes: Buffer, end: number, pauseAt: number): number {
  let { at } = walk;
  for (;;) {
    const closer = closerFor(bytes[at]);
    if (closer === INVALID) at = scalarEnd(bytes, at);
    else {
      if (walk.depth >= walk.maxDepth) return INVALID;
      at = skipBlank(bytes, at + 1, end);
      if (bytes[at] !== closer) {
        pushLevel(walk, closer);
        at = itemStart(bytes, at, end, closer);
        if (at === INVALID) return INVALID;
        if (at > pauseAt) break;
        continue;
      }
      at++;
    }
    if (at === INVALID) return INVALID;
    // A value has ended, possibly with the levels around it.
    while (walk.depth > 0) {
      at = skipBlank(bytes, at, end);
      if (bytes[at] !== closerOf(walk)) break;
      walk.depth--;
      at++;
    }
    if (walk.depth === 0) return at;
    if (bytes[at] !== COMMA) return INVALID;
    at = itemStart(bytes, skipBlank(bytes, at + 1, end), end, closerOf(walk));
    if (at === INVALID) return INVALID;
    if (at > pauseAt) break;
  }
  walk.at = at;
  return PAUSED;
}

/** Returns the offset of the next value of an array or object, after its key if any. */
function itemStart(bytes: Buffer, start: number, end: number, closer: number): number {
  if (closer !== CLOSE_BRACE) return start;
  const keyEnd = bytes[start] === QUOTE ? stringEnd(bytes, start) : INVALID;
  if (keyEnd === INVALID) return INVALID;
  const colon = skipBlank(bytes, keyEnd, end);
  return bytes[colon] === COLON ? skipBlank(bytes, colon + 1, end) : INVALID;
}

function scalarEnd(bytes: Buffer, start: number): number {
  const byte = bytes[start];
  if (byte === QUOTE) return stringEnd(bytes, start);
  if (byte === MINUS || isDigit(byte)) return numberEnd(bytes, start);
  for (const word of LITERALS) {
    if (byte !== word[0]) continue;
    const end = start + word.length;
    return end <= bytes.length && word.equals(bytes.subarray(start, end)) ? end : INVALID;
  }
  return INVALID;
}

/** Returns the offset after the string at `start`, or {@link INVALID}. */
export function stringEnd(bytes: Buffer, start: number): number {
  let at = start + 1;
  for (;;) {
    const byte = bytes[at];
    if (byte === undefined || byte < SPACE) return INVALID;
    if (byte === QUOTE) return at + 1;
    at++;
    if (byte !== BACKSLASH) continue;
    const escaped = bytes[at++] ?? INVALID;
    if (ESCAPED.has(escaped)) continue;
    if (escaped !== SMALL_U) return INVALID;
    for (const digits = at + 4; at < digits; at++) {
      if (!HEX_DIGITS.has(bytes[at] ?? INVALID)) return INVALID;
    }
  }
}

function numberEnd(bytes: Buffer, start: number): number {
  const whole = bytes[start] === MINUS ? start + 1 : start;
  let end = bytes[whole] === ZERO ? whole + 1 : digitsEnd(bytes, whole);
  if (end !== INVALID && bytes[end] === POINT) end = digitsEnd(bytes, end + 1);
  if (end === INVALID || (bytes[end] !== SMALL_E && bytes[end] !== CAPITAL_E)) return end;
  const sign = bytes[end + 1];
  return digitsEnd(bytes, sign === MINUS || sign === PLUS ? end + 2 : end + 1);
}

/** Returns the offset after one or more digits, or {@link INVALID}. */
function digitsEnd(bytes: Buffer, start: number): number {
  let at = start;
  while (isDigit(bytes[at])) at++;
  return at > start ? at : INVALID;
}

export function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= ZERO && byte <= NINE;
}
