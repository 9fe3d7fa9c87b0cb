import {
  closeSync,
  constants,
  fstatSync,
  ftruncateSync,
  openSync,
  readFileSync,
  writeSync,
} from 'node:fs';
import { attempt, EXIT, StartError, systemReason } from '../common/errors.ts';

/** Event data: only its owner may read it. */
const FILE_MODE = 0o600;
const NEWLINE = 0x0a;

/**
 * A file of lines that only grows. Invariant: it ends with a complete line. What a crash or a full
 * disk has left behind the last one is cut off.
 */
export class LogFile {
  readonly path: string;
  readonly #fd: number;
  #bytes: number;

  /** Opens the file, or creates it. @throws StartError (exit code 1) */
  constructor(path: string) {
    this.path = path;
    try {
      // Not for appending only: Windows does not truncate such a file.
      this.#fd = openSync(path, constants.O_RDWR | constants.O_CREAT, FILE_MODE);
      this.#bytes = fstatSync(this.#fd).size;
    } catch (error) {
      throw unusable(path, error);
    }
  }

  /** Returns its lines, without the ends. @throws StartError (exit code 1) */
  read(): string[] {
    try {
      const content = readFileSync(this.path);
      this.#bytes = content.lastIndexOf(NEWLINE) + 1;
      if (this.#bytes < content.length) ftruncateSync(this.#fd, this.#bytes);
      return content.toString('utf8', 0, this.#bytes).split('\n').slice(0, -1);
    } catch (error) {
      throw unusable(this.path, error);
    }
  }

  /** Appends complete lines: all of them, or none and it throws. Does not wait for the disk. */
  append(lines: string): void {
    const bytes = Buffer.from(lines);
    try {
      for (let at = 0; at < bytes.length; ) {
        at += writeSync(this.#fd, bytes, at, bytes.length - at, this.#bytes + at);
      }
    } catch (error) {
      attempt(() => ftruncateSync(this.#fd, this.#bytes));
      throw error;
    }
    this.#bytes += bytes.length;
  }

  clear(): void {
    ftruncateSync(this.#fd, 0);
    this.#bytes = 0;
  }

  close(): void {
    closeSync(this.#fd);
  }
}

function unusable(path: string, error: unknown): StartError {
  return new StartError(`micro: cannot use ${path}: ${systemReason(error)}`, EXIT.failed);
}
