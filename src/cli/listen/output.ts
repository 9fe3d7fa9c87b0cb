/** Standard output, which its reader may close at any time (`… | head -1`). */

export interface Writable {
  write(text: string, done: (error?: Error | null) => void): unknown;
  on(event: 'error', listener: (error: Error) => void): unknown;
}

/**
 * Writes to `stream`; calls `onClosed` when the reader has closed it, with the error for other
 * failures.
 */
export class Output {
  readonly #stream: Writable;

  constructor(stream: Writable, onClosed: (error?: Error) => void) {
    this.#stream = stream;
    stream.on('error', (error) => {
      onClosed((error as NodeJS.ErrnoException).code === 'EPIPE' ? undefined : error);
    });
  }

  /** Resolves when the text was written or failed to be. */
  write(text: string): Promise<void> {
    return new Promise((resolve) => {
      this.#stream.write(text, () => resolve());
    });
  }
}
