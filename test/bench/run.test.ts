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

function bench(...args: string[]) {
  return benchWith({}, ...args);
}

async function benchWith(env: Readonly<Record<string, string>>, ...args: string[]) {
  const child = new Child('bench/run.ts', args, env);
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

test('a scenario that compares commits names a missing or unknown one before anything starts', async () => {
  const [none, empty, unknown] = await Promise.all([
    bench('against'),
    benchWith({ COMMIT: '' }, 'against'),
    benchWith({ COMMIT: 'no-such-branch' }, 'against'),
  ]);
  const hint = 'bench: against compares with a commit: make bench SCENARIO=against COMMIT=HEAD~1\n';
  for (const run of [none, empty])
    assert.deepEqual([run.code, run.stdout, run.stderr], [2, '', hint]);
  assert.deepEqual([unknown.code, unknown.stdout], [2, '']);
  assert.match(unknown.stderr, /^bench: COMMIT must be a commit of .*, not "no-such-branch"\n$/);
  const recipe = execFileSync('make', ['--dry-run', 'bench', 'SCENARIO=against', 'COMMIT=HEAD~1'], {
    encoding: 'utf8',
  });
  assert.match(recipe, /COMMIT='HEAD~1' exec .* bench\/run\.ts against/);
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
