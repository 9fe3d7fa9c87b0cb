import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { ROOT } from '../../deploy/kafka/jars.ts';

/** A folder like the project's, with a cache of its own. */
const project = mkdtempSync(join(tmpdir(), 'forebay-typescript-'));
after(() => rmSync(project, { recursive: true }));
mkdirSync(join(project, 'test/support'), { recursive: true });
symlinkSync(join(ROOT, 'node_modules'), join(project, 'node_modules'));
for (const path of ['typescript.mjs', 'typescript-hooks.mjs']) {
  cpSync(join(ROOT, 'test/support', path), join(project, 'test/support', path));
}

/** Runs `code` as a TypeScript file of the project. */
function run(code: string) {
  writeFileSync(join(project, 'probe.ts'), code);
  const args = ['--enable-source-maps', '--import', './test/support/typescript.mjs', 'probe.ts'];
  return spawnSync(process.execPath, args, { cwd: project, encoding: 'utf8' });
}

const cached = () => readdirSync(join(project, 'build/typescript')).length;

test('a TypeScript file is compiled once for each text of it, and stacks show its lines', () => {
  const first = `interface A {\n  b: 1;\n}\nconst a: A = { b: 1 };\nconsole.log(a.b, new Error('x').stack);`;
  for (let turn = 1; turn <= 2; turn++) {
    const { stdout, stderr } = run(first);
    assert.match(stdout, /^1 Error: x\n +at .*probe\.ts:5:18/, stderr);
    assert.equal(cached(), 1);
  }
  assert.equal(run("const a: string = 'changed'; console.log(a);").stdout, 'changed\n');
  assert.equal(cached(), 2);
});

test('JSON is imported with its attribute', () => {
  writeFileSync(join(project, 'data.json'), '{"a":1}');
  const { stdout, stderr } = run(
    "import data from './data.json' with { type: 'json' }; console.log(data.a as number);",
  );
  assert.equal(stdout, '1\n', stderr);
});

test('a syntax error is named with file and line', () => {
  const { status, stderr } = run('const a: string = "";\nconst = 1;');
  assert.equal(status, 1);
  assert.match(stderr, /probe\.ts:2:6: ERROR/);
});
