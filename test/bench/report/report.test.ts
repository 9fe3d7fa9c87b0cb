import assert from 'node:assert/strict';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { plotSvg } from '../../../bench/report/plot.ts';
import {
  forgetLastRun,
  readLastRun,
  writeReport,
  writeSection,
} from '../../../bench/report/report.ts';
import type { Plot, Result } from '../../../bench/result.ts';
import { ROOT } from '../../../deploy/kafka/jars.ts';
import { facts, ratio } from './run-of.ts';

const folder = mkdtempSync(join(tmpdir(), 'forebay-report-'));
after(() => rmSync(folder, { recursive: true }));

const curve = { name: 'gateway', points: [{ x: 1, y: 2 }] };
const plot: Plot = { file: 'cpu', title: 'CPU', xLabel: 'x', yLabel: 'y', curves: [curve] };
const figures = [ratio('cheap', [2, 1], { most: 3 })];
const result: Result = { setup: 'All at once.', figures, plots: [plot], problems: [] };

test('a run writes its page, its figures and its plots, and removes older plots', () => {
  mkdirSync(join(folder, 'results'));
  writeFileSync(join(folder, 'results/older.svg'), '');
  writeReport(new Map([['sizes', result]]), facts, folder);
  assert.match(readFileSync(join(folder, 'RESULTS.md'), 'utf8'), /^\| cheap \| 1\.5 x .* met \|$/m);
  assert.deepEqual(readdirSync(join(folder, 'results')), ['cpu.svg']);
  assert.equal(readFileSync(join(folder, 'results/cpu.svg'), 'utf8'), plotSvg(plot));
  assert.deepEqual(readLastRun(folder), { facts, results: new Map([['sizes', result]]) });
});

test('a section of its own leaves the suite’s figures and plots', () => {
  const own = { ...result, plots: [{ ...plot, file: 'own' }] };
  writeSection('compression', own, facts, folder);
  assert.deepEqual(readdirSync(join(folder, 'results')), ['cpu.svg', 'own.svg']);
  assert.deepEqual(readLastRun(folder).results, new Map([['sizes', result]]));
  writeReport(new Map([['sizes', result]]), facts, folder);
  assert.deepEqual(readdirSync(join(folder, 'results')), ['cpu.svg', 'own.svg']);
  writeSection('compression', result, facts, folder);
  assert.deepEqual(readdirSync(join(folder, 'results')), ['cpu.svg']);
  const page = readFileSync(join(folder, 'RESULTS.md'), 'utf8');
  assert.deepEqual(page.match(/^##.*$/gm), [
    '## sizes',
    '## Scenarios run by name',
    '### compression',
  ]);
});

test('a forgotten run cannot be read', () => {
  forgetLastRun(folder);
  assert.throws(() => readLastRun(folder), { message: 'no results: run make bench' });
  forgetLastRun(folder);
});

test('the page contains no local paths', () => {
  const problems = [`cannot open ${ROOT}/dist/main.js`];
  writeReport(new Map([['sizes', { ...result, problems }]]), facts, folder);
  const page = readFileSync(join(folder, 'RESULTS.md'), 'utf8');
  assert.match(page, /^\* cannot open dist\/main\.js$/m);
});

test('two plots with one name are an error, and nothing is written', () => {
  const other = join(folder, 'other');
  const results = new Map([
    ['a', result],
    ['b', result],
  ]);
  assert.throws(() => writeReport(results, facts, other), {
    message: 'several plots are named cpu',
  });
  assert(!existsSync(other));
});
