import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { after, test } from 'node:test';
import { SCENARIOS } from '../../bench/scenarios.ts';
import { Child } from '../../testing/child.ts';

const children: Child[] = [];
after(async () => {
  for (const child of children) await child.kill();
});

async function bench(...args: string[]) {
  const child = new Child('bench/run.ts', args, {});
  children.push(child);
  const { code } = await child.ended;
  return { code, stdout: child.stdout, stderr: child.stderr };
}

test('an unknown scenario or an extra argument lists the scenarios, before anything starts', async () => {
  const [unknown, two] = await Promise.all([bench('nope'), bench('single', 'batched')]);
  assert.deepEqual([unknown.code, unknown.stdout], [2, '']);
  assert.match(unknown.stderr, /^bench: no scenario "nope"; available:\n {2}single .*2 min\n/);
  assert.deepEqual([two.code, two.stdout], [2, '']);
  assert.match(two.stderr, /^bench: single takes no arguments; available:\n/);
  const recipe = execFileSync('make', ['--dry-run', 'bench', 'SCENARIO=nope'], {
    encoding: 'utf8',
  });
  assert.doesNotMatch(recipe, /cli\.ts up/, 'Kafka is the scenario’s matter');
});

test('README.md names every scenario', () => {
  const text = readFileSync('README.md', 'utf8');
  for (const { name } of SCENARIOS) assert.match(text, new RegExp(`[ =]${name}\\b`));
});

test('scenario names are unique and need no quoting in a shell', () => {
  const names = SCENARIOS.map(({ name }) => name);
  assert.equal(new Set(names).size, names.length);
  for (const name of names) assert.match(name, /^[a-z]+(-[a-z0-9]+)*$/);
});
