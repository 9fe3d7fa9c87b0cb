/** Where a CPU profile of V8 (`node --cpu-prof`) spent its time. */

/** As much as is read here of a .cpuprofile; times in microseconds of the monotonic clock. */
export interface CpuProfile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: {
      readonly functionName: string;
      readonly url: string;
      /** From 0. */
      readonly lineNumber: number;
    };
  }[];
  readonly startTime: number;
  readonly endTime: number;
  /** The node in which each sample was taken. */
  readonly samples: readonly number[];
  /** From the one before to each sample; the first one's from the start. */
  readonly timeDeltas: readonly number[];
}

export interface Window {
  readonly fromMicros: number;
  readonly toMicros: number;
}

/** Time in the function itself, without what it calls. */
export interface SelfTime {
  readonly name: string;
  /** File and line, the file from dist/ or its package on. */
  readonly place: string;
  readonly micros: number;
}

/** Microseconds by what was going on; they add up to the window, or the profile's part of it. */
export interface ProfileSummary {
  readonly idle: number;
  readonly garbageCollection: number;
  /** Native code that JavaScript does not call by a name of its own. */
  readonly program: number;
  readonly javaScript: number;
  /** Of JavaScript, greatest first. */
  readonly functions: readonly SelfTime[];
  /** The same by file of ours, package, or module of Node.js. */
  readonly modules: readonly { readonly name: string; readonly micros: number }[];
}

type Frame = CpuProfile['nodes'][number]['callFrame'];

/** Native functions that are called by name: of V8, Node.js and addons. */
export const NATIVE = '(native function)';

/** @param window what counts; all of the profile if there is none */
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

/** Microseconds by node: a sample stands for the time until the next one. */
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

/** A package's files are one module. */
function moduleOf(file: string): string {
  if (/^(dist\/|node:|\()/.test(file)) return file;
  return /^(?:@[^/]+\/)?[^/]+/.exec(file)?.[0] ?? file;
}
