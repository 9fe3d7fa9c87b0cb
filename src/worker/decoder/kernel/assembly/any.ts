/** Values that only have to be JSON. Positions are addresses of bytes. */
import {
  CLOSE_BRACE,
  CLOSE_BRACKET,
  COLON,
  COMMA,
  OPEN_BRACE,
  OPEN_BRACKET,
  QUOTE,
  SMALL_F,
  SMALL_N,
  SMALL_T,
  skipBlank,
} from './characters.ts';
import { numberEnd } from './numbers.ts';
import { stringEnd } from './strings.ts';
import { UNDECIDED } from './table.ts';

/** Words of bytes, as numbers. */
const TRUE_WORD = 0x65757274;
const ALSE_WORD = 0x65736c61;
const NULL_WORD = 0x6c6c756e;

/**
 * Returns the end of the JSON value at `start`, or UNDECIDED.
 * @param depth maximum nesting of arrays and objects
 */
export function anyEnd(start: i32, depth: i32): i32 {
  switch (<i32>load<u8>(start)) {
    case QUOTE:
      return stringEnd(start);
    case OPEN_BRACE:
      return depth > 0 ? anyObjectEnd(start, depth - 1) : UNDECIDED;
    case OPEN_BRACKET:
      return depth > 0 ? anyArrayEnd(start, depth - 1) : UNDECIDED;
    case SMALL_T:
    case SMALL_F:
    case SMALL_N:
      return literalEnd(start);
    default:
      return numberEnd(start);
  }
}

/** Returns the end of `true`, `false` or `null`, or UNDECIDED. */
export function literalEnd(start: i32): i32 {
  const found = load<i32>(start);
  if (found === TRUE_WORD || found === NULL_WORD) return start + 4;
  const isFalse = load<u8>(start) === SMALL_F && load<i32>(start + 1) === ALSE_WORD;
  return isFalse ? start + 5 : UNDECIDED;
}

/** @param depth maximum nesting of its values */
function anyObjectEnd(open: i32, depth: i32): i32 {
  let at = skipBlank(open + 1);
  if (load<u8>(at) === CLOSE_BRACE) return at + 1;
  while (true) {
    if (load<u8>(at) !== QUOTE) return UNDECIDED;
    at = stringEnd(at);
    if (at === UNDECIDED) return UNDECIDED;
    at = skipBlank(at);
    if (load<u8>(at) !== COLON) return UNDECIDED;
    at = anyEnd(skipBlank(at + 1), depth);
    if (at === UNDECIDED) return UNDECIDED;
    at = skipBlank(at);
    if (load<u8>(at) !== COMMA) break;
    at = skipBlank(at + 1);
  }
  return load<u8>(at) === CLOSE_BRACE ? at + 1 : UNDECIDED;
}

/** @param depth maximum nesting of its items */
function anyArrayEnd(open: i32, depth: i32): i32 {
  let at = skipBlank(open + 1);
  if (load<u8>(at) === CLOSE_BRACKET) return at + 1;
  while (true) {
    at = anyEnd(at, depth);
    if (at === UNDECIDED) return UNDECIDED;
    at = skipBlank(at);
    if (load<u8>(at) !== COMMA) break;
    at = skipBlank(at + 1);
  }
  return load<u8>(at) === CLOSE_BRACKET ? at + 1 : UNDECIDED;
}
