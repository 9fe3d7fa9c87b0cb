/** Summary of a CPU profile, for a terminal. */
import { percent } from '../report/number.ts';
import { table } from '../table.ts';
import type { ProfileSummary } from './cpu-profile.ts';

const ROWS_MAX = 30;

export interface Measured {
  /** Description of the load. */
  readonly setup: string;
  readonly windowMs: number;
  /** Events acknowledged in the window. */
  readonly events: number;
  /** CPU that the kernel counted in the window: of the main thread, and of all threads. */
  readonly mainCpuMs: number;
  readonly cpuMs: number;
  /** Events rejected in the whole run. */
  readonly refused: number;
  /** Maximum memory in the whole run by name, MiB. */
  readonly mostMiB: ReadonlyMap<string, number>;
}

/** Shares refer to the main thread's CPU time, without idle time. */
export function summaryText(profile: ProfileSummary, measured: Measured): string {
  const { events, mainCpuMs, cpuMs, windowMs, refused, mostMiB } = measured;
  const mainMicros = mainCpuMs * 1000;
  const seen = profile.javaScript + profile.garbageCollection + profile.program;
  // The profiler counts the loop as idle from its wait until JavaScript runs again, including
  // native code that reads sockets.
  const polled = Math.max(0, mainMicros - seen);
  const share = (micros: number) => percent(micros / Math.max(seen, mainMicros));
  const perEvent = (micros: number) => (micros / events).toFixed(2);
  const cells = (micros: number) => [share(micros), perEvent(micros)];
  const kinds: [string, number][] = [
    ['JavaScript, native functions it calls by name', profile.javaScript],
    ['garbage collection', profile.garbageCollection],
    ['native code (program)', profile.program],
    ['native code and kernel while the profile says idle', polled],
  ];
  const modules = profile.modules.slice(0, ROWS_MAX);
  const functions = profile.functions.slice(0, ROWS_MAX);
  const head = (what: string) => [what, 'share', 'us/event'];
  const own = [
    `${(windowMs / 1000).toFixed(1)} s, ${events.toLocaleString('en-US')} events acknowledged`,
    `main thread: ${perEvent(mainMicros)} us of CPU per event, profiler included`,
    `other threads: ${perEvent((cpuMs - mainCpuMs) * 1000)} us of CPU per event`,
    `rejected: ${refused.toLocaleString('en-US')} events`,
    `maximum, MiB: ${[...mostMiB].map(([name, mib]) => `${name} ${mib.toFixed(1)}`).join(', ')}`,
  ];
  return [
    measured.setup,
    ...own,
    '',
    table(
      head('the main thread’s CPU time'),
      kinds.map(([name, micros]) => [name, ...cells(micros)]),
    ),
    '',
    table(
      head('self time by module'),
      modules.map(({ name, micros }) => [name, ...cells(micros)]),
    ),
    '',
    table(
      head('self time by function'),
      functions.map(({ name, place, micros }) => [`${name}  ${place}`, ...cells(micros)]),
    ),
    '',
  ].join('\n');
}
