/**
 * Strings of JSON: their ends, and their texts without escapes. Positions are addresses of bytes;
 * all functions stop at the zero byte that ends the input.
 */
import {
  BACKSLASH,
  CASE_BIT,
  LAST_CONTROL,
  QUOTE,
  SLASH,
  SMALL_B,
  SMALL_F,
  SMALL_N,
  SMALL_R,
  SMALL_T,
  SMALL_U,
  ZERO,
} from './characters.ts';
import { scratch } from './input.ts';
import { atMost, equal, LANES, maskOf } from './lanes.ts';
import { UNDECIDED } from './table.ts';

/** Bytes of `\uXXXX`. */
const UNICODE_ESCAPE = 6;
const FIRST_HIGH_SURROGATE = 0xd800;
const FIRST_LOW_SURROGATE = 0xdc00;
const AFTER_SURROGATES = 0xe000;
const FIRST_OF_PAIRS = 0x10000;
const SURROGATE_BITS = 10;

/** Returns the mask of the 16 bytes at `at` that are quotes, backslashes or control characters. */
function specials(at: i32): i32 {
  const chunk = v128.load(at);
  const ends = v128.or(equal(chunk, QUOTE), equal(chunk, BACKSLASH));
  return maskOf(v128.or(ends, atMost(chunk, LAST_CONTROL)));
}

/** Returns the first quote, backslash or control character from `at` on. */
export function plainEnd(at: i32): i32 {
  const found = specials(at);
  return found !== 0 ? at + ctz(found) : laterPlainEnd(at + LANES);
}

function laterPlainEnd(start: i32): i32 {
  let at = start;
  while (true) {
    const found = specials(at);
    if (found !== 0) return at + ctz(found);
    at += LANES;
  }
}

/** Returns the end of the string whose opening quote is at `start`, or UNDECIDED. */
export function stringEnd(start: i32): i32 {
  const at = plainEnd(start + 1);
  return load<u8>(at) === QUOTE ? at + 1 : escapedEnd(at);
}

/** Returns the end of a string whose first special character is at `start`, or UNDECIDED. */
function escapedEnd(start: i32): i32 {
  let at = start;
  while (load<u8>(at) === BACKSLASH) {
    const next = escapeEnd(at);
    if (next === UNDECIDED) return UNDECIDED;
    at = plainEnd(next);
  }
  return load<u8>(at) === QUOTE ? at + 1 : UNDECIDED;
}

/** Returns the end of the escape at `at`, or UNDECIDED. */
function escapeEnd(at: i32): i32 {
  switch (<i32>load<u8>(at + 1)) {
    case QUOTE:
    case BACKSLASH:
    case SLASH:
    case SMALL_B:
    case SMALL_F:
    case SMALL_N:
    case SMALL_R:
    case SMALL_T:
      return at + 2;
    case SMALL_U:
      return codeUnit(at) === UNDECIDED ? UNDECIDED : at + UNICODE_ESCAPE;
    default:
      return UNDECIDED;
  }
}

/** Returns the code unit of the escape `\uXXXX` at `at`; UNDECIDED = it has other digits. */
function codeUnit(at: i32): i32 {
  let unit = 0;
  for (let digit = at + 2; digit < at + UNICODE_ESCAPE; digit++) {
    const value = hexDigit(load<u8>(digit));
    if (value === UNDECIDED) return UNDECIDED;
    unit = (unit << 4) | value;
  }
  return unit;
}

function hexDigit(byte: i32): i32 {
  const decimal = byte - ZERO;
  if (<u32>decimal < 10) return decimal;
  const letter = (byte | CASE_BIT) - 0x61;
  return <u32>letter < 6 ? letter + 10 : UNDECIDED;
}

/**
 * Writes the text of a valid string, without the quotes `[start, end)`, to the scratch memory.
 * @returns its length in bytes of UTF-8; UNDECIDED = it contains a lone surrogate
 */
export function writeText(start: i32, end: i32): i32 {
  let at = start;
  let to = scratch;
  while (true) {
    const escaped = plainEnd(at);
    const bytes = escaped - at;
    // The last copy may exceed the range: what follows overwrites it.
    for (let offset = 0; offset < bytes; offset += LANES) {
      v128.store(to + offset, v128.load(at + offset));
    }
    to += bytes;
    if (escaped === end) return to - scratch;
    at = escaped;
    let point = escapedCharacter(at);
    at += 2;
    if (point === UNDECIDED) {
      point = codePoint(escaped);
      if (point === UNDECIDED) return UNDECIDED;
      at = escaped + (point < FIRST_OF_PAIRS ? UNICODE_ESCAPE : 2 * UNICODE_ESCAPE);
    }
    to = writeUtf8(to, point);
  }
}

/** Returns the character of the escape at `at`; UNDECIDED = it is `\uXXXX`. */
function escapedCharacter(at: i32): i32 {
  const byte = <i32>load<u8>(at + 1);
  switch (byte) {
    case SMALL_B:
      return 0x08;
    case SMALL_F:
      return 0x0c;
    case SMALL_N:
      return 0x0a;
    case SMALL_R:
      return 0x0d;
    case SMALL_T:
      return 0x09;
    case SMALL_U:
      return UNDECIDED;
    default:
      return byte;
  }
}

/** Returns the code point of one escape `\uXXXX`, or a pair; UNDECIDED = a lone surrogate. */
function codePoint(at: i32): i32 {
  const unit = codeUnit(at);
  if (unit < FIRST_HIGH_SURROGATE || unit >= AFTER_SURROGATES) return unit;
  if (unit >= FIRST_LOW_SURROGATE) return UNDECIDED;
  const next = at + UNICODE_ESCAPE;
  if (load<u8>(next) !== BACKSLASH || load<u8>(next + 1) !== SMALL_U) return UNDECIDED;
  const low = codeUnit(next) - FIRST_LOW_SURROGATE;
  if (<u32>low >= 1 << SURROGATE_BITS) return UNDECIDED;
  return FIRST_OF_PAIRS + ((unit - FIRST_HIGH_SURROGATE) << SURROGATE_BITS) + low;
}

/** Writes a code point. @returns the address after it */
function writeUtf8(to: i32, point: i32): i32 {
  if (point < 0x80) {
    store<u8>(to, point);
    return to + 1;
  }
  if (point < 0x800) {
    store<u8>(to, 0xc0 | (point >> 6));
    return continueUtf8(to + 1, point, 0);
  }
  if (point < FIRST_OF_PAIRS) {
    store<u8>(to, 0xe0 | (point >> 12));
    return continueUtf8(to + 1, point, 6);
  }
  store<u8>(to, 0xf0 | (point >> 18));
  return continueUtf8(to + 1, point, 12);
}

/** Writes the bytes after the first one: 6 bits each, from bit `shift` on down to bit 0. */
function continueUtf8(start: i32, point: i32, shift: i32): i32 {
  let to = start;
  for (let bit = shift; bit >= 0; bit -= 6) {
    store<u8>(to, 0x80 | ((point >> bit) & 0x3f));
    to++;
  }
  return to;
}
