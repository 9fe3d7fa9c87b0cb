import type { LogFile } from './log-file.ts';

/** A line of a log; an event, or a rejected frame. */
export interface LogLine {
  /** Position in the order of all logs. */
  readonly seq: number;
  /** A JSON object, without the end of the line. */
  readonly text: string;
}

/** Lines in memory and, with a file, also there. Up to a number of bytes; nothing is evicted. */
export class BoundedLog {
  readonly #maxBytes: number;
  readonly #file: LogFile | undefined;
  #lines: LogLine[] = [];
  #bytes = 0;

  /** @param maxBytes of the lines with their ends */
  constructor(maxBytes: number, file?: LogFile) {
    this.#maxBytes = maxBytes;
    this.#file = file;
  }

  /** Adds lines that the file has already; nothing is left out, even beyond the bound. */
  restore(lines: readonly LogLine[]): void {
    for (const line of lines) this.#add(line);
  }

  /**
   * Appends all lines, or none if there is no room for all.
   * @returns whether they were appended
   * @throws Error if the file cannot be written; no line was appended
   */
  append(lines: readonly LogLine[]): boolean {
    const text = lines.map((line) => `${line.text}\n`).join('');
    if (this.#bytes + Buffer.byteLength(text) > this.#maxBytes) return false;
    this.#file?.append(text);
    for (const line of lines) this.#add(line);
    return true;
  }

  /** Returns the lines after position `seq`. */
  after(seq: number): readonly LogLine[] {
    const lines = this.#lines;
    let [low, high] = [0, lines.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (lines[middle]!.seq <= seq) low = middle + 1;
      else high = middle;
    }
    return low === 0 ? lines : lines.slice(low);
  }

  clear(): void {
    this.#file?.clear();
    this.#lines = [];
    this.#bytes = 0;
  }

  close(): void {
    this.#file?.close();
  }

  #add(line: LogLine): void {
    this.#lines.push(line);
    this.#bytes += Buffer.byteLength(line.text) + 1;
  }
}
