/** Standard output that may be closed by its reader at any time (`… | head -1`). */

export interface Writable {
  write(text: string, done: (error?: Error | null) => void): unknown;
  on(event: 'error', listener: (error: Error) => void): unknown;
}

/** Writes to `stream`; `onClosed` is called when its reader has gone, other errors with them. */
export class Output {
  readonly #stream: Writable;

  constructor(stream: Writable, onClosed: (error?: Error) => void) {
    this.#stream = stream;
    stream.on('error', (error) => {
      onClosed((error as NodeJS.ErrnoException).code === 'EPIPE' ? undefined : error);
    });
  }

  /** Resolves when the text was handed over or could not be. */
  write(text: string): Promise<void> {
    return new Promise((resolve) => {
      this.#stream.write(text, () => resolve());
    });
  }
}
