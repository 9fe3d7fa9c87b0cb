import type { JsonObject } from '../../common/json-object.ts';

/** Maximum steps in the search for an integer multiple of a fraction. */
const STEPS_MAX = 1_000;

/**
 * Returns a number within the bounds of a schema.
 * @param salt different values give different numbers, if there are any
 */
export function numberFor(flat: JsonObject, isInteger: boolean, salt: number): number {
  const low = boundOf(flat.minimum, flat.exclusiveMinimum, Math.max);
  const high = boundOf(flat.maximum, flat.exclusiveMaximum, Math.min);
  const step = stepOf(flat.multipleOf, isInteger);
  if (step === undefined) return between(low, high, salt);
  if (low === undefined && high === undefined) return step * (salt + 1);
  if (low !== undefined) {
    const first = Math.ceil(low.value / step);
    const isOn = low.exclusive && first * step === low.value;
    return step * (first + (isOn ? 1 : 0) + salt);
  }
  const last = Math.floor(high!.value / step);
  const isOn = high!.exclusive && last * step === high!.value;
  return step * (Math.min(last - (isOn ? 1 : 0), salt === 0 ? 1 : last) - salt);
}

interface Bound {
  readonly value: number;
  readonly exclusive: boolean;
}

/** @param exclusive a boolean in draft-04, a separate bound since draft-06 */
function boundOf(
  inclusive: unknown,
  exclusive: unknown,
  tighter: (a: number, b: number) => number,
): Bound | undefined {
  if (typeof exclusive === 'number') {
    const isTighter = typeof inclusive !== 'number' || tighter(inclusive, exclusive) === exclusive;
    if (isTighter) return { value: exclusive, exclusive: true };
  }
  if (typeof inclusive !== 'number') return undefined;
  return { value: inclusive, exclusive: exclusive === true };
}

function stepOf(multipleOf: unknown, isInteger: boolean): number | undefined {
  if (typeof multipleOf !== 'number') return isInteger ? 1 : undefined;
  if (!isInteger || Number.isInteger(multipleOf)) return multipleOf;
  for (let times = 1; times <= STEPS_MAX; times++) {
    if (Number.isInteger(multipleOf * times)) return multipleOf * times;
  }
  return multipleOf;
}

function between(low: Bound | undefined, high: Bound | undefined, salt: number): number {
  if (low === undefined && high === undefined) return salt + 1;
  if (high === undefined) return low!.value + salt + (low!.exclusive ? 1 : 0);
  if (low === undefined) return high.value - salt - (high.exclusive ? 1 : 0);
  if (salt === 0 && !low.exclusive) return low.value;
  return low.value + (high.value - low.value) / (salt + 2);
}
