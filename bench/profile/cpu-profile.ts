/** Analysis of a V8 CPU profile (`node --cpu-prof`). */

/** Part of a .cpuprofile that is used here; times in microseconds of the monotonic clock. */
export interface CpuProfile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: {
      readonly functionName: string;
      readonly url: string;
      /** Starts at 0. */
      readonly lineNumber: number;
    };
  }[];
  readonly startTime: number;
  readonly endTime: number;
  /** Node of each sample. */
  readonly samples: readonly number[];
  /** Time since the previous sample; for the first one since the start. */
  readonly timeDeltas: readonly number[];
}

export interface Window {
  readonly fromMicros: number;
  readonly toMicros: number;
}

/** Time in a function itself, without its callees. */
export interface SelfTime {
  readonly name: string;
  /** File and line; the file relative to dist/ or its package. */
  readonly place: string;
  readonly micros: number;
}

/** Microseconds by activity; the sum is the window, or the profile's part of it. */
export interface ProfileSummary {
  readonly idle: number;
  readonly garbageCollection: number;
  /** Native code without a name of its own in the profile. */
  readonly program: number;
  readonly javaScript: number;
  /** JavaScript functions in descending order. */
  readonly functions: readonly SelfTime[];
  /** JavaScript time by source file, package, or Node.js module. */
  readonly modules: readonly { readonly name: string; readonly micros: number }[];
}

type Frame = CpuProfile['nodes'][number]['callFrame'];

/** Named native functions of V8, Node.js and addons. */
export const NATIVE = '(native function)';

/** @param window part of the profile that counts; default: all of it */
export function summarize(profile: CpuProfile, window?: Window): ProfileSummary {
  const { startTime, endTime } = profile;
  const [from, to] = [window?.fromMicros ?? startTime, window?.toMicros ?? endTime];
  const kinds = { idle: 0, garbageCollection: 0, program: 0, javaScript: 0 };
  const functions = new Map<string, SelfTime>();
  const modules = new Map<string, number>();
  const frames = new Map(profile.nodes.map(({ id, callFrame }) => [id, callFrame]));
  for (const [id, micros] of timesOf(profile, from, to)) {
    const frame = frames.get(id)!;
    const kind = kindOf(frame);
    kinds[kind] += micros;
    if (kind !== 'javaScript') continue;
    const file = fileOf(frame);
    const name = frame.functionName || '(anonymous)';
    const place = frame.url === '' ? file : `${file}:${frame.lineNumber + 1}`;
    const key = `${place} ${name}`;
    functions.set(key, { name, place, micros: micros + (functions.get(key)?.micros ?? 0) });
    const module = moduleOf(file);
    modules.set(module, micros + (modules.get(module) ?? 0));
  }
  return {
    ...kinds,
    functions: [...functions.values()].sort((a, b) => b.micros - a.micros),
    modules: [...modules]
      .map(([name, micros]) => ({ name, micros }))
      .sort((a, b) => b.micros - a.micros),
  };
}

/** Returns microseconds by node: a sample counts until the next one. */
function timesOf(profile: CpuProfile, from: number, to: number): Map<number, number> {
  const times = new Map<number, number>();
  let at = profile.startTime;
  profile.samples.forEach((id, index) => {
    at += profile.timeDeltas[index]!;
    const delta = profile.timeDeltas[index + 1];
    const end = delta === undefined ? profile.endTime : at + delta;
    const micros = Math.min(end, to) - Math.max(at, from);
    if (micros > 0) times.set(id, (times.get(id) ?? 0) + micros);
  });
  return times;
}

function kindOf({ functionName }: Frame): 'idle' | 'garbageCollection' | 'program' | 'javaScript' {
  if (functionName === '(idle)') return 'idle';
  if (functionName === '(garbage collector)') return 'garbageCollection';
  if (functionName === '(program)' || functionName === '(root)') return 'program';
  return 'javaScript';
}

function fileOf({ url }: Frame): string {
  if (url === '') return NATIVE;
  // Packages may have a dist/ of their own.
  const theirs = /^file:.*\/node_modules\/(.+)$/.exec(url)?.[1];
  return theirs ?? /^file:.*\/(dist\/.+)$/.exec(url)?.[1] ?? url.replace(/^file:.*\//, '');
}

/** Files of a package form one module. */
function moduleOf(file: string): string {
  if (/^(dist\/|node:|\()/.test(file)) return file;
  return /^(?:@[^/]+\/)?[^/]+/.exec(file)?.[0] ?? file;
}
