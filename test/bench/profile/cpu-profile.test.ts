import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { type CpuProfile, summarize } from '../../../bench/profile/cpu-profile.ts';

const MODULES = 'file:///somewhere/node_modules';
const FRAMES: readonly [string, string, number][] = [
  ['(root)', '', -1],
  ['(idle)', '', -1],
  ['(garbage collector)', '', -1],
  ['(program)', '', -1],
  ['append', 'file:///somewhere/dist/worker/lane.js', 9],
  ['append', 'file:///somewhere/dist/worker/lane.js', 9],
  ['', 'file:///somewhere/dist/worker/lane.js', 19],
  ['parse', `${MODULES}/ajv/dist/core.js`, 0],
  ['crc', `${MODULES}/@node-rs/crc32/index.js`, 4],
  ['writev', '', -1],
  ['emit', 'node:events', 99],
];

/** One sample per entry: frame and duration. Starts at 1000. */
function profileOf(...entries: [frame: number, micros: number][]): CpuProfile {
  const lengths = entries.map(([, micros]) => micros);
  const endTime = 1000 + lengths.reduce((sum, micros) => sum + micros, 0);
  return {
    nodes: FRAMES.map(([functionName, url, lineNumber], index) => {
      return { id: index + 1, callFrame: { functionName, url, lineNumber } };
    }),
    startTime: 1000,
    endTime,
    samples: entries.map(([frame]) => frame + 1),
    timeDeltas: [0, ...lengths.slice(0, -1)],
  };
}

test('time is split into idle, garbage collection, native code and JavaScript', () => {
  const found = summarize(profileOf([0, 1], [1, 10], [2, 20], [3, 30], [4, 40], [1, 5]));
  const { idle, garbageCollection, program, javaScript } = found;
  assert.deepEqual(
    { idle, garbageCollection, program, javaScript },
    {
      ...{ idle: 15, garbageCollection: 20, program: 31, javaScript: 40 },
    },
  );
});

test('the time of a function is summed over its callers, in descending order', () => {
  const { functions } = summarize(profileOf([10, 10], [4, 10], [6, 50], [5, 20], [9, 5]));
  assert.deepEqual(functions, [
    { name: '(anonymous)', place: 'dist/worker/lane.js:20', micros: 50 },
    { name: 'append', place: 'dist/worker/lane.js:10', micros: 30 },
    { name: 'emit', place: 'node:events:100', micros: 10 },
    { name: 'writev', place: '(native function)', micros: 5 },
  ]);
});

test('a module is a source file, a package, or a Node.js module', () => {
  const { modules, functions } = summarize(
    profileOf([4, 1], [6, 2], [7, 10], [8, 20], [9, 30], [10, 40]),
  );
  assert.deepEqual(
    modules.map(({ name, micros }) => [name, micros]),
    [
      ['node:events', 40],
      ['(native function)', 30],
      ['@node-rs/crc32', 20],
      ['ajv', 10],
      ['dist/worker/lane.js', 3],
    ],
  );
  assert(functions.some(({ place }) => place === 'ajv/dist/core.js:1'));
});

test('only the window counts, including partial samples at its ends', () => {
  const profile = profileOf([1, 100], [4, 100], [2, 100]);
  const found = summarize(profile, { fromMicros: 1050, toMicros: 1210 });
  assert.deepEqual([found.idle, found.javaScript, found.garbageCollection], [50, 100, 10]);
  const beyond = summarize(profile, { fromMicros: 5000, toMicros: 6000 });
  assert.deepEqual([beyond.idle, beyond.javaScript, beyond.functions], [0, 0, []]);
});

test('Node.js writes the fields used here, on the clock of process.hrtime', () => {
  const folder = mkdtempSync(join(tmpdir(), 'forebay-profile-'));
  try {
    const begin = Number(process.hrtime.bigint() / 1000n);
    const busy =
      'function busy() { const end = Date.now() + 200; while (Date.now() < end); } busy()';
    execFileSync(process.execPath, ['--cpu-prof', `--cpu-prof-dir=${folder}`, '-e', busy]);
    const end = Number(process.hrtime.bigint() / 1000n);
    const [name] = readdirSync(folder);
    const profile = JSON.parse(readFileSync(join(folder, name!), 'utf8')) as CpuProfile;
    assert(profile.startTime > begin && profile.endTime < end);
    const { functions } = summarize(profile);
    assert.equal(functions[0]?.name, 'busy');
    assert(functions[0].micros > 100_000 && functions[0].micros < 1_000_000);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
