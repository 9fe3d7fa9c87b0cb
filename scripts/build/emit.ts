/**
 * Compiler of TypeScript for dist/, for the modules of the client library in tests, and for the
 * mutants of the simulation. tsc only checks types.
 */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, relative, resolve, sep } from 'node:path';
import { init, parse } from 'es-module-lexer';
import { type TransformOptions, transform } from 'esbuild';

/** Target and module format; the rest of tsconfig.json concerns types. */
const OPTIONS: TransformOptions = {
  loader: 'ts',
  format: 'esm',
  target: 'es2023',
  tsconfigRaw: { compilerOptions: { verbatimModuleSyntax: true, useDefineForClassFields: true } },
  sourcemap: true,
  sourcesContent: false,
};

/**
 * Compiles each of `files` to one module with a source map, `from/a/b.ts` to `to/a/b.js`.
 * @param files TypeScript files below `from`
 * @returns the written scripts
 * @throws Error with file and line of a syntax error
 */
export async function emit(files: readonly string[], from: string, to: string): Promise<string[]> {
  await init;
  return Promise.all(
    files.map(async (file) => {
      const out = join(to, relative(from, file)).replace(/\.ts$/, '.js');
      mkdirSync(dirname(out), { recursive: true });
      // Path of the source in the map, relative to the map.
      const sourcefile = relative(dirname(resolve(out)), resolve(file));
      const text = readFileSync(file, 'utf8');
      const { code, map } = await transform(text, { ...OPTIONS, sourcefile });
      const link = `//# sourceMappingURL=${basename(out)}.map\n`;
      writeFileSync(out, withJavaScriptImports(code) + link);
      writeFileSync(`${out}.map`, map);
      return out;
    }),
  );
}

/** Replaces relative imports of `.ts` files by those of the compiled `.js` files. */
function withJavaScriptImports(code: string): string {
  let from = 0;
  let text = '';
  for (const { n: name, s: start, e: end, d: dynamic } of parse(code)[0]) {
    if (name === undefined || !/^\.\.?\/.*\.ts$/.test(name)) continue;
    const specifier = name.replace(/\.ts$/, '.js');
    // For a dynamic import the lexer returns the expression, with its quotes.
    text += code.slice(from, start) + (dynamic > -1 ? JSON.stringify(specifier) : specifier);
    from = end;
  }
  return text + code.slice(from);
}

/** Folders of AssemblyScript, whose files have the same suffix. */
const isAssembly = (path: string) => path.split(sep).includes('assembly');

/** Returns the paths of all TypeScript files below `folder`, declarations excluded. */
export function typescriptFiles(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.ts') && !path.endsWith('.d.ts') && !isAssembly(path))
    .map((path) => join(folder, path));
}

/**
 * Deletes scripts and maps of earlier builds below `folder`.
 * @param scripts scripts of this build
 */
export function prune(folder: string, scripts: readonly string[]): void {
  const built = new Set(scripts.map((script) => resolve(script)));
  for (const path of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
    const file = resolve(folder, path);
    if (/\.js(\.map)?$/.test(file) && !built.has(file.replace(/\.map$/, ''))) rmSync(file);
  }
}
