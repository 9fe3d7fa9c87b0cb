import cluster, { type Worker } from 'node:cluster';
import type { Server } from 'node:net';
import type { ToPrimary, ToWorker } from '../ipc.ts';
import type { WorkerEnvironment } from './worker-env.ts';

/** Exit of a worker process. */
export interface Ending {
  readonly exitCode: number | null;
  readonly signal: string | null;
}

/** A worker from its start to its end. */
export type WorkerHandle = Pick<WorkerProcess, 'id' | 'pid' | 'send' | 'kill'>;

/** Starts a worker; see the constructor of {@link WorkerProcess}. */
export type CreateWorker = (
  ...parameters: ConstructorParameters<typeof WorkerProcess>
) => WorkerHandle;

/** Time for which messages of an exited process may still be in transit. */
const LAST_WORDS_MS = 500;

/** One worker process, from fork to exit. */
export class WorkerProcess {
  readonly #worker: Worker;
  #ended = false;

  /**
   * Forks immediately; a variable in `env` that is undefined is not inherited. Calls `onEnd` once,
   * after the last `onMessage`: the exit may be observed before the last messages of the process,
   * so it waits for the end of the channel.
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
    this.#worker.on('message', (message: ToPrimary, handle: unknown) => {
      if (message.type === 'port') this.#returnHandle(handle as Server);
      else if (!this.#ended) onMessage(message);
    });
    this.#worker.on('exit', (exitCode: number | null, signal: string | null) => {
      const ending = { exitCode, signal };
      // Messages of a closed channel may wait for the next tick.
      const endSoon = () => setImmediate(end, ending);
      if (!this.#worker.isConnected()) {
        endSoon();
        return;
      }
      setTimeout(end, LAST_WORDS_MS, ending);
      this.#worker.once('disconnect', endSoon);
    });
    // Without a process id there was no process: no exit event will follow.
    this.#worker.on('error', () => {
      if (this.#worker.process.pid === undefined) end({ exitCode: null, signal: null });
    });
  }

  /** Never reused while the primary lives. */
  get id(): number {
    return this.#worker.id;
  }

  get pid(): number | undefined {
    return this.#worker.process.pid;
  }

  /** Ignores failures to send: the exit follows. */
  send(message: ToWorker): void {
    this.#worker.send(message, () => {});
  }

  /** Sends a listening socket back, for which the worker then has another handle. */
  #returnHandle(handle: Server): void {
    const message: ToWorker = { type: 'port' };
    this.#worker.send(message, handle, () => handle.close());
  }

  /** Kills the process without giving it a chance to react. */
  kill(): void {
    this.#worker.process.kill('SIGKILL');
  }
}
