/** Bytes of JSON's grammar, and white space. */
import { ALL_LANES, equal, LANES, maskOf } from './lanes.ts';

export const QUOTE = 0x22;
export const PLUS = 0x2b;
export const COMMA = 0x2c;
export const MINUS = 0x2d;
export const POINT = 0x2e;
export const SLASH = 0x2f;
export const ZERO = 0x30;
export const COLON = 0x3a;
export const OPEN_BRACKET = 0x5b;
export const BACKSLASH = 0x5c;
export const CLOSE_BRACKET = 0x5d;
export const SMALL_B = 0x62;
export const SMALL_E = 0x65;
export const SMALL_F = 0x66;
export const SMALL_N = 0x6e;
export const SMALL_R = 0x72;
export const SMALL_T = 0x74;
export const SMALL_U = 0x75;
export const OPEN_BRACE = 0x7b;
export const CLOSE_BRACE = 0x7d;
/** Bit that turns `[` and `]` into `{` and `}`, and capital letters into small ones. */
export const CASE_BIT = 0x20;

export const TAB = 0x09;
export const LINE_FEED = 0x0a;
export const CARRIAGE_RETURN = 0x0d;
export const SPACE = 0x20;
/** Last of the characters that JSON's strings contain only as escapes. */
export const LAST_CONTROL = 0x1f;

/** Returns the address of the first byte from `at` on that is not white space. */
export function skipBlank(at: i32): i32 {
  const byte = <i32>load<u8>(at);
  return byte > SPACE ? at : skipBlanks(at);
}

/** {@link skipBlank} for white space of any length, such as indentation. */
function skipBlanks(start: i32): i32 {
  let at = start;
  // One or two bytes are the usual case: a space, or the end of an object.
  for (let tries = 0; tries < 2; tries++) {
    if (!isBlank(load<u8>(at))) return at;
    at++;
  }
  while (true) {
    const chunk = v128.load(at);
    const blanks = v128.or(
      v128.or(equal(chunk, SPACE), equal(chunk, LINE_FEED)),
      v128.or(equal(chunk, TAB), equal(chunk, CARRIAGE_RETURN)),
    );
    const others = maskOf(blanks) ^ ALL_LANES;
    if (others !== 0) return at + ctz(others);
    at += LANES;
  }
}

function isBlank(byte: i32): bool {
  return byte === SPACE || byte === LINE_FEED || byte === TAB || byte === CARRIAGE_RETURN;
}
