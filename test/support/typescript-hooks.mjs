/** Load hook of typescript.mjs. */
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

const CACHE = fileURLToPath(new URL('../../build/typescript/', import.meta.url));
const OPTIONS = {
  loader: 'ts',
  format: 'esm',
  target: 'es2023',
  supported: { 'import-attributes': true },
  tsconfigRaw: { compilerOptions: { verbatimModuleSyntax: true, useDefineForClassFields: true } },
  sourcemap: 'inline',
  sourcesContent: false,
};
const SALT = `${JSON.stringify(OPTIONS)}\0`;

export function load(url, context, nextLoad) {
  if (!/^file:.*\.ts([?#]|$)/.test(url)) return nextLoad(url, context);
  const path = fileURLToPath(url);
  return { format: 'module', source: script(path, readFileSync(path)), shortCircuit: true };
}

/** Returns the script of a TypeScript file, from the cache if this text was compiled before. */
function script(sourcefile, text) {
  const key = createHash('sha256').update(`${SALT}${sourcefile}\0`).update(text).digest('hex');
  const cached = `${CACHE}${key}.js`;
  try {
    return readFileSync(cached, 'utf8');
  } catch {
    const { transformSync } = createRequire(import.meta.url)('esbuild');
    const { code } = transformSync(text.toString(), { ...OPTIONS, sourcefile });
    mkdirSync(CACHE, { recursive: true });
    // Other processes may read and write it meanwhile.
    const own = `${cached}.${process.pid}`;
    writeFileSync(own, code);
    renameSync(own, cached);
    return code;
  }
}
