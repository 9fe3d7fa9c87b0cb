import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { writeReport } from '../../bench/report/report.ts';
import { Child } from '../../testing/child.ts';
import { facts, ratio, runOf } from './report/run-of.ts';

const folder = mkdtempSync(join(tmpdir(), 'forebay-baseline-'));
const children: Child[] = [];
after(async () => {
  for (const child of children) await child.kill();
  rmSync(folder, { recursive: true });
});

/** Runs the command on a last run whose ratio had these values. */
async function baseline(command: 'record' | 'check', values: readonly number[]) {
  writeReport(runOf(ratio('gateway / floor', values, { most: 1.6 })), facts, folder);
  const args = [command, '--last', `--folder=${folder}`];
  const child = new Child('bench/baseline.ts', args, {});
  children.push(child);
  const { code } = await child.ended;
  return { code, stdout: child.stdout, stderr: child.stderr };
}

test('a ratio that is worse than recorded fails the check; noise does not', async () => {
  const none = await baseline('check', [1.5]);
  assert.deepEqual([none.code, none.stdout], [1, '']);
  assert.match(none.stderr, /^bench: no recorded baseline: run make bench-baseline/);
  const recorded = await baseline('record', [1.4, 1.5, 1.6]);
  assert.equal(recorded.code, 0);
  assert.match(recorded.stdout, /^1 figures recorded/);
  const noise = await baseline('check', [1.72, 1.5, 1.65]);
  assert.deepEqual([noise.code, /no changes/.test(noise.stdout)], [0, true], noise.stdout);
  const worse = await baseline('check', [1.72, 1.8, 1.75]);
  assert.deepEqual([worse.code, /1 worse/.test(worse.stdout)], [1, true], worse.stdout);
});

test('invalid arguments print the usage, before anything runs', async () => {
  const rows: [string[], RegExp][] = [
    [[], /expected record or check/],
    [['chek'], /expected record or check/],
    [['check', 'record'], /expected record or check/],
    [['check', '--first'], /unknown option --first/],
    [['check', '--last=3'], /--last takes no value/],
    [['check', '--last', '--folder'], /--folder requires a value/],
    [['check', '--last', '--folder='], /--folder must be a path/],
    [['check', '--folder=bench'], /--folder requires --last/],
  ];
  for (const [args, expected] of rows) {
    const child = new Child('bench/baseline.ts', args, {});
    children.push(child);
    const { code } = await child.ended;
    assert.deepEqual([code, child.stdout], [2, ''], args.join(' '));
    assert.match(child.stderr, /^bench: .*; usage: baseline\.ts record\|check .*\n$/);
    assert.match(child.stderr, expected);
  }
});
