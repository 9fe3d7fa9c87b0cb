/** Rules of numbers. */
import { isObject } from '../../common/json-object.ts';
import { FRACTION, INTEGER } from '../decoder/kernel/layout.ts';
import type { Bound, NumberPlan } from '../decoder/kernel/plan.ts';
import type { Ruling } from './rulings.ts';
import type { Place, SchemaPlaces, SlowPart } from './schema-places.ts';
import { listedValues, typeOf } from './types.ts';

const INT32: readonly [number, number] = [-(2 ** 31), 2 ** 31 - 1];
/** Formats that accept any number. */
const OF_ANY_NUMBER: ReadonlySet<unknown> = new Set(['float', 'double']);

/**
 * Returns the rule of the numbers that schemas accept.
 * @param bit integers or fractions
 */
export function numberRule(
  parts: readonly Place[],
  bit: number,
  places: SchemaPlaces,
): Ruling<NumberPlan> {
  const slow: SlowPart[] = [];
  let [min, max]: (Bound | undefined)[] = [];
  let multipleOf: number | undefined;
  let values: number[] | undefined;
  for (const part of parts) {
    const value = (keyword: string) => places.valueOf(part, keyword);
    const lower = boundsOf(value('minimum'), value('exclusiveMinimum'));
    const upper = boundsOf(value('maximum'), value('exclusiveMaximum'));
    for (const bound of lower) min = stricter(min, bound, 1);
    for (const bound of upper) max = stricter(max, bound, -1);
    const divisor = value('multipleOf');
    if (typeof divisor === 'number') {
      const isPlain = divisor > 0 && Number.isFinite(divisor);
      if (isPlain && (multipleOf ?? divisor) === divisor) multipleOf = divisor;
      else slow.push({ pointer: `${part.pointer}/multipleOf`, why: 'is not the only one' });
    }
    const format = value('format');
    const definition = typeof format === 'string' ? places.compiler.formats[format] : undefined;
    if (isOfNumbers(definition) && !OF_ANY_NUMBER.has(format)) {
      if (bit === FRACTION) return { isAccepted: false, slow: [] };
      if (format === 'int32') {
        min = stricter(min, { value: INT32[0], isExclusive: false }, 1);
        max = stricter(max, { value: INT32[1], isExclusive: false }, -1);
      } else if (format !== 'int64') {
        slow.push({ pointer: `${part.pointer}/format`, why: 'is not decided' });
      }
    }
    const list = listedValues(part, places)?.filter((each) => typeof each === 'number');
    if (list !== undefined) values = values?.filter((each) => list.includes(each)) ?? list;
  }
  if (slow.length > 0) return { isAccepted: false, slow };
  if (values !== undefined) {
    values = values.filter(Number.isFinite);
    if (!values.some((each) => typeOf(each) === bit)) return { isAccepted: false, slow };
  }
  if (min !== undefined && max !== undefined && min.value > max.value)
    return { isAccepted: false, slow };
  const isAny = min === undefined && max === undefined && multipleOf === undefined;
  if (isAny && values === undefined) return { isAccepted: true, rule: undefined, slow };
  return { isAccepted: true, rule: { min, max, multipleOf, values }, slow };
}

function isOfNumbers(definition: unknown): boolean {
  return isObject(definition) && definition.type === 'number';
}

/** In draft-04 the exclusive bound is a boolean. */
function boundsOf(limit: unknown, exclusive: unknown): Bound[] {
  const bounds: Bound[] = [];
  if (typeof limit === 'number') bounds.push({ value: limit, isExclusive: exclusive === true });
  if (typeof exclusive === 'number') bounds.push({ value: exclusive, isExclusive: true });
  return bounds;
}

/** @param sign 1 = the higher bound is stricter, -1 = the lower one */
function stricter(one: Bound | undefined, other: Bound, sign: number): Bound {
  if (one === undefined) return other;
  if (one.value === other.value) return one.isExclusive ? one : other;
  return (one.value - other.value) * sign > 0 ? one : other;
}

/** Whether two rules of numbers accept the same values. */
export function isSameRule(one: NumberPlan | undefined, other: NumberPlan | undefined): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}

/** Returns what a number is called in reasons. */
export function nameOf(bit: number): string {
  return bit === INTEGER ? 'integers' : 'numbers that are not integers';
}
