/**
 * Writes JSON strings and numbers into a buffer that has room for them, as `JSON.stringify` does;
 * except that -0 stays -0.
 */
import { INVALID, MINUS, SMALL_U, ZERO } from '../json/json-grammar.ts';
import { BACKSLASH, QUOTE, SPACE } from '../json/json-scanner.ts';

const SMALL_A = 0x61;
const FIRST_NOT_ASCII = 0x80;
const CONTINUATION = 0b10_000000;
const CONTINUATION_MASK = 0b11_000000;
const CONTINUATION_BITS = 6;
/** Minimum code point of a UTF-8 sequence, by its length. */
const CODE_POINT_MIN = [0, 0, 0x80, 0x800, 0x1_0000];
const CODE_POINT_MAX = 0x10_ffff;
const SURROGATES = { first: 0xd800, last: 0xdfff };

/** Escape letters of the control characters; 0 = `u` and four digits. */
const SHORT_ESCAPES = new Uint8Array(SPACE);
for (const [character, letter] of ['\bb', '\tt', '\nn', '\ff', '\rr']) {
  SHORT_ESCAPES[character!.charCodeAt(0)] = letter!.charCodeAt(0);
}
/** 1 for each byte that needs no escape. */
const PLAIN = new Uint8Array(0x100).fill(1, SPACE, FIRST_NOT_ASCII);
PLAIN[QUOTE] = 0;
PLAIN[BACKSLASH] = 0;
/** Digits of the two halves of an integer, which fit 32 bits for fast arithmetic. */
const HALF_DIGITS = 8;
const HALF = 10 ** HALF_DIGITS;
/** Maximum absolute value of integers that are all exact doubles. */
export const INTEGER_MAX = 2 ** 53;

/**
 * Writes the string `source[start, end)`, quoted, to `into` from `at` on: up to 6 bytes per byte,
 * and 2 quotes.
 * @returns the offset after it; {@link INVALID} = not UTF-8
 */
export function writeString(
  source: Buffer,
  start: number,
  end: number,
  into: Buffer,
  at: number,
): number {
  let out = at;
  into[out++] = QUOTE;
  let from = start;
  while (from < end) {
    const byte = source[from]!;
    if (PLAIN[byte] === 1) {
      into[out++] = byte;
      from++;
    } else if (byte >= FIRST_NOT_ASCII) {
      const sequenceEnd = utf8End(source, from, end);
      if (sequenceEnd === INVALID) return INVALID;
      while (from < sequenceEnd) into[out++] = source[from++]!;
    } else {
      out = writeEscaped(byte, into, out);
      from++;
    }
  }
  into[out++] = QUOTE;
  return out;
}

/** Returns the offset after the multi-byte character at `start`, or {@link INVALID}. */
function utf8End(source: Buffer, start: number, end: number): number {
  const lead = source[start]!;
  const length = lead < 0b1110_0000 ? 2 : lead < 0b1111_0000 ? 3 : 4;
  if (lead < 0b1100_0000 || lead >= 0b1111_1000 || start + length > end) return INVALID;
  let codePoint = lead & (0xff >> (length + 1));
  for (let at = start + 1; at < start + length; at++) {
    const byte = source[at]!;
    if ((byte & CONTINUATION_MASK) !== CONTINUATION) return INVALID;
    codePoint = (codePoint << CONTINUATION_BITS) | (byte & ~CONTINUATION_MASK);
  }
  if (codePoint < CODE_POINT_MIN[length]! || codePoint > CODE_POINT_MAX) return INVALID;
  const isSurrogate = codePoint >= SURROGATES.first && codePoint <= SURROGATES.last;
  return isSurrogate ? INVALID : start + length;
}

function writeEscaped(byte: number, into: Buffer, at: number): number {
  into[at] = BACKSLASH;
  const letter = byte < SPACE ? SHORT_ESCAPES[byte]! : byte;
  if (letter !== 0) {
    into[at + 1] = letter;
    return at + 2;
  }
  into[at + 1] = SMALL_U;
  into[at + 2] = ZERO;
  into[at + 3] = ZERO;
  into[at + 4] = hexDigit(byte >> 4);
  into[at + 5] = hexDigit(byte & 0xf);
  return at + 6;
}

function hexDigit(value: number): number {
  return value < 10 ? ZERO + value : SMALL_A + value - 10;
}

/** Writes a finite number, in up to 25 bytes. @returns the offset after it */
export function writeNumber(value: number, into: Buffer, at: number): number {
  if (Number.isInteger(value) && Math.abs(value) <= INTEGER_MAX) {
    return writeInteger(value, into, at);
  }
  const text = String(value);
  for (let index = 0; index < text.length; index++) into[at + index] = text.charCodeAt(index);
  return at + text.length;
}

/** {@link writeNumber} for an integer from -{@link INTEGER_MAX} to {@link INTEGER_MAX}. */
export function writeInteger(value: number, into: Buffer, at: number): number {
  let out = at;
  if (value < 0 || Object.is(value, -0)) into[out++] = MINUS;
  const rest = Math.abs(value);
  if (rest < HALF) return writeDigits(rest, digitsOf(rest), into, out);
  const upper = Math.floor(rest / HALF);
  // It is at most 2^53 / 10^8: both parts fit 32 bits.
  out = writeDigits(upper, digitsOf(upper), into, out);
  return writeDigits(rest - upper * HALF, HALF_DIGITS, into, out);
}

function digitsOf(value: number): number {
  let digits = 1;
  for (let power = 10; power <= value; power *= 10) digits++;
  return digits;
}

/** Writes a number below 2^31 with `digits` digits. */
function writeDigits(value: number, digits: number, into: Buffer, at: number): number {
  let rest = value | 0;
  for (let place = at + digits - 1; place >= at; place--) {
    const next = (rest / 10) | 0;
    into[place] = ZERO + rest - next * 10;
    rest = next;
  }
  return at + digits;
}
