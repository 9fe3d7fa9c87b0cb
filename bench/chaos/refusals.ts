import { statsOf } from '../report/stats.ts';
import type { World } from './world.ts';

/** What was refused is to be answered as soon. */
const REFUSAL_MS_MAX = 50;

/** How long it took to hear that nothing of a body was taken. @throws when there was none */
export function measureRefusals(world: World): void {
  const whole = world.traffic.http.refusals.filter(
    ({ accepted, errors }) => accepted === 0 && errors.every(({ code }) => code === 'buffer_full'),
  );
  if (whole.length === 0) throw new Error('no body was refused: there was no overload');
  const { median } = statsOf(whole.map(({ ms }) => ms));
  world.measured('bodies refused', '', whole.length);
  world.measured('answer to a body that is refused', 'ms', median, { most: REFUSAL_MS_MAX });
}
