/** Positions of values on an axis, and its round ticks. */
export interface Axis {
  readonly ticks: readonly number[];
  /** 0 = start, 1 = end. */
  at(value: number): number;
}

/** Above this ratio, small values would overlap on a linear axis. */
const LOGARITHMIC_FROM = 30;
const STEPS = [1, 2, 5, 10];
const INTERVALS_MAX = 6;
const LOG_TICKS_MAX = 9;

/** Starts at 0, with steps of 1, 2 or 5 times a power of ten. */
export function linearAxis(values: readonly number[]): Axis {
  const [least, greatest] = [Math.min(0, ...values), Math.max(0, ...values)];
  const range = greatest - least || 1;
  const power = 10 ** Math.floor(Math.log10(range / INTERVALS_MAX));
  const step = power * STEPS.find((factor) => range / (factor * power) <= INTERVALS_MAX)!;
  const first = Math.floor(least / step);
  const last = Math.max(first + 1, Math.ceil(greatest / step));
  const ticks = Array.from({ length: last - first + 1 }, (_, i) => rounded((first + i) * step));
  return { ticks, at: (value) => (value / step - first) / (last - first) };
}

/** Returns a linear axis, or a logarithmic one if the maximum exceeds 30 times the minimum. */
export function spanningAxis(values: readonly number[]): Axis {
  const [least, greatest] = [Math.min(...values), Math.max(...values)];
  const logarithmic = least > 0 && greatest / least > LOGARITHMIC_FROM;
  return logarithmic ? logarithmicAxis(least, greatest) : linearAxis(values);
}

function logarithmicAxis(least: number, greatest: number): Axis {
  const powers = { first: Math.floor(Math.log10(least)), last: Math.ceil(Math.log10(greatest)) };
  const fine = ticksOf([1, 2, 5], powers);
  const begin = Math.max(...fine.filter((tick) => tick <= least));
  const end = Math.min(...fine.filter((tick) => tick >= greatest));
  const within = fine.filter((tick) => tick >= begin && tick <= end);
  const ticks = within.length <= LOG_TICKS_MAX ? within : ticksOf([1], powers);
  const [from, to] = [Math.log10(ticks[0]!), Math.log10(ticks.at(-1)!)];
  return { ticks, at: (value) => (Math.log10(value) - from) / (to - from) };
}

function ticksOf(factors: readonly number[], { first, last }: { first: number; last: number }) {
  const powers = Array.from({ length: last - first + 1 }, (_, i) => 10 ** (first + i));
  return powers.flatMap((power) => factors.map((factor) => rounded(factor * power)));
}

/** Drops the last digits, which contain floating-point errors. */
function rounded(value: number): number {
  return Number(value.toPrecision(12));
}
