import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, beforeEach, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { emit, typescriptFiles } from '../../scripts/build/emit.ts';
import { writeManifest } from '../../scripts/build/manifest.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
/** A built project of two modules with this project's hook. */
const project = mkdtempSync(join(tmpdir(), 'forebay-dist-'));
after(() => rmSync(project, { recursive: true }));

const write = (path: string, text: string) => writeFileSync(join(project, path), text);

beforeEach(async () => {
  rmSync(project, { recursive: true });
  for (const path of ['src/client', 'test/support', 'dist/client']) {
    mkdirSync(join(project, path), { recursive: true });
  }
  symlinkSync(join(ROOT, 'node_modules'), join(project, 'node_modules'));
  for (const path of [
    ...['package.json', 'tsconfig.json', 'tsconfig.client.json', 'scripts/build'],
    ...['test/support/dist.ts', 'test/support/dist-hooks.mjs', 'docs/operations.md'],
    ...['docs/openapi.yaml', 'docs/asyncapi.yaml'],
  ]) {
    cpSync(join(ROOT, path), join(project, path), { recursive: true });
  }
  write(
    'src/a.ts',
    "\n\n\nexport const where = import.meta.url;\nexport const { stack } = new Error('a');",
  );
  for (const path of ['src/client/c.ts', 'src/client/client.ts', 'dist/client/client.js']) {
    write(path, 'export const where = import.meta.url;');
  }
  write('src/static.js', 'export const where = import.meta.url;');
  await emit(typescriptFiles(join(project, 'src')), join(project, 'src'), join(project, 'dist'));
  const client = join(project, 'src/client');
  await emit(typescriptFiles(client), client, join(project, 'build/client'));
  cpSync(join(project, 'src/static.js'), join(project, 'dist/static.js'));
  writeManifest(project);
});

/** Runs `code` as a test file of the project, with the hook. */
function run(code: string) {
  write('test/probe.ts', code);
  const args = ['--import', 'tsx', '--import', './test/support/dist.ts', 'test/probe.ts'];
  return spawnSync(process.execPath, args, { cwd: project, encoding: 'utf8' });
}

test('what a test imports of src/ is what is built, static and dynamic', () => {
  const { stdout, stderr } = run(`
    import { where } from '../src/a.ts';
    const { where: dynamic } = await import('../src/a.ts');
    const { where: second } = await import('../src/a.ts?second');
    const { where: page } = await import('../src/static.js');
    const { where: client } = await import('../src/client/client.ts');
    const { where: inner } = await import('../src/client/c.ts');
    console.log([where, dynamic, second, page, client, inner].join('\\n'));`);
  const paths = [
    'dist/a.js',
    'dist/a.js',
    'dist/a.js?second',
    'dist/static.js',
    'dist/client/client.js',
    'build/client/c.js',
  ];
  const found = stdout
    .trim()
    .split('\n')
    .map((url) => url.slice(url.indexOf(project) + project.length + 1));
  assert.deepEqual(found, paths, stderr);
});

test('a stack shows the lines of src/', () => {
  const { stdout, stderr } = run("import { stack } from '../src/a.ts'; console.log(stack);");
  assert.match(stdout, /src\/a\.ts:5:/, stderr);
});

test('a source changed, added or deleted after the build aborts the run and is named', () => {
  const refused = (expected: string) => {
    const { status, stderr, stdout } = run("console.log('ran');");
    assert.deepEqual([status, stdout], [2, '']);
    assert.equal(stderr, `test: dist/ ${expected}; run make build\n`);
  };
  assert.equal(run("console.log('ran');").stdout, 'ran\n');
  write('src/a.ts', 'export const where = 1;');
  refused('is older than src/a.ts');
  write('src/new.ts', '');
  refused('is older than src/a.ts, src/new.ts');
  writeManifest(project);
  rmSync(join(project, 'src/new.ts'));
  refused('is older than src/new.ts');
  rmSync(join(project, 'dist/.built'));
  refused('is not built');
});
