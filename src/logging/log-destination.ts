import { writeSync } from 'node:fs';

const STDOUT = 1;
/** How long a full pipe is waited for: who reads it may be a moment behind. */
const WAIT_MS_MAX = 500;
const WAIT_MS = 5;
const SLEEPER = new Int32Array(new SharedArrayBuffer(4));

/**
 * Log lines on stdout, each written at once; what cannot be written is dropped. pino's own
 * destination throws when a disk is full, keeps what it could not write for ever, and tries it for
 * ever in flushSync(): the process stands still.
 */
export class LogOutput {
  /** The last line could not be written: until one can, nobody is waited for. */
  #stuck = false;
  /** What was written ends within a line. */
  #cut = false;
  readonly #fd: number;

  constructor(fd = STDOUT) {
    this.#fd = fd;
  }

  write(line: string): void {
    const bytes = Buffer.from(this.#cut ? `\n${line}` : line);
    const written = this.#write(bytes);
    this.#stuck = written < bytes.length;
    this.#cut = this.#stuck && (this.#cut || written > 0);
  }

  /** @returns how many bytes could be written */
  #write(bytes: Buffer): number {
    const deadlineMs = performance.now() + (this.#stuck ? 0 : WAIT_MS_MAX);
    let written = 0;
    while (written < bytes.length) {
      try {
        written += writeSync(this.#fd, bytes, written);
      } catch (error) {
        const isFull = (error as NodeJS.ErrnoException).code === 'EAGAIN';
        if (!isFull || performance.now() >= deadlineMs) break;
        Atomics.wait(SLEEPER, 0, 0, WAIT_MS);
      }
    }
    return written;
  }
}
