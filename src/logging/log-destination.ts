import { writeSync } from 'node:fs';

const STDOUT = 1;
/** Maximum wait for a full pipe: its reader may be slightly behind. */
const WAIT_MS_MAX = 500;
const WAIT_MS = 5;
const SLEEPER = new Int32Array(new SharedArrayBuffer(4));

/**
 * Writes log lines to stdout immediately; drops those that fail. pino's own destination throws when
 * a disk is full, retains unwritten lines without limit, and retries them endlessly in flushSync(),
 * which blocks the process.
 */
export class LogDestination {
  /** The last line failed: no waiting until a write succeeds. */
  #stuck = false;
  /** The output ends within a line. */
  #cut = false;
  readonly #fd: number;

  constructor(fd = STDOUT) {
    this.#fd = fd;
    // Node.js makes a pipe non-blocking when it opens the stream. Otherwise a write to a full one
    // would block the process for as long as its reader is stalled.
    if (fd === STDOUT) Reflect.get(process, 'stdout');
  }

  write(line: string): void {
    const bytes = Buffer.from(this.#cut ? `\n${line}` : line);
    const written = this.#write(bytes);
    this.#stuck = written < bytes.length;
    this.#cut = this.#stuck && (this.#cut || written > 0);
  }

  /** @returns the number of bytes written */
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
