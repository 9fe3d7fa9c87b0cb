/** Numbers of JSON: their ends. Positions are addresses of bytes. */
import { CASE_BIT, MINUS, PLUS, POINT, SMALL_E, ZERO } from './characters.ts';
import { ALL_LANES, atMost, fill, LANES, maskOf } from './lanes.ts';
import { UNDECIDED } from './table.ts';

const NINE = 9;

/** Returns the address of the first byte from `start` on that is not a digit. */
export function digitsEnd(start: i32): i32 {
  let at = start;
  while (true) {
    const digits = i8x16.sub(v128.load(at), fill(ZERO));
    const others = maskOf(atMost(digits, NINE)) ^ ALL_LANES;
    if (others !== 0) return at + ctz(others);
    at += LANES;
  }
}

/** Returns the end of the integer part of the number at `start`, or UNDECIDED. */
export function integerEnd(start: i32): i32 {
  const first = load<u8>(start) === MINUS ? start + 1 : start;
  if (load<u8>(first) === ZERO) return first + 1;
  const end = digitsEnd(first);
  return end > first ? end : UNDECIDED;
}

/** Returns the end of the number at `start`, or UNDECIDED. */
export function numberEnd(start: i32): i32 {
  const end = integerEnd(start);
  return end === UNDECIDED ? UNDECIDED : fractionEnd(end);
}

/** Returns the end of the number whose integer part ends at `integer`, or UNDECIDED. */
function fractionEnd(integer: i32): i32 {
  let end = integer;
  if (load<u8>(end) === POINT) {
    end = digitsEnd(integer + 1);
    if (end === integer + 1) return UNDECIDED;
  }
  if (!isExponent(end)) return end;
  const first = exponentDigits(end);
  end = digitsEnd(first);
  return end > first ? end : UNDECIDED;
}

/** Whether a number continues behind its integer part. */
export function isFraction(integer: i32): bool {
  return load<u8>(integer) === POINT || isExponent(integer);
}

/** Whether an exponent begins at `at`. */
export function isExponent(at: i32): bool {
  return (<i32>load<u8>(at) | CASE_BIT) === SMALL_E;
}

/** Returns the address of the digits of the exponent at `at`. */
export function exponentDigits(at: i32): i32 {
  const sign = <i32>load<u8>(at + 1);
  return sign === MINUS || sign === PLUS ? at + 2 : at + 1;
}
