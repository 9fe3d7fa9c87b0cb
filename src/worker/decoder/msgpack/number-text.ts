/**
 * Canonical text of a number, independent of its notation: 1, 1.0, 10e-1 are `1`. No digit is lost,
 * unlike in a double. The notation is JavaScript's, but without exponent for up to 40 digits
 * instead of 21, so that 128-bit integers are unchanged.
 */
import assert from 'node:assert/strict';

const PLAIN_DIGITS_MAX = 40;
/** Maximum zeros after the decimal point of a number below 1 without exponent. */
const PLAIN_ZEROS_MAX = 5;
/** Maximum digits of an exponent; a number with a longer one is returned unchanged. */
const EXPONENT_DIGITS_MAX = 15;

const USUAL_INTEGER = new RegExp(`^(?:0|-?[1-9]\\d{0,${PLAIN_DIGITS_MAX - 1}})$`);
const NUMBER = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?)0*(\d+))?$/;

/** @param json a JSON number */
export function numberText(json: string): string {
  if (USUAL_INTEGER.test(json)) return json;
  const parts = NUMBER.exec(json);
  assert(parts !== null, 'the text is a number');
  const [, sign = '', whole = '', fraction = '', exponentSign = '', exponent = '0'] = parts;
  if (exponent.length > EXPONENT_DIGITS_MAX) return json;
  const all = whole + fraction;
  let [first, end] = [0, all.length];
  while (first < end && all[first] === '0') first++;
  while (end > first && all[end - 1] === '0') end--;
  if (first === end) return '0';
  const point = whole.length - first + Number(exponentSign + exponent);
  return sign + written(all.slice(first, end), point);
}

/** @param digits without zeros at either end, @param point position of the decimal point */
function written(digits: string, point: number): string {
  if (point > 0 && point <= PLAIN_DIGITS_MAX) {
    const whole = digits.slice(0, point).padEnd(point, '0');
    return digits.length > point ? `${whole}.${digits.slice(point)}` : whole;
  }
  if (point <= 0 && point >= -PLAIN_ZEROS_MAX) return `0.${'0'.repeat(-point)}${digits}`;
  const fraction = digits.length > 1 ? `.${digits.slice(1)}` : '';
  const exponent = point - 1;
  return `${digits[0]}${fraction}e${exponent < 0 ? '' : '+'}${exponent}`;
}
