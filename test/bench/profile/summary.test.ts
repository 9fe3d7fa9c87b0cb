import assert from 'node:assert/strict';
import { test } from 'node:test';
import { summaryText } from '../../../bench/profile/summary.ts';

const measured = {
  setup: '1,000 events/s',
  windowMs: 2_000,
  events: 2_000,
  mainCpuMs: 40,
  cpuMs: 50,
  refused: 1_200,
  mostMiB: new Map([
    ['forebay_buffer_bytes', 16],
    ['resident', 90.26],
  ]),
};
const profile = {
  idle: 1_970_000,
  garbageCollection: 2_000,
  program: 4_000,
  javaScript: 24_000,
  functions: [{ name: 'append', place: 'dist/lane.js:10', micros: 20_000 }],
  modules: [{ name: 'dist/lane.js', micros: 24_000 }],
};

/** Rows of the text, with blanks between columns collapsed. */
function rows(text: string): string[] {
  return text.split('\n').map((line) => line.replaceAll(/ {2,}/g, ' | '));
}

test('shares refer to the CPU time counted by the kernel, with the cost per event', () => {
  const text = rows(summaryText(profile, measured));
  for (const row of [
    '2.0 s, 2,000 events acknowledged',
    'main thread: 20.00 us of CPU per event, profiler included',
    'other threads: 5.00 us of CPU per event',
    'rejected: 1,200 events',
    'maximum, MiB: forebay_buffer_bytes 16.0, resident 90.3',
    'JavaScript, native functions it calls by name | 60% | 12.00',
    'garbage collection | 5% | 1.00',
    'native code (program) | 10% | 2.00',
    'native code and kernel while the profile says idle | 25% | 5.00',
    'dist/lane.js | 60% | 12.00',
    'append | dist/lane.js:10 | 50% | 10.00',
  ]) {
    assert(text.includes(row), `${row} is not in\n${text.join('\n')}`);
  }
});

test('tables have up to 30 rows', () => {
  const functions = Array.from({ length: 40 }, (_, i) => {
    return { name: `f${i}`, place: 'dist/lane.js:10', micros: 100 };
  });
  const modules = functions.map(({ name }) => ({ name: `dist/${name}.js`, micros: 100 }));
  const text = summaryText({ ...profile, functions, modules }, measured);
  assert.match(text, /^f29 .*$/m);
  assert.doesNotMatch(text, /f30/);
});

test('a profile with more time than the kernel counted yields no negative values', () => {
  const text = rows(summaryText(profile, { ...measured, mainCpuMs: 20 }));
  assert(text.includes('JavaScript, native functions it calls by name | 80% | 12.00'));
  assert(text.includes('native code and kernel while the profile says idle | 0% | 0.00'));
});
