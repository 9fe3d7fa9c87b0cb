// The part of `npm run build` that the compiler does not do: the page's own files, and a command
// that can be run.
import { chmodSync, cpSync, existsSync } from 'node:fs';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';

const fromRoot = (path) => fileURLToPath(new URL(`../${path}`, import.meta.url));

cpSync(fromRoot('src/page'), fromRoot('dist/page'), {
  recursive: true,
  filter: (source) => extname(source) !== '.ts',
});

const command = fromRoot('dist/main.js');
if (existsSync(command)) chmodSync(command, 0o755);
