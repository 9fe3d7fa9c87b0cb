import { deserialize, serialize } from 'node:v8';
import { StartError } from '../common/errors.ts';
import type { ToPrimary, ToWorker } from '../ipc.ts';
import type { WorkerEnvironment } from '../primary/worker-env.ts';
import type { Ending, WorkerHandle } from '../primary/worker-process.ts';
import type { PrimaryChannel } from '../worker/primary-channel.ts';

/** Runs a worker that sends to its primary over this channel. @throws StartError */
export type RunWorker = (channel: PrimaryChannel) => Promise<void>;

/** Of all workers of this process. */
let started = 0;

/**
 * A worker in the process of its primary. As between processes, messages are copied, and arrive in
 * order and later.
 */
export class InProcessWorker implements WorkerHandle {
  readonly id = ++started;
  readonly pid = process.pid;
  readonly #onMessage: (message: ToPrimary) => void;
  readonly #onEnd: (ending: Ending) => void;
  #receive: (message: ToWorker) => void = () => {};
  #ended = false;

  /** @param env set for this process: libraries read it, too */
  constructor(
    env: WorkerEnvironment,
    onMessage: (message: ToPrimary) => void,
    onEnd: (ending: Ending) => void,
    run: RunWorker,
  ) {
    this.#onMessage = onMessage;
    this.#onEnd = onEnd;
    for (const [name, value] of Object.entries(env)) {
      if (value !== undefined) process.env[name] = value;
    }
    void this.#run(run);
  }

  send(message: ToWorker): void {
    const copy = copyOf(message);
    setImmediate(() => {
      if (!this.#ended) this.#receive(copy);
    });
  }

  /** Ends the worker for its primary. Its process ends with the primary. */
  kill(): void {
    this.#end({ exitCode: null, signal: 'SIGKILL' });
  }

  async #run(run: RunWorker): Promise<void> {
    const channel: PrimaryChannel = {
      send: (message) => this.#deliver(message),
      onMessage: (receive) => {
        this.#receive = receive;
      },
      exit: (exitCode) => this.#end({ exitCode, signal: null }),
    };
    try {
      await run(channel);
    } catch (error) {
      if (!(error instanceof StartError)) throw error;
      const { message, exitCode } = error;
      await this.#deliver({ type: 'fatal', message, exitCode });
      this.#end({ exitCode, signal: null });
    }
  }

  #deliver(message: ToPrimary): Promise<void> {
    const copy = copyOf(message);
    return new Promise((resolve) => {
      setImmediate(() => {
        if (!this.#ended) this.#onMessage(copy);
        resolve();
      });
    });
  }

  #end(ending: Ending): void {
    setImmediate(() => {
      if (this.#ended) return;
      this.#ended = true;
      this.#onEnd(ending);
    });
  }
}

function copyOf<T>(message: T): T {
  return deserialize(serialize(message)) as T;
}
