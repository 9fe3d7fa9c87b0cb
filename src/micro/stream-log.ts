import { BoundedLog, type LogLine } from './bounded-log.ts';
import { OUTCOMES, type Outcome } from './log-entry.ts';
import { LogFile } from './log-file.ts';

/** Events of a stream by outcome. */
export type Counts = Record<Outcome, number>;

/** Creates counts of zero. */
export function noCounts(): Counts {
  return { stored: 0, rejected: 0, dead_letter: 0 };
}

/** The events of one stream: a log per outcome, and how many there were. */
export class StreamLog {
  readonly counts = noCounts();
  /** Rejections that were counted only: their log has no room, or cannot be written. */
  notKept = 0;
  readonly #logs = new Map<Outcome, BoundedLog>();
  readonly #maxBytes: number;
  readonly #path: ((outcome: Outcome) => string) | undefined;

  /** @param path returns the file of an outcome; undefined = the log is in memory only */
  constructor(maxBytes: number, path: ((outcome: Outcome) => string) | undefined) {
    this.#maxBytes = maxBytes;
    this.#path = path;
  }

  /** Adds the lines of a file. @throws StartError (exit code 1) if it is not usable */
  restore(outcome: Outcome, file: LogFile, lines: readonly LogLine[], events: number): void {
    const log = new BoundedLog(this.#maxBytes, file);
    log.restore(lines);
    this.#logs.set(outcome, log);
    this.counts[outcome] += events;
  }

  /**
   * Appends lines, which stand for this many events; see {@link BoundedLog.append}.
   * @throws Error if the file cannot be written
   */
  append(outcome: Outcome, lines: readonly LogLine[], events: number): boolean {
    let log = this.#logs.get(outcome);
    if (log === undefined) {
      const file = this.#path && new LogFile(this.#path(outcome));
      log = new BoundedLog(this.#maxBytes, file);
      this.#logs.set(outcome, log);
    }
    if (!log.append(lines)) return false;
    this.counts[outcome] += events;
    return true;
  }

  /** Returns the lines after position `seq`; of one outcome, or of all, not sorted. */
  after(seq: number, outcome: Outcome | undefined): LogLine[] {
    const wanted = outcome === undefined ? OUTCOMES : [outcome];
    return wanted.flatMap((each) => this.#logs.get(each)?.after(seq) ?? []);
  }

  clear(): void {
    for (const log of this.#logs.values()) log.clear();
    Object.assign(this.counts, noCounts());
    this.notKept = 0;
  }

  close(): void {
    for (const log of this.#logs.values()) log.close();
  }
}
