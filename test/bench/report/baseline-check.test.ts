import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkBaseline } from '../../../bench/report/baseline-check.ts';
import { baselineOf } from '../../../bench/report/compare.ts';
import type { Figure } from '../../../bench/result.ts';
import { facts, ratio, runOf } from './run-of.ts';

/** Rows of the table with blanks collapsed, and the line with the counts. */
function listed(recorded: Figure[], now: Figure[]) {
  const { text, passed } = checkBaseline(baselineOf(runOf(...recorded), facts), {
    facts: { ...facts, commit: 'def5678', cores: 4 },
    results: runOf(...now),
  });
  const lines = text.split('\n').map((line) => line.replaceAll(/ {2,}/g, ' | '));
  return { rows: lines.slice(1, lines.indexOf('')), last: lines.at(-1), text, passed };
}

test('a run with one worse figure fails', () => {
  const found = listed(
    [ratio('a', [1, 1]), ratio('b', [2, 2], { least: 2 }), ratio('c', [1, 1])],
    [ratio('a', [1.2, 1.2]), ratio('b', [4, 4], { least: 2 }), ratio('c', [1.02, 1.02])],
  );
  assert.deepEqual(found.rows, [
    'single: a | 1 | 1.2 | +20% | 15% | worse',
    'single: b | 2 | 4 | -50% | 15% | better',
    'single: c | 1 | 1.02 | +2% | 15% | same',
  ]);
  assert.deepEqual([found.passed, found.last], [false, '1 worse, 1 better']);
});

test('better, missing and new figures are listed, and pass', () => {
  const found = listed(
    [ratio('a', [1, 1]), ratio('b', [1, 1])],
    [ratio('a', [0.5, 0.5]), ratio('c', [1, 1])],
  );
  assert.deepEqual(found.rows.slice(1), [
    'single: b | 1 | – | – | – | missing',
    'single: c | – | 1 | – | – | new',
  ]);
  assert.deepEqual([found.passed, found.last], [true, '1 better, 1 missing, 1 new']);
  assert.equal(listed([ratio('a', [1, 1])], [ratio('a', [1, 1])]).last, 'no changes');
});

test('both machines and commits are named', () => {
  const { text } = listed([ratio('a', [1, 1])], [ratio('a', [1, 1])]);
  assert.match(text, /^recorded: abc1234, Some CPU, 2 cores\nnow: {6}def5678, Some CPU, 4 cores$/m);
});
