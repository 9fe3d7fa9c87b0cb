/** A bash that runs blocks of the pages, one after the other, as a reader would. */
import { type ChildProcess, spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { until } from '../../testing/wait.ts';

const ENDED = 'block-ended';

export class Terminal {
  /** Output since the last block began, stdout and stderr together. */
  output = '';
  readonly #child: ChildProcess;
  readonly #folder: string;
  readonly #exit: Promise<unknown>;
  #blocks = 0;

  /** @param before commands that the shell runs before the first block */
  constructor(folder: string, env: NodeJS.ProcessEnv, before: string) {
    this.#folder = folder;
    // In a process group of its own, so that Ctrl-C reaches only its children.
    this.#child = spawn('bash', ['--norc'], { cwd: folder, env, detached: true });
    this.#exit = new Promise((done) => this.#child.once('close', done));
    for (const stream of [this.#child.stdout!, this.#child.stderr!]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        this.output += text;
      });
    }
    process.once('exit', this.#kill);
    this.#child.stdin!.write(`exec 2>&1; set -o pipefail\n${before}\n`);
  }

  readonly #kill = () => this.#signal('SIGKILL');

  #signal(signal: NodeJS.Signals): void {
    try {
      process.kill(-this.#child.pid!, signal);
    } catch {
      // All of the group have exited.
    }
  }

  /** Starts a block that keeps running until {@link close}. */
  serve(block: string): void {
    this.output = '';
    const file = join(this.#folder, `block-${process.pid}-${this.#child.pid}-${++this.#blocks}.sh`);
    writeFileSync(file, block);
    const failed = `trap 'failed="$failed $BASH_COMMAND"' ERR`;
    const line = `failed=; ${failed}; . ${file} </dev/null; trap - ERR; printf '\\n%s\\n' "${ENDED}:$failed"`;
    this.#child.stdin!.write(`${line}\n`);
  }

  /** Runs a block. @returns its output @throws Error if a command of it fails */
  async run(block: string): Promise<string> {
    this.serve(block);
    const end = new RegExp(`^${ENDED}:(.*)\n`, 'm');
    const what = () => `the end of\n${block}\n${this.output}`;
    const found = await until(() => end.exec(this.output), { what });
    const output = this.output.slice(0, found.index);
    if (found[1] !== '') throw new Error(`failed:${found[1]}\n${output}`);
    return output;
  }

  async says(pattern: RegExp): Promise<void> {
    const what = () => `${pattern} in\n${this.output}`;
    await until(() => pattern.test(this.output), { what });
  }

  /** Sends Ctrl-C and closes the window; then all its processes have exited. */
  async close(): Promise<void> {
    this.#signal('SIGINT');
    this.#child.stdin!.end();
    const timer = setTimeout(this.#kill, 30_000);
    await this.#exit;
    clearTimeout(timer);
    process.off('exit', this.#kill);
  }
}
