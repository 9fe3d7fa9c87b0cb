/**
 * `npm run build`, after the type check: compiles src/ to dist/, and for tests the modules of the
 * client library, which ships as one file, to build/client/.
 */
import { chmodSync, cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { emit, prune, typescriptFiles } from './emit.ts';
import { buildKernel } from './kernel.ts';
import { writeManifest } from './manifest.ts';
import { runbookPage } from './runbook.ts';

process.chdir(fileURLToPath(new URL('../..', import.meta.url)));
const CLIENT = { entry: 'src/client/client.ts', bundle: 'dist/client/client.js' };
/** The analyzer of regular expressions, without the programs that its package brings. */
const ANALYZER = { folder: 'node_modules/recheck', bundle: 'dist/vendor/recheck.cjs' };
const PAGES = ['page', 'primary/live-view', 'primary/tail'];

// Until the end of this build, the source of dist/ is unknown.
rmSync('dist/.built', { force: true });
mkdirSync('dist', { recursive: true });

const isClient = (path: string) => path.startsWith(join('src/client/'));
const files = typescriptFiles('src');
const scripts = await emit(
  files.filter((path) => !isClient(path)),
  'src',
  'dist',
);
await emit(files.filter(isClient), 'src/client', 'build/client');
await buildKernel('dist/worker/decoder/kernel/kernel.wasm');
await build({
  entryPoints: [CLIENT.entry],
  outfile: CLIENT.bundle,
  bundle: true,
  minify: true,
  format: 'esm',
  target: 'es2022',
  logLevel: 'warning',
});
await build({
  entryPoints: [`${ANALYZER.folder}/lib/browser.js`],
  outfile: ANALYZER.bundle,
  minify: true,
  platform: 'node',
  format: 'cjs',
  logLevel: 'warning',
});
cpSync(`${ANALYZER.folder}/LICENSE`, `${ANALYZER.bundle}.LICENSE`);
for (const page of PAGES) rmSync(`dist/${page}/static`, { recursive: true, force: true });
prune('dist', [...scripts, CLIENT.bundle]);
for (const page of PAGES) {
  cpSync(`src/${page}`, `dist/${page}`, {
    recursive: true,
    filter: (source) => extname(source) !== '.ts',
  });
}
for (const name of ['openapi', 'asyncapi']) {
  cpSync(`docs/${name}.yaml`, `dist/specs/${name}.yaml`);
}
writeFileSync('dist/runbook.html', runbookPage(readFileSync('docs/operations.md', 'utf8')));
chmodSync('dist/main.js', 0o755);
writeManifest('.');
