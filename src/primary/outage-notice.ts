import type { OutageNotice } from '../ipc.ts';
import type { CurrentOutage } from './outage.ts';

/** The outage as workers and the live view show it. */
export function noticeOf(outage: CurrentOutage | undefined): OutageNotice | undefined {
  if (outage === undefined) return undefined;
  const { scope, effect, reason, sinceMs } = outage;
  return { scope, effect, reason, sinceMs: Math.round(performance.timeOrigin + sinceMs) };
}

/** Another reason alone makes no new notice: readers would be told again and again. */
export function sameNotice(a: OutageNotice | undefined, b: OutageNotice | undefined): boolean {
  return a?.scope === b?.scope && a?.sinceMs === b?.sinceMs;
}
