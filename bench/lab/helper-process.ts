import { type ChildProcess, spawn } from 'node:child_process';
import { dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { underCores } from './cores.ts';

const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), '../..');
const STOP_MS = 5_000;

/** A TypeScript file of the bench in a process of its own, controlled by messages. */
export class HelperProcess<Command extends object, Answer> {
  readonly #child: ChildProcess;
  readonly #killOnExit: () => void;
  readonly #ended: Promise<void>;
  #exited = false;
  /** Receives answers, or undefined when the process exits. */
  #onAnswer: ((answer: Answer | undefined) => void) | undefined;

  /** @param cores cores for the process, in taskset notation; undefined = any */
  constructor(file: string, args: readonly string[] = [], cores?: string) {
    const node = [process.execPath, '--import', 'tsx', file, ...args];
    const [command = '', ...rest] = underCores(cores, node);
    this.#child = spawn(command, rest, {
      cwd: ROOT,
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      serialization: 'advanced',
    });
    this.#killOnExit = () => this.#child.kill('SIGKILL');
    process.once('exit', this.#killOnExit);
    this.#child.on('message', (answer) => this.#onAnswer?.(answer as Answer));
    this.#ended = new Promise((done) => {
      this.#child.once('exit', () => {
        process.off('exit', this.#killOnExit);
        this.#exited = true;
        this.#onAnswer?.(undefined);
        done();
      });
    });
  }

  get pid(): number {
    return this.#child.pid!;
  }

  /**
   * Sends a command, if given, and receives answers until `isLast` returns true.
   * @throws Error if the process exits before, and errors of `isLast`
   */
  send(command: Command | undefined, isLast: (answer: Answer) => boolean): Promise<Answer> {
    return new Promise((done, fail) => {
      if (this.#onAnswer !== undefined) return fail(new Error('one command at a time'));
      if (this.#exited) return fail(new Error('the process has exited'));
      this.#onAnswer = (answer) => {
        try {
          if (answer === undefined) throw new Error('the process has exited');
          if (!isLast(answer)) return;
          done(answer);
        } catch (error) {
          fail(error);
        }
        this.#onAnswer = undefined;
      };
      if (command !== undefined) this.#child.send(command);
    });
  }

  async stop(): Promise<void> {
    if (this.#exited) return;
    this.#child.disconnect();
    const timer = setTimeout(this.#killOnExit, STOP_MS);
    await this.#ended;
    clearTimeout(timer);
  }
}
