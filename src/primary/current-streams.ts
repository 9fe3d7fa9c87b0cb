import { StartError } from '../common/errors.ts';
import type { FileWarnings } from '../config/file-check.ts';
import type { ToWorker } from '../ipc.ts';
import type { StreamFile } from '../streams/stream-file.ts';
import type { DeferredLog } from './deferred-log.ts';

/** The streams of the stream file, as all workers receive them; none without such a file. */
export class CurrentStreams {
  readonly #log: DeferredLog;
  #file: StreamFile | undefined;

  constructor(file: StreamFile | undefined, log: DeferredLog) {
    this.#file = file;
    this.#log = log;
  }

  /** Message that a worker waits for at its start; undefined without a stream file. */
  get message(): (ToWorker & { readonly type: 'streams' }) | undefined {
    return this.#file && { type: 'streams', file: this.#file };
  }

  /** Names of the streams; undefined without a stream file. */
  get names(): readonly string[] | undefined {
    return this.#file?.streams.map(({ name }) => name);
  }

  logWarnings({ streams }: FileWarnings): void {
    for (const problem of streams?.warnings ?? []) {
      this.#log.write('warn', { problem }, 'warning about the stream file');
    }
  }

  /**
   * Reads the files for the workers of a rolling restart. Invalid ones leave the streams unchanged.
   * @param check reads the files that settings name
   * @throws StartError for invalid files
   */
  async reread(check: () => Promise<FileWarnings>): Promise<FileWarnings> {
    try {
      const files = await check();
      this.#file = files.streams?.file;
      this.logWarnings(files);
      return files;
    } catch (error) {
      // Workers report other files when they read them.
      if (this.#file !== undefined && error instanceof StartError) {
        const fields = { reason: error.message };
        this.#log.write('error', fields, 'invalid files, keeping the previous streams');
      }
      throw error;
    }
  }
}
