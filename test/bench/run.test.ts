import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { after, test } from 'node:test';
import { Child } from '../primary/fixtures/child.ts';

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

test('an unknown scenario, or none: which there are, before anything starts', async () => {
  const [unknown, none] = await Promise.all([bench('nope'), bench()]);
  assert.deepEqual([unknown.code, unknown.stdout], [2, '']);
  assert.match(unknown.stderr, /^bench: no scenario "nope"; there are:\n {2}tutorial .*1 min\n/);
  assert.deepEqual([none.code, none.stdout], [2, '']);
  assert.match(none.stderr, /^bench: name a scenario; there are:\n/);
  const recipe = execFileSync('make', ['--dry-run', 'bench', 'SCENARIO=nope'], {
    encoding: 'utf8',
  });
  assert.doesNotMatch(recipe, /cli\.ts up/, 'Kafka is the scenario’s matter');
});

test('README.md and the Makefile name every scenario', async () => {
  const { stderr } = await bench();
  const names = [...stderr.matchAll(/^ {2}([a-z-]+) /gm)].map(([, name]) => name!);
  assert(names.length >= 2);
  for (const file of ['README.md', 'Makefile']) {
    const text = readFileSync(file, 'utf8');
    for (const name of names) assert(text.includes(name), `${file} does not name ${name}`);
  }
});
