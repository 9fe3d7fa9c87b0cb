/**
 * The log of `forebay micro`, in place of Kafka: bounded lines per stream, in memory and, with a
 * folder, in files. Nothing is evicted: a batch without room is not stored.
 */
import { attempt, type EventCode } from '../common/errors.ts';
import type { RecordBatch } from '../worker/accumulator/batch.ts';
import type { LogLine } from './bounded-log.ts';
import { type Outcome, recordLine, rejectionLine } from './log-entry.ts';
import { logPath, readSavedLogs, type SavedLog } from './saved-logs.ts';
import { type Counts, noCounts, StreamLog } from './stream-log.ts';

export interface EventLogOptions {
  /** Bound of the log of each stream and outcome. */
  readonly maxBytes: number;
  /** Undefined = the log is in memory only. */
  readonly folder?: string | undefined;
}

/** Selection of lines. */
export interface Selection {
  readonly stream?: string | undefined;
  readonly outcome?: Outcome | undefined;
  /** Position after which lines are selected. */
  readonly since: number;
  /** Number of lines, and bytes after which no further one follows. */
  readonly limit: number;
  readonly bytes: number;
}

export interface SelectedLines {
  readonly lines: readonly string[];
  /** Position of the last line, or of the last one of the log if none follows. */
  readonly next: number;
  /** Whether further lines follow. */
  readonly more: boolean;
}

export class EventLog {
  readonly #options: EventLogOptions;
  readonly #streams = new Map<string, StreamLog>();
  /** Next offset by topic and partition. */
  readonly #offsets = new Map<string, number>();
  readonly #listeners = new Set<() => void>();
  #seq = 0;

  /** @throws StartError (exit code 1) if the folder or one of its files is unusable */
  constructor(options: EventLogOptions) {
    this.#options = options;
    for (const saved of options.folder === undefined ? [] : readSavedLogs(options.folder)) {
      this.#restore(saved);
    }
  }

  /**
   * Appends the records of a batch, whose events have one stream.
   * @returns false if there is no room for all; nothing is appended then
   * @throws Error if a file cannot be written; nothing is appended then
   */
  append(stream: string, batch: RecordBatch, outcome: 'stored' | 'dead_letter'): boolean {
    const { partition, records } = batch;
    const place = `${partition.topic.name}/${partition.number}`;
    const offset = this.#offsets.get(place) ?? 0;
    const lines = batch.slices().map((slice, index): LogLine => {
      const seq = this.#seq + 1 + index;
      const text = recordLine(
        { seq, outcome, stream, offset: offset + index },
        batch,
        index,
        slice,
      );
      return { seq, text };
    });
    if (!this.#streamLog(stream).append(outcome, lines, records)) return false;
    this.#seq += records;
    this.#offsets.set(place, offset + records);
    this.#changed();
    return true;
  }

  /**
   * Appends a rejection: counted in every case, and kept if there is room and its file can be
   * written.
   * @param events of a frame
   * @param value the event, if it was parsed
   */
  reject(stream: string, code: EventCode, message: string, events: number, value: unknown): void {
    const log = this.#streamLog(stream);
    const seq = ++this.#seq;
    const timestamp = Date.now();
    const text = rejectionLine({ seq, stream, timestamp, code, message, events, value });
    if (attempt(() => log.append('rejected', [{ seq, text }], events)) !== true) {
      log.counts.rejected += events;
      log.notKept += events;
    }
    this.#changed();
  }

  /** Returns the selected lines in the order of their positions. */
  select({ stream, outcome, since, limit, bytes }: Selection): SelectedLines {
    const logs = stream === undefined ? [...this.#streams.values()] : this.#named(stream);
    const found = logs.flatMap((log) => log.after(since, outcome));
    found.sort((a, b) => a.seq - b.seq);
    const lines: string[] = [];
    let left = bytes;
    for (const { text } of found.slice(0, limit)) {
      if (left <= 0) break;
      lines.push(text);
      left -= Buffer.byteLength(text);
    }
    const more = lines.length < found.length;
    const next = more ? (found[lines.length - 1]?.seq ?? since) : this.#seq;
    return { lines, next, more };
  }

  /** Counts of a stream, or of all together. */
  counts(stream?: string): Counts {
    const sum = noCounts();
    const logs = stream === undefined ? this.#streams.values() : this.#named(stream);
    for (const { counts } of logs) {
      for (const outcome of Object.keys(sum) as Outcome[]) sum[outcome] += counts[outcome];
    }
    return sum;
  }

  /** Rejections of a stream, or of all, that were counted only. */
  notKept(stream?: string): number {
    const logs = stream === undefined ? [...this.#streams.values()] : this.#named(stream);
    return logs.reduce((sum, log) => sum + log.notKept, 0);
  }

  /** Removes all events. Positions go on, offsets begin at 0. @returns the removed events */
  reset(): Counts {
    const removed = this.counts();
    for (const log of this.#streams.values()) log.clear();
    this.#offsets.clear();
    this.#changed();
    return removed;
  }

  /** Calls `listener` after each change. @returns a function that ends this */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  close(): void {
    for (const log of this.#streams.values()) log.close();
  }

  #changed(): void {
    for (const listener of this.#listeners) listener();
  }

  #named(stream: string): StreamLog[] {
    const log = this.#streams.get(stream);
    return log === undefined ? [] : [log];
  }

  #streamLog(stream: string): StreamLog {
    let log = this.#streams.get(stream);
    if (log === undefined) {
      const { folder, maxBytes } = this.#options;
      const path =
        folder === undefined ? undefined : (outcome: Outcome) => logPath(folder, stream, outcome);
      log = new StreamLog(maxBytes, path);
      this.#streams.set(stream, log);
    }
    return log;
  }

  #restore({ stream, outcome, file, lines, entries }: SavedLog): void {
    let events = 0;
    for (const { seq, topic, partition, offset, events: ofFrame } of entries) {
      this.#seq = Math.max(this.#seq, seq as number);
      events += typeof ofFrame === 'number' ? ofFrame : 1;
      if (typeof offset !== 'number') continue;
      const place = `${topic}/${partition}`;
      this.#offsets.set(place, Math.max(this.#offsets.get(place) ?? 0, offset + 1));
    }
    this.#streamLog(stream).restore(outcome, file, lines, events);
  }
}
