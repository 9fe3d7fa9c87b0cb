import { statsOf } from '../report/stats.ts';
import type { World } from './world.ts';

/** Bound of the response time of a rejected body. */
const REJECTION_MS_MAX = 50;

/** Measures the response time of entirely rejected bodies. @throws if there was none */
export function measureRejections(world: World): void {
  const whole = world.traffic.http.refusals.filter(
    ({ accepted, errors }) => accepted === 0 && errors.every(({ code }) => code === 'buffer_full'),
  );
  if (whole.length === 0) throw new Error('no body was rejected: no overload');
  const { median } = statsOf(whole.map(({ ms }) => ms));
  world.measured('bodies rejected', '', whole.length);
  world.measured('response time of a rejected body', 'ms', median, { most: REJECTION_MS_MAX });
}
