/** Progress bar of a command, on a terminal only. */

/** State of a command, for its progress bar. */
export interface ProgressState {
  /** Finished part, from 0 to 1. */
  readonly share: number;
  readonly text: string;
}

/** Subset of a terminal stream. */
export interface ProgressStream {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

const REDRAW_MS = 200;
const BAR_LENGTH = 24;
const COLUMNS = 80;
/** Returns to the first column, and deletes the line. */
const CLEAR = '\r\u001b[K';

/** Draws a line with a bar until it ends; does nothing where the stream is no terminal. */
export class ProgressBar {
  readonly #stream: ProgressStream;
  readonly #state: () => ProgressState;
  #timer: NodeJS.Timeout | undefined;

  /** @param state called for each redraw */
  constructor(stream: ProgressStream, state: () => ProgressState) {
    this.#stream = stream;
    this.#state = state;
  }

  begin(): void {
    if (this.#stream.isTTY !== true) return;
    this.#timer = setInterval(() => this.#draw(), REDRAW_MS);
    this.#draw();
  }

  /** Runs `write`, whose lines take the place of the bar until its next redraw. */
  around(write: () => void): void {
    if (this.#timer !== undefined) this.#stream.write(CLEAR);
    write();
  }

  /** Removes the bar. */
  end(): void {
    if (this.#timer === undefined) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#stream.write(CLEAR);
  }

  #draw(): void {
    const { columns = COLUMNS } = this.#stream;
    this.#stream.write(`${CLEAR}${progressLine(this.#state(), columns)}`);
  }
}

/** Returns the line of a bar for a terminal of this width. */
export function progressLine({ share, text }: ProgressState, columns: number): string {
  const part = Math.min(Math.max(share, 0), 1);
  const filled = Math.floor(part * BAR_LENGTH);
  const bar = `${'#'.repeat(filled)}${'.'.repeat(BAR_LENGTH - filled)}`;
  const percent = `${Math.floor(part * 100)}%`.padStart(4);
  // A line of full width would wrap, and the next redraw would leave a part of it.
  return `[${bar}] ${percent}  ${text}`.slice(0, Math.max(columns - 1, 0));
}
