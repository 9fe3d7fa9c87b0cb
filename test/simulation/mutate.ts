/** Runs the simulation on copies of dist/ with changed sources. */
import { spawn } from 'node:child_process';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { emit, typescriptFiles } from '../../scripts/build/emit.ts';
import type { Mutant } from './mutants.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

export interface Catch {
  /** Seed that showed the defect; undefined = none did. */
  readonly seed: number | undefined;
  /** Complete output of the simulation. */
  readonly output: string;
}

/**
 * Returns the files of `mutant` with its changes, by path below src/.
 *
 * A change names a function, a method or a constant of its file, and code of it. White space
 * matches any white space, and `…` at the end of the code the rest of the statement.
 * @throws Error unless the file has the name, and the name the code, exactly once
 */
export function mutated({ file, changes }: Mutant): ReadonlyMap<string, string> {
  const texts = new Map<string, string>();
  for (const [name, code, replacement, ofFile = file] of changes) {
    const path = join('worker', ofFile);
    const text = texts.get(path) ?? readFileSync(join(ROOT, 'src', path), 'utf8');
    const { start, end } = only(declarations(text, name), `src/${path}`, name);
    const before = text.slice(start, end);
    const spans = [...before.matchAll(pattern(code))];
    const found = only(spans, `src/${path}: ${name}`, code);
    const after = before.replace(found[0], () => replacement);
    texts.set(path, text.slice(0, start) + after + text.slice(end));
  }
  return texts;
}

function only<T>(found: readonly T[], where: string, what: string): T {
  if (found.length !== 1) throw new Error(`${where} has ${found.length} times: ${what}`);
  return found[0]!;
}

/** Finds declarations by the indentation that Biome gives them and their last lines. */
function declarations(text: string, name: string): { start: number; end: number }[] {
  const method = ` {2}(?:async |get )*${escaped(name)}[(<]`;
  const topLevel = `(?:export )?(?:async )?(?:function|const) ${escaped(name)}\\b`;
  const firstLine = new RegExp(`^(?:${method}|${topLevel}).*$`, 'gm');
  return [...text.matchAll(firstLine)].map(({ 0: line, index: start }) => {
    const lastLine = line.startsWith(' ') ? /^ {2}[\])}]+;?$/m : /^[\])}]+;?$/m;
    const length = /[;}]$/.test(line) ? line.length : text.slice(start).search(lastLine);
    return { start, end: start + length };
  });
}

function pattern(code: string): RegExp {
  const [start = '', rest] = code.split(/…$/);
  const tokens = start.split(/\s+/).map(escaped).join('\\s+');
  return new RegExp(rest === undefined ? tokens : `${tokens}[^]*?;$`, 'gm');
}

function escaped(text: string): string {
  return text.replaceAll(/[\\^$.*+?()[\]{}|]/g, '\\$&');
}

/**
 * The simulation and all mutants, compiled once by the emitter of dist/: with tsx, each run would
 * start a second later.
 *
 *   base/      dist/ as src/, test/ and testing/ in JavaScript
 *   in/7/src/  the changed files of mutant 7; out/7/src/ the same in JavaScript
 *   run/7/     base with out/7 over it
 */
export class Laboratory {
  readonly #folder = mkdtempSync(join(tmpdir(), 'forebay-mutants-'));
  readonly #mutants: readonly Mutant[];

  private constructor(mutants: readonly Mutant[]) {
    this.#mutants = mutants;
  }

  static async open(mutants: readonly Mutant[]): Promise<Laboratory> {
    const laboratory = new Laboratory(mutants);
    await laboratory.#compile();
    return laboratory;
  }

  /**
   * Runs seeds 1 to `seeds` with the sources of this tree, changed by `mutant`, until one fails.
   * @param by text that a violation must contain; by default any violation counts
   */
  async hunt(mutant: Mutant, seeds: number, by = '1'): Promise<Catch> {
    const index = String(this.#mutants.indexOf(mutant));
    const folder = this.#path('run', index);
    cpSync(this.#path('base'), folder, { recursive: true });
    cpSync(this.#path('out', index), folder, { recursive: true });
    symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
    const output = await simulate(folder, seeds, by);
    const [, seed] = /^seed (\d+) fails/m.exec(output) ?? [];
    return { seed: seed === undefined ? undefined : Number(seed), output };
  }

  close(): void {
    rmSync(this.#folder, { recursive: true });
  }

  async #compile(): Promise<void> {
    const [base, changed, out] = [this.#path('base'), this.#path('in'), this.#path('out')];
    cpSync(join(ROOT, 'dist'), join(base, 'src'), { recursive: true });
    // Files that the code reads at run time.
    for (const path of ['package.json', 'dist/client/client.js']) {
      cpSync(join(ROOT, path), join(base, path));
    }
    for (const folder of ['test', 'testing']) {
      await emit(typescriptFiles(join(ROOT, folder)), ROOT, base);
    }
    const files = this.#mutants.flatMap((mutant, index) =>
      [...mutated(mutant)].map(([path, text]) => {
        const file = join(changed, String(index), 'src', path);
        mkdirSync(dirname(file), { recursive: true });
        writeFileSync(file, text);
        return file;
      }),
    );
    await emit(files, changed, out);
  }

  #path(...parts: string[]): string {
    return join(this.#folder, ...parts);
  }
}

function simulate(folder: string, seeds: number, by: string): Promise<string> {
  const child = spawn(process.execPath, ['test/simulation/main.js'], {
    cwd: folder,
    env: { ...process.env, SEEDS: String(seeds), UNTIL_FAILURE: by },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      output += chunk;
    });
  }
  return new Promise((resolve) => {
    child.once('close', () => resolve(output));
  });
}
