/** Runs the simulation on copies of dist/ in which texts of the sources were replaced. */
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
 * The simulation and all mutants, compiled once by what compiles dist/: started by tsx, each would
 * take a second.
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
   * Runs seeds 1 to `seeds` with the sources of this tree but for `mutant`, until one fails.
   * @param by what a violation has to say; any will do without
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
