/** Values of numbers, and rules for these. Positions are addresses of bytes. */
import {
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
} from '../layout.ts';
import { MINUS, POINT, ZERO } from './characters.ts';
import { exponentDigits, isExponent } from './numbers.ts';
import { double, UNDECIDED, word } from './table.ts';

/** Largest integer of those that are all exact doubles, as Number.MAX_SAFE_INTEGER. */
const EXACT_MAX: u64 = 0x1f_ffff_ffff_ffff;
/** Digits that fit into 64 bits. */
const DIGITS_MAX = 19;
/** Largest power of ten that is an exact double. */
const EXACT_POWER = 22;
/** Digits and exponent of numbers that are certainly finite doubles. */
const FINITE_MAX = 300;
/** Larger exponents are not computed. */
const EXPONENT_MAX = 100_000;

/** The number that {@link readNumber} read last; its value is only set if it is exact. */
export let value: f64 = 0;
/** Whether one operation on exact doubles computes its value. */
export let isExact: bool = false;
/** Whether it has neither fraction nor exponent. */
export let isInteger: bool = false;
/** Whether it is certainly a finite double. */
export let isBounded: bool = false;
/** Digits of the number, without the point; exponent. */
let mantissa: u64 = 0;
let exponent: i32 = 0;

/** Reads the number at `start`. @returns its end; UNDECIDED = it is not JSON */
export function readNumber(start: i32): i32 {
  const isNegative = load<u8>(start) === MINUS;
  const first = isNegative ? start + 1 : start;
  mantissa = 0;
  exponent = 0;
  const whole = load<u8>(first) === ZERO ? first + 1 : readDigits(first);
  if (whole === first) return UNDECIDED;
  let end = whole;
  let digits = whole - first;
  let decimals = 0;
  if (load<u8>(whole) === POINT) {
    let significant = whole + 1;
    if (mantissa === 0) {
      digits = 0;
      while (load<u8>(significant) === ZERO) significant++;
    }
    end = readDigits(significant);
    digits += end - significant;
    decimals = end - (whole + 1);
    if (decimals === 0) return UNDECIDED;
  }
  if (isExponent(end)) {
    end = readExponent(end);
    if (end === UNDECIDED) return UNDECIDED;
  }
  isInteger = end === whole;
  const power = exponent - decimals;
  isExact = digits <= DIGITS_MAX && mantissa <= EXACT_MAX && abs(power) <= EXACT_POWER;
  isBounded = whole - first + max(exponent, 0) <= FINITE_MAX;
  const absolute = scaled(<f64>mantissa, power);
  value = isNegative ? -absolute : absolute;
  return end;
}

/** Appends digits to the mantissa. @returns the end of them */
function readDigits(start: i32): i32 {
  let at = start;
  let number = mantissa;
  while (true) {
    const digit = <i32>load<u8>(at) - ZERO;
    if (<u32>digit > 9) break;
    number = number * 10 + digit;
    at++;
  }
  mantissa = number;
  return at;
}

/** Reads the exponent at `start`. @returns its end, or UNDECIDED */
function readExponent(start: i32): i32 {
  const first = exponentDigits(start);
  let at = first;
  while (true) {
    const digit = <i32>load<u8>(at) - ZERO;
    if (<u32>digit > 9) break;
    exponent = min(exponent * 10 + digit, EXPONENT_MAX);
    at++;
  }
  if (load<u8>(start + 1) === MINUS) exponent = -exponent;
  return at > first ? at : UNDECIDED;
}

/** Returns `number * 10 ** power`, rounded once if both operands are exact. */
function scaled(number: f64, power: i32): f64 {
  let scale: f64 = 1;
  for (let index = min(abs(power), EXACT_POWER); index > 0; index--) scale *= 10;
  return power < 0 ? number / scale : number * scale;
}

/** Whether the rule at `rule` accepts {@link value}. */
export function acceptsValue(rule: i32): bool {
  const flags = word(rule, NUMBER_FLAGS);
  if (flags & HAS_MIN) {
    const min = double(rule, NUMBER_MIN);
    if (flags & MIN_IS_EXCLUSIVE ? !(value > min) : !(value >= min)) return false;
  }
  if (flags & HAS_MAX) {
    const max = double(rule, NUMBER_MAX);
    if (flags & MAX_IS_EXCLUSIVE ? !(value < max) : !(value <= max)) return false;
  }
  if (flags & HAS_MULTIPLE) {
    const quotient = value / double(rule, NUMBER_MULTIPLE);
    if (!(abs(quotient) < <f64>EXACT_MAX) || trunc(quotient) !== quotient) return false;
  }
  const values = word(rule, NUMBER_VALUES);
  return values === 0 || isListed(rule, values);
}

/** Whether {@link value} is one of the first `values` of a rule, by binary search. */
function isListed(rule: i32, values: i32): bool {
  let from = 0;
  let to = values;
  while (from < to) {
    const middle = (from + to) >> 1;
    const listed = double(rule, NUMBER_WORDS + 2 * middle);
    if (listed === value) return true;
    if (listed < value) from = middle + 1;
    else to = middle;
  }
  return false;
}
