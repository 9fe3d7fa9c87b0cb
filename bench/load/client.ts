import { HelperProcess } from '../lab/helper-process.ts';
import type { LoadAnswer, LoadCommand, LoadReport, LoadShape, LoadTimes } from './messages.ts';

export interface RunOptions extends LoadTimes {
  /** The window starts or ends now. */
  readonly onMark?: (is: 'begin' | 'end') => void;
}

/** Load client, as seen by the measuring process. */
export class LoadClient {
  readonly #helper: HelperProcess<LoadCommand, LoadAnswer>;

  constructor(cores?: string) {
    this.#helper = new HelperProcess('bench/load/process.ts', [], cores);
  }

  get pid(): number {
    return this.#helper.pid;
  }

  /** Connects without sending. @throws Error */
  async open(shape: LoadShape): Promise<void> {
    await this.#ask({ do: 'open', shape });
  }

  /** Sends for `times`, and waits until all events are settled. Requires an `open` per run. */
  async run({ onMark = () => {}, ...times }: RunOptions): Promise<LoadReport> {
    const answer = await this.#ask({ do: 'run', times }, onMark);
    if (answer.is !== 'report') throw new Error(`the load client answered ${answer.is}`);
    return answer.report;
  }

  /** Closes the connections; another load may be opened afterwards. */
  async closeConnections(): Promise<void> {
    await this.#ask({ do: 'close' });
  }

  /** Ends the process. */
  async stop(): Promise<void> {
    await this.#helper.stop();
  }

  #ask(command: LoadCommand, onMark: (is: 'begin' | 'end') => void = () => {}) {
    return this.#helper.send(command, (answer) => {
      if (answer.is === 'failed') throw new Error(`the load client: ${answer.message}`);
      if (answer.is !== 'begin' && answer.is !== 'end') return true;
      onMark(answer.is);
      return false;
    });
  }
}
