import type { OutageNotice } from '../ipc.ts';
import type { CurrentOutage } from './outage.ts';

/** Outage as workers and the live view show it. */
export function noticeOf(outage: CurrentOutage | undefined): OutageNotice | undefined {
  if (outage === undefined) return undefined;
  const { scope, effect, reason, sinceMs } = outage;
  return { scope, effect, reason, sinceMs: Math.round(performance.timeOrigin + sinceMs) };
}

/** Ignores a changed reason: it would notify readers repeatedly. */
export function sameNotice(a: OutageNotice | undefined, b: OutageNotice | undefined): boolean {
  return a?.scope === b?.scope && a?.sinceMs === b?.sinceMs;
}
