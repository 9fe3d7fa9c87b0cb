/** Highest rate that a server sustains. */
import type { Lab, Shape } from './lab.ts';
import { lateness, type Measurement } from './measure.ts';
import type { Target } from './target.ts';

/** Share of the offered events that a server acknowledges in the window if it keeps up. */
const KEEPS_UP_SHARE = 0.98;
/** A server that falls behind needs time to settle. */
const TIMES = { warmUpMs: 2_000, settleMs: 60_000, dropQueue: true };

/** Returns whether a server acknowledged events at the rate at which they were offered. */
export function keepsUp(
  { ackedPerSecond }: Pick<Measurement, 'ackedPerSecond'>,
  offeredPerSecond: number,
): boolean {
  return ackedPerSecond >= KEEPS_UP_SHARE * offeredPerSecond;
}

/**
 * Offers rates, the highest one first. A rate at which the load client itself falls behind is not
 * proven, as one at which the server does: on few cores both share what is left.
 * @param rates events/s, ascending
 * @returns the first rate that the server sustains; undefined if it sustains none
 */
export async function sustainedRate(
  lab: Lab,
  target: Target,
  rates: readonly number[],
  shape: Shape,
): Promise<number | undefined> {
  for (const eventsPerSecond of rates.toReversed()) {
    const found = await lab.attempt(target, { ...shape, eventsPerSecond }, TIMES);
    const proven = keepsUp(found, eventsPerSecond) && lateness(found.report) === undefined;
    if (proven) return eventsPerSecond;
  }
  return undefined;
}
