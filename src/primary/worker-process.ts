import cluster, { type Worker } from 'node:cluster';
import type { ToPrimary, ToWorker } from '../ipc.ts';
import type { WorkerEnvironment } from './worker-env.ts';

/** How a worker process ended. */
export interface Ending {
  readonly exitCode: number | null;
  readonly signal: string | null;
}

/** How long messages of a process that is gone may still be on their way. */
const LAST_WORDS_MS = 500;

/** One worker process, from fork to end. */
export class WorkerProcess {
  readonly #worker: Worker;
  #ended = false;

  /**
   * Forks at once; a variable in `env` that is undefined is not inherited. `onEnd` comes once, after the last `onMessage`: the exit may be seen before
   * the messages that the process sent last, so the end waits for the channel's.
   */
  constructor(
    env: WorkerEnvironment,
    onMessage: (message: ToPrimary) => void,
    onEnd: (ending: Ending) => void,
  ) {
    this.#worker = cluster.fork(env);
    const end = (ending: Ending) => {
      if (this.#ended) return;
      this.#ended = true;
      onEnd(ending);
    };
    this.#worker.on('message', (message: ToPrimary) => {
      if (!this.#ended) onMessage(message);
    });
    this.#worker.on('exit', (exitCode: number | null, signal: string | null) => {
      const ending = { exitCode, signal };
      // A channel that has closed may still have messages that wait for the next tick.
      const endSoon = () => setImmediate(end, ending);
      if (!this.#worker.isConnected()) {
        endSoon();
        return;
      }
      setTimeout(end, LAST_WORDS_MS, ending);
      this.#worker.once('disconnect', endSoon);
    });
    // Without a process id there was no process: no exit will follow.
    this.#worker.on('error', () => {
      if (this.#worker.process.pid === undefined) end({ exitCode: null, signal: null });
    });
  }

  /** Never used twice while the primary lives. */
  get id(): number {
    return this.#worker.id;
  }

  get pid(): number | undefined {
    return this.#worker.process.pid;
  }

  /** What cannot be sent any more is of no use: the end follows. */
  send(message: ToWorker): void {
    this.#worker.send(message, () => {});
  }

  /** Without the chance to do anything first. */
  kill(): void {
    this.#worker.process.kill('SIGKILL');
  }
}
