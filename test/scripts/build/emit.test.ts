import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { emit, prune, typescriptFiles } from '../../../scripts/build/emit.ts';

/** A folder with these files, by path; removed at the end of the test. */
function folderOf(t: { after(done: () => void): void }, files: Readonly<Record<string, string>>) {
  const folder = mkdtempSync(join(tmpdir(), 'forebay-emit-'));
  t.after(() => rmSync(folder, { recursive: true }));
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
  return folder;
}

/** Compiles `text`. @returns the script's path */
async function emitted(t: { after(done: () => void): void }, text: string): Promise<string> {
  const folder = folderOf(t, { 'src/a.ts': text, 'package.json': '{"type":"module"}' });
  await emit([join(folder, 'src/a.ts')], join(folder, 'src'), join(folder, 'dist'));
  return join(folder, 'dist/a.js');
}

test('the parentheses of a class that a cast call returns are kept', async (t) => {
  const script = await emitted(
    t,
    `class Made {}
     const load = (name: string): unknown => ({ [name]: Made });
     export const direct = new (load('Made') as { Made: typeof Made }).Made();
     export const called = new (load('Made') as { Made: typeof Made })['Made']();
     export const checked = (load('Made') satisfies unknown) !== undefined;
     export const optional = (load('Made') as { Made?: typeof Made }).Made?.name;`,
  );
  const module = (await import(script)) as {
    direct: object;
    called: object;
    optional: string;
  };
  assert.equal(module.direct.constructor.name, 'Made');
  assert.equal(module.called.constructor.name, 'Made');
  assert.equal(module.optional, 'Made');
});

test('relative imports of TypeScript become those of JavaScript, in any form', async (t) => {
  const script = await emitted(
    t,
    `import './effect.ts';
     import { a } from "./a.ts";
     import type { Gone } from './gone.ts';
     import { type Also, b } from '../b/b.ts';
     import assets from './assets.js';
     import pack from 'a-package/file.ts';
     export * from './all.ts';
     export { c } from './c.ts';
     export const later = () => import('./later.ts');
     export const text = "import './text.ts'";
     export const used: Gone | Also = [a, b, assets, pack] as never;`,
  );
  const code = readFileSync(script, 'utf8');
  const specifiers = [...code.matchAll(/["']([^"']*\.(?:ts|js))["']/g)].map(([, name]) => name);
  assert.deepEqual(specifiers.sort(), [
    '../b/b.js',
    './a.js',
    './all.js',
    './assets.js',
    './c.js',
    './effect.js',
    './later.js',
    './text.ts',
    'a-package/file.ts',
  ]);
});

test('a syntax error names its file', async (t) => {
  const folder = folderOf(t, { 'src/wrong.ts': 'const = 1;' });
  const emitting = emit([join(folder, 'src/wrong.ts')], join(folder, 'src'), join(folder, 'out'));
  await assert.rejects(emitting, /wrong\.ts:1:6: ERROR/);
});

test('a script without a source is deleted with its map; AssemblyScript is not compiled; other files stay', async (t) => {
  const folder = folderOf(t, {
    'src/deep/a.ts': 'export const a = 1;',
    'src/types.d.ts': 'export type A = 1;',
    'src/deep/assembly/b.ts': 'export const b: i32 = 1;',
    'dist/old.js': '',
    'dist/old.js.map': '',
    'dist/deep/sbom.json': '{}',
  });
  const sources = typescriptFiles(join(folder, 'src'));
  const scripts = await emit(sources, join(folder, 'src'), join(folder, 'dist'));
  prune(join(folder, 'dist'), scripts);
  const there = (path: string) => existsSync(join(folder, 'dist', path));
  assert.deepEqual([there('deep/a.js'), there('deep/a.js.map')], [true, true]);
  assert.deepEqual(['old.js', 'old.js.map', 'types.js', 'deep/assembly/b.js'].map(there), [
    false,
    false,
    false,
    false,
  ]);
  assert(there('deep/sbom.json'));
});
