/**
 * Finds the boundaries of JSON values in bytes that `JSON.parse` has accepted: it returns values
 * without offsets, but the original bytes are stored. JSON's structure is ASCII, and no byte of a
 * longer UTF-8 sequence is, so bytes are compared without decoding. Nesting is counted, without
 * recursion: a frame can be tens of thousands of levels deep.
 */

export const LINE_FEED = 0x0a;
export const COMMA = 0x2c;
export const OPEN_BRACKET = 0x5b;
export const CLOSE_BRACKET = 0x5d;
export const QUOTE = 0x22;
export const BACKSLASH = 0x5c;
export const OPEN_BRACE = 0x7b;
export const CLOSE_BRACE = 0x7d;

const TAB = 0x09;
const CARRIAGE_RETURN = 0x0d;
export const SPACE = 0x20;

export function isBlank(byte: number | undefined): boolean {
  return byte === SPACE || byte === LINE_FEED || byte === CARRIAGE_RETURN || byte === TAB;
}

/** Returns the first offset from `at` on without JSON white space, or `end`. */
export function skipBlank(bytes: Buffer, at: number, end = bytes.length): number {
  let found = at;
  while (found < end && isBlank(bytes[found])) found++;
  return found;
}

/** Returns the end of `bytes[start, end)` without trailing JSON white space. */
export function trimmedEnd(bytes: Buffer, start: number, end: number): number {
  let found = end;
  while (found > start && isBlank(bytes[found - 1])) found--;
  return found;
}

/** Returns the offset after the value at `start`. The JSON must be valid. */
export function valueEnd(bytes: Buffer, start: number): number {
  let depth = 0;
  for (let at = start; at < bytes.length; at++) {
    switch (bytes[at]) {
      case QUOTE:
        at = closingQuote(bytes, at + 1);
        if (depth === 0) return at + 1;
        break;
      case OPEN_BRACE:
      case OPEN_BRACKET:
        depth++;
        break;
      case CLOSE_BRACE:
      case CLOSE_BRACKET:
        // At depth 0 it closes the container of a number or a literal.
        if (depth === 0) return at;
        depth--;
        if (depth === 0) return at + 1;
        break;
      case COMMA:
      case SPACE:
      case TAB:
      case LINE_FEED:
      case CARRIAGE_RETURN:
        if (depth === 0) return at;
        break;
    }
  }
  return bytes.length;
}

/** Bit that turns `[` and `]` into `{` and `}`. */
export const BRACE_BIT = 0x20;

/**
 * Whether the JSON in `bytes[start, end)` nests more than `max` arrays and objects. For invalid
 * JSON false means that it nests no deeper up to its first error; true means nothing.
 */
export function nestsDeeper(bytes: Buffer, start: number, end: number, max: number): boolean {
  // Each level takes two bytes.
  if (end - start <= 2 * max) return false;
  let depth = 0;
  for (let at = start; at < end; at++) {
    const byte = bytes[at]!;
    if (byte === QUOTE) at = closingQuote(bytes, at + 1);
    else if ((byte | BRACE_BIT) === OPEN_BRACE) {
      if (++depth > max) return true;
    } else if ((byte | BRACE_BIT) === CLOSE_BRACE) depth--;
  }
  return false;
}

/** Returns the offset of the quote that ends the string whose content begins at `from`. */
export function closingQuote(bytes: Buffer, from: number): number {
  let at = from;
  while (at < bytes.length && bytes[at] !== QUOTE) at += bytes[at] === BACKSLASH ? 2 : 1;
  return at;
}
