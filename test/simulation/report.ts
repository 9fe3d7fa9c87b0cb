/** Results of a history: counts of occurrences, and violations. */

/** Occurrences that a run of many seeds must contain; otherwise the simulation would miss them. */
export const OCCURRENCES = [
  'leader move',
  'topic recreated with fewer partitions',
  'topic recreated with equal partitions',
  'topic recreated with more partitions',
  'no such partition',
  'lane renewed',
  'partition removed in flight',
  'partition removed while compressed',
  'lost with its partition',
  'moved from its partition',
  'tail lost',
  'broker killed',
  'broker paused',
  'error before the append',
  'error after the append',
  'injected sequence error',
  'refused by policy',
  'refused by size',
  'rejected by timestamp',
  'bad record',
  'stray copy appended',
  'stray copy repeated',
  'stray copy fenced',
  'repeat',
  'repeat reported as such',
  'deposed leader asked',
  'partition missing',
  'response cut short',
  'request lost',
  'response lost',
  'request silent',
  'throttled',
  'no producer id',
  'topic missing',
  'topic stuck',
  'reload',
  'stream moved',
  'topic without leaders',
  'events of several topics in one frame',
  'leader not told',
  'ISR shrunk',
  'slow replication',
  'loop stalled',
  'connection cut',
  'client left',
  'goaway',
  'resend after reconnect',
  'http aborted',
  'http timeout',
  'body resent as a whole',
  'frames cut differently',
  'frames resent as they were',
  'frame with declared and other events',
  'repeat posted',
  'reconnected to resend',
  'marked repeat',
  'original and marked repeat',
  'original after its marked repeat',
  'event time',
  'event time out of bounds',
  'batch stored',
  'retry',
  'unknown',
  'split',
  'refused for good',
  'given up',
  'epoch raised',
  'new producer id',
  'sequence wrapped',
  'overdue',
  'dropped unsent',
  'stored late',
  'compressed',
  'compressed on a thread',
  'compression failed',
  'unsent after compression',
  'buffer full',
  'buffer full for a frame',
  'pressed',
  'credit withheld',
  'schema refused',
  'unknown stream refused',
  'frame refused',
] as const;
export type Occurrence = (typeof OCCURRENCES)[number];
export type Counts = Partial<Record<Occurrence, number>>;

const VIOLATIONS_MAX = 10;

export class Report {
  readonly counts: Counts = {};
  readonly violations: string[] = [];
  readonly #note: (line: () => string) => void;

  constructor(note: (line: () => string) => void) {
    this.#note = note;
  }

  /** The history should stop. */
  get failed(): boolean {
    return this.violations.length > 0;
  }

  count(what: Occurrence, times = 1): void {
    if (times > 0) this.counts[what] = (this.counts[what] ?? 0) + times;
  }

  violation(what: string): void {
    this.#note(() => `VIOLATION ${what}`);
    if (this.violations.length < VIOLATIONS_MAX) this.violations.push(what);
  }

  /** Records a violation unless `holds`. */
  demand(holds: boolean, what: string): void {
    if (!holds) this.violation(what);
  }
}

/** Adds `counts` to `sum`. */
export function addCounts(sum: Counts, counts: Counts): void {
  for (const [what, count] of Object.entries(counts) as [Occurrence, number][]) {
    sum[what] = (sum[what] ?? 0) + count;
  }
}
