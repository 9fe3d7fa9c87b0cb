/** A file that is reloaded after any kind of change. */
import { readFileSync, type Stats, statSync } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { EXIT, StartError, systemReason } from '../common/errors.ts';
import { textOf } from '../config/secret-files.ts';

/** A second change within this time may have the same timestamp: the file is read again. */
const SETTLED_MS = 2_000;

export interface WatchedFileOptions<T> {
  /** Setting that names the file. */
  readonly env: string;
  readonly path: string;
  /** @throws Error whose message continues "the file …" */
  readonly parse: (text: string) => T;
  /** The content has changed. */
  readonly changed: (value: T) => void;
  /** The content is unusable, and the previous value stays; called once per such state. */
  readonly broken: (reason: string) => void;
}

/**
 * Checks the file on demand. A file system watch would follow the file, not its name: editors
 * rename, and Kubernetes swaps a link in the path.
 */
export class WatchedFile<T> {
  readonly #options: WatchedFileOptions<T>;
  #bytes: Buffer;
  #seen: string | undefined;
  #reason: string | undefined;
  #looking = false;
  value: T;

  /** @throws StartError if it is unreadable (exit code 1) or invalid (exit code 2) */
  constructor(options: WatchedFileOptions<T>) {
    this.#options = options;
    const { env, path, parse } = options;
    try {
      this.#seen = signature(statSync(path));
      this.#bytes = readFileSync(path);
    } catch (error) {
      throw new StartError(`${env}: cannot read ${path}: ${systemReason(error)}`, EXIT.failed);
    }
    try {
      this.value = parse(textOf(this.#bytes));
    } catch (error) {
      throw new StartError(`${env}: ${path} ${(error as Error).message}`, EXIT.configuration);
    }
  }

  /** Reloads the file if it has changed. */
  async check(): Promise<void> {
    if (this.#looking) return;
    this.#looking = true;
    try {
      await this.#check();
    } finally {
      this.#looking = false;
    }
  }

  async #check(): Promise<void> {
    const { path, parse } = this.#options;
    let bytes: Buffer;
    try {
      const seen = signature(await stat(path));
      if (seen !== undefined && seen === this.#seen) return;
      this.#seen = seen;
      bytes = await readFile(path);
    } catch (error) {
      this.#seen = undefined;
      return this.#broken(`cannot be read: ${systemReason(error)}`);
    }
    if (bytes.equals(this.#bytes) && this.#reason === undefined) return;
    let value: T;
    try {
      value = parse(textOf(bytes));
    } catch (error) {
      return this.#broken((error as Error).message);
    }
    this.#reason = undefined;
    this.#bytes = bytes;
    this.value = value;
    this.#options.changed(value);
  }

  #broken(reason: string): void {
    if (reason === this.#reason) return;
    this.#reason = reason;
    this.#options.broken(reason);
  }
}

/** Changes with the content; undefined = the content may still change without it. */
export function signature({ dev, ino, size, mtimeMs, ctimeMs }: Stats): string | undefined {
  if (Date.now() - Math.max(mtimeMs, ctimeMs) < SETTLED_MS) return undefined;
  return [dev, ino, size, mtimeMs, ctimeMs].join(' ');
}
