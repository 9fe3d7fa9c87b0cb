/** Counts the items of an array without validating them. */
import {
  BACKSLASH,
  CASE_BIT,
  CLOSE_BRACE,
  CLOSE_BRACKET,
  COMMA,
  OPEN_BRACE,
  OPEN_BRACKET,
  QUOTE,
  skipBlank,
} from './characters.ts';
import { equal, fill, LANES, maskOf } from './lanes.ts';
import { plainEnd } from './strings.ts';
import { UNDECIDED } from './table.ts';

/**
 * Returns the number of items of the array at `open`, which must end the input at `end`; UNDECIDED
 * = it does not. For JSON the number is exact.
 */
export function countItems(open: i32, end: i32): i32 {
  if (load<u8>(open) !== OPEN_BRACKET) return UNDECIDED;
  let depth = 0;
  let commas = 0;
  let at = open;
  while (at < end) {
    at = nextStructural(at);
    const byte = <i32>load<u8>(at);
    at++;
    if (byte === COMMA) {
      if (depth === 1) commas++;
    } else if (byte === QUOTE) {
      at = closingQuote(at) + 1;
    } else if ((byte | CASE_BIT) === OPEN_BRACE) {
      depth++;
    } else if ((byte | CASE_BIT) === CLOSE_BRACE) {
      depth--;
      if (depth === 0) break;
    } else return UNDECIDED;
  }
  if (depth !== 0 || at > end || skipBlank(at) < end) return UNDECIDED;
  const isEmpty = commas === 0 && load<u8>(skipBlank(open + 1)) === CLOSE_BRACKET;
  return isEmpty ? 0 : commas + 1;
}

/** Returns the next quote, comma, bracket, brace, or zero byte. */
function nextStructural(start: i32): i32 {
  let at = start;
  while (true) {
    const chunk = v128.load(at);
    const braces = v128.or(chunk, fill(CASE_BIT));
    const nesting = v128.or(equal(braces, OPEN_BRACE), equal(braces, CLOSE_BRACE));
    const others = v128.or(v128.or(equal(chunk, QUOTE), equal(chunk, COMMA)), equal(chunk, 0));
    const found = maskOf(v128.or(nesting, others));
    if (found !== 0) return at + ctz(found);
    at += LANES;
  }
}

/** Returns the closing quote of a string, or the zero byte that ends the input. */
function closingQuote(start: i32): i32 {
  let at = plainEnd(start);
  while (true) {
    const byte = <i32>load<u8>(at);
    if (byte === QUOTE || byte === 0) return at;
    at = plainEnd(byte === BACKSLASH ? at + 2 : at + 1);
  }
}
