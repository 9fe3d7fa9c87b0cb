import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { missedGoals, outcomeText } from '../../../bench/chaos/format.ts';
import type { Outcome } from '../../../bench/chaos/outcome.ts';
import { chaosMarkdown, writeChaosReport } from '../../../bench/chaos/report.ts';
import { loadOutcomes, saveOutcome } from '../../../bench/chaos/results-store.ts';
import { ROOT } from '../../../deploy/kafka/jars.ts';
import { facts } from '../report/run-of.ts';
import { outcomeOf } from './outcome-of.ts';

const first = outcomeOf('first', {
  setup: { workers: 2, proxied: true, env: { FOREBAY_BUFFER_BYTES: '1', LD_PRELOAD: '/x' } },
  schedule: [
    { seconds: 1.5, what: 'broker 1 killed' },
    { seconds: 4, what: 'SIGHUP' },
    { seconds: 8.1, what: 'SIGHUP' },
  ],
  figures: [
    { name: 'back after', unit: 'ms', values: [10, 20, 2_100], goal: { most: 2_000 } },
    { name: 'kills', unit: '', values: [3] },
  ],
});
const second = outcomeOf('second', {
  facts: { ...facts, commit: 'def5678', clean: false, date: '2026-02-01 12:00', cores: 8 },
  problems: ['2 events acknowledged but not stored', `see ${ROOT}/bench/out`],
});
const both = new Map([first, second].map((outcome) => [outcome.name, outcome]));
const named = [
  { name: 'second', summary: '' },
  { name: 'first', summary: '' },
  { name: 'third', summary: '' },
];

test('the report lists scenarios in order, and names those without a run', () => {
  const text = chaosMarkdown(named, both);
  assert(text.indexOf('## second') < text.indexOf('## first'));
  assert.match(text, /^Not run: third\.$/m);
  assert.match(text, /^\| passed \| 1 of 2 \|$/m);
  assert.match(
    text,
    /^\| \[first\]\(#first\) \| 1,000 \| 800 \| 100 \| 900 \| 0 \| 0 \| 0 \| passed \|$/m,
  );
  assert.match(text, /^\| \[second\].* \| \*\*failed\*\* \|$/m);
  assert.match(text, /^\* 2 events acknowledged but not stored$/m);
});

test('each section has its own commit and date, and marks another machine', () => {
  const text = chaosMarkdown(named, both);
  assert.match(text, /Commit def5678 with changes, 2026-02-01 12:00 UTC\.$/m);
  assert.match(text, /Commit abc1234, 2026-01-31 12:00 UTC on another machine\.$/m);
});

test('deviations from the default setup are listed; settings of other programs are not', () => {
  const text = chaosMarkdown(named, both);
  assert.match(
    text,
    /^2 workers, fault proxies in front of the brokers, `FOREBAY_BUFFER_BYTES=1`\. 5,000/m,
  );
  assert.doesNotMatch(text, /LD_PRELOAD/);
});

test('the worst value decides about a goal, not the median', () => {
  const text = chaosMarkdown(named, both);
  assert.match(
    text,
    /^\| back after \| 3 \| 20 ms \| 10 ms \| 2,100 ms \| ≤ 2,000 \| \*\*missed\*\* \|$/m,
  );
  assert.match(text, /^Schedule: 1\.5 s broker 1 killed; 4 s, 8\.1 s SIGHUP\.$/m);
  assert.deepEqual(missedGoals(first), ['back after: 2,100 ms']);
  assert.match(outcomeText(first), /^goal missed: back after: 2,100 ms\nfirst: passed$/m);
  assert.match(outcomeText(second), /^violation: 2 events .*\n.*\nsecond: FAILED$/m);
});

test('measurements are a table with a legend, in the report and in the terminal', () => {
  const measurements = { legend: 'Times in ms.', head: ['attack', 'turn'], rows: [['a|b', '12']] };
  const setup = { balanced: true, pinned: true, secure: true, keys: true };
  const measured = outcomeOf('first', { measurements, setup });
  const text = chaosMarkdown(named, new Map([['first', measured]]));
  const rows = ['| attack | turn |', '| --- | ---: |', '| a\\|b | 12 |'];
  assert(text.includes(['Times in ms.', '', ...rows].join('\n')), text);
  assert.match(text, /^Behind HAProxy, the worker on a dedicated core, TLS, API keys\. 5,000/m);
  assert.match(outcomeText(measured), /^Times in ms\.\nattack {2}turn\na\|b {7}12$/m);
});

test('a figure without a value misses its goal', () => {
  const figures: Outcome['figures'] = [
    { name: 'ms', unit: 'ms', values: [Number.NaN], goal: { most: 1 } },
    { name: 'n', unit: '', values: [1], goal: { least: 2 } },
  ];
  assert.equal(missedGoals({ figures }).length, 2);
});

test('the latest outcome of each name is stored, and the report contains no local paths', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'forebay-kept-'));
  t.after(() => rmSync(folder, { recursive: true }));
  assert.throws(() => loadOutcomes(join(folder, 'none')), /^Error: no results: run make chaos$/);
  saveOutcome(outcomeOf('first'), folder);
  saveOutcome(first, folder);
  saveOutcome(second, folder);
  assert.deepEqual(loadOutcomes(folder), both);
  const file = join(folder, 'CHAOS.md');
  writeChaosReport(named, loadOutcomes(folder), file);
  const text = readFileSync(file, 'utf8');
  assert(text.includes('* see bench/out') && !text.includes(ROOT));
});
