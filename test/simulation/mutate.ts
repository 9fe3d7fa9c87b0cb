/** Runs the simulation on copies of the sources in which texts were replaced. */
import { execFileSync, spawn } from 'node:child_process';
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
import type { Mutant } from './mutants.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const TSC = join(ROOT, 'node_modules/.bin/tsc');
/** What the code reads beside itself. */
const ASSETS = ['package.json', 'src/page/static', 'dist/client/client.js'];

export interface Catch {
  /** Seed that showed the defect; undefined = none of them did. */
  readonly seed: number | undefined;
  /** All that the simulation said. */
  readonly output: string;
}

/**
 * The files of `mutant`, by path below src/, with its changes.
 * @throws Error when a text is not there exactly once
 */
export function mutated({ file, changes }: Mutant): ReadonlyMap<string, string> {
  const texts = new Map<string, string>();
  for (const [from, to, path = file] of changes) {
    const text = texts.get(path) ?? readFileSync(join(ROOT, 'src', path), 'utf8');
    const found = text.split(from).length - 1;
    if (found !== 1) throw new Error(`src/${path} has ${found} times: ${from}`);
    texts.set(
      path,
      text.replace(from, () => to),
    );
  }
  return texts;
}

/**
 * The simulation and all mutants, compiled once: started by tsx, each would take a second.
 *
 *   base/      src/ and test/simulation/ as they are, in JavaScript
 *   in/7/src/  the changed files of mutant 7; out/7/src/ the same in JavaScript
 *   run/7/     base with out/7 over it
 */
export class Laboratory {
  readonly #folder = mkdtempSync(join(tmpdir(), 'forebay-mutants-'));
  readonly #mutants: readonly Mutant[];

  constructor(mutants: readonly Mutant[]) {
    this.#mutants = mutants;
    this.#compile('base', ROOT, [join(ROOT, 'test/simulation/main.ts')]);
    for (const path of ASSETS) {
      cpSync(join(ROOT, path), this.#path('base', path), { recursive: true });
    }
    const changed = mutants.flatMap((mutant, index) =>
      [...mutated(mutant)].map(([path, text]) => {
        const file = this.#path('in', String(index), 'src', path);
        mkdirSync(dirname(file), { recursive: true });
        writeFileSync(file, text);
        return file;
      }),
    );
    // Or they are compiled to CommonJS.
    cpSync(join(ROOT, 'package.json'), this.#path('in', 'package.json'));
    this.#compile('out', this.#path('in'), changed);
  }

  /** Runs seeds 1 to `seeds` with the sources of this tree but for `mutant`, until one fails. */
  async hunt(mutant: Mutant, seeds: number): Promise<Catch> {
    const index = String(this.#mutants.indexOf(mutant));
    const folder = this.#path('run', index);
    cpSync(this.#path('base'), folder, { recursive: true });
    cpSync(this.#path('out', index), folder, { recursive: true });
    symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
    const output = await simulate(folder, seeds);
    const [, seed] = /^seed (\d+) fails/m.exec(output) ?? [];
    return { seed: seed === undefined ? undefined : Number(seed), output };
  }

  close(): void {
    rmSync(this.#folder, { recursive: true });
  }

  /** Compiles `files` and what they import, as far as it is below `root`, without checking types. */
  #compile(to: string, root: string, files: readonly string[]): void {
    const config = this.#path(`tsconfig.${to}.json`);
    const compilerOptions = {
      noEmit: false,
      noCheck: true,
      noResolve: root !== ROOT,
      types: [],
      rootDir: root,
      outDir: this.#path(to),
    };
    const text = { extends: join(ROOT, 'tsconfig.json'), compilerOptions, files, include: [] };
    writeFileSync(config, JSON.stringify(text));
    execFileSync(TSC, ['-p', config], { stdio: ['ignore', 'inherit', 'inherit'] });
  }

  #path(...parts: string[]): string {
    return join(this.#folder, ...parts);
  }
}

function simulate(folder: string, seeds: number): Promise<string> {
  const child = spawn(process.execPath, ['test/simulation/main.js'], {
    cwd: folder,
    env: { ...process.env, SEEDS: String(seeds), UNTIL_FAILURE: '1' },
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
