// The part of `npm run build` that the compiler does not do: the pages' own files, the client
// library as one file, the runbook as a page, and a command that can be run.
import { chmodSync, cpSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildSync } from 'esbuild';
import { runbookPage } from './runbook.mjs';

const fromRoot = (path) => fileURLToPath(new URL(`../${path}`, import.meta.url));

for (const folder of ['page', 'primary/live-view']) {
  cpSync(fromRoot(`src/${folder}`), fromRoot(`dist/${folder}`), {
    recursive: true,
    filter: (source) => extname(source) !== '.ts',
  });
}

buildSync({
  entryPoints: [fromRoot('src/client/client.ts')],
  outfile: fromRoot('dist/client/client.js'),
  bundle: true,
  minify: true,
  format: 'esm',
  target: 'es2022',
  logLevel: 'warning',
});

const runbook = readFileSync(fromRoot('docs/operations.md'), 'utf8');
writeFileSync(fromRoot('dist/runbook.html'), runbookPage(runbook));

const command = fromRoot('dist/main.js');
if (existsSync(command)) chmodSync(command, 0o755);
