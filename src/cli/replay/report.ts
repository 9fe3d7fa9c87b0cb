/** Counts of a replay, and the text of its report. */
import { counted } from '../listen/format.ts';
import { REPLAY_LIMITS } from './limits.ts';

/** Reasons for which a dead letter can never be replayed to its stream. */
const OBSTACLES = ['truncated', 'undecodable', 'empty'] as const;
export type ReplayObstacle = (typeof OBSTACLES)[number];

const OBSTACLE_TEXTS: Readonly<Record<ReplayObstacle, string>> = {
  truncated: 'truncated: the gateway has kept its first 64 KiB only',
  undecodable: 'undecodable: it cannot be split into events',
  empty: 'empty: it has no value',
};

/** Reason for which the stream rejects an event now. */
export interface Failure {
  readonly code: string;
  readonly message: string;
}

/** Counts of dead letters. */
export class ReplayReport {
  /** Read in the range. */
  read = 0;
  /** Read, but not selected by code, identity or time. */
  unselected = 0;
  /** Of another stream, or of events that no stream or another one accepts now. */
  otherStream = 0;
  alreadyReplayed = 0;
  /** Pass validation now. */
  passing = 0;
  /** Confirmed by Kafka in this run. */
  replayed = 0;
  /** Replayed with `fb-resent`, since an earlier run may have stored them. */
  marked = 0;
  /** Not in Kafka any more. */
  removed = 0;
  readonly #obstacles = new Map<ReplayObstacle, number>();
  readonly #failures = new Map<string, Failure & { count: number }>();
  #failing = 0;

  /** Counts a dead letter that no replay can ever restore. */
  addObstacle(obstacle: ReplayObstacle): void {
    this.#obstacles.set(obstacle, (this.#obstacles.get(obstacle) ?? 0) + 1);
  }

  /** Counts a dead letter that the stream still rejects. */
  addFailure({ code, message }: Failure): void {
    this.#failing++;
    const name = `${code} ${message}`;
    const known = this.#failures.get(name);
    if (known !== undefined) known.count++;
    else if (this.#failures.size < REPLAY_LIMITS.reasons) {
      this.#failures.set(name, { code, message, count: 1 });
    }
  }

  /** Counts a dead letter that passes validation, but that Kafka has rejected. */
  addRejection(failure: Failure): void {
    this.passing--;
    this.addFailure(failure);
  }

  /** Still rejected. */
  get failing(): number {
    return this.#failing;
  }

  /** Can never be replayed. */
  get notReplayable(): number {
    return [...this.#obstacles.values()].reduce((sum, count) => sum + count, 0);
  }

  /** Selected dead letters of the stream. */
  get selected(): number {
    const { alreadyReplayed, passing, failing, notReplayable } = this;
    return alreadyReplayed + passing + failing + notReplayable;
  }

  /** Failures by reason, the most frequent first; of further reasons only the sum. */
  get failures(): (Failure & { readonly count: number })[] {
    const known = [...this.#failures.values()].sort((a, b) => b.count - a.count);
    const others = this.#failing - known.reduce((sum, { count }) => sum + count, 0);
    if (others === 0) return known;
    return [...known, { code: 'other', message: 'further reasons', count: others }];
  }

  /** The report as an object, for `--json`. */
  summary(facts: ReplayFacts): object {
    const { read, unselected, otherStream, alreadyReplayed, passing, removed, failures } = this;
    const results = facts.isDryRun ? {} : { replayed: this.replayed, marked: this.marked };
    return {
      from: facts.from,
      stream: facts.stream,
      dryRun: facts.isDryRun,
      complete: facts.isComplete,
      state: facts.state,
      read,
      selected: this.selected,
      unselected,
      otherStream,
      removed,
      alreadyReplayed,
      passing,
      ...results,
      failing: this.failing,
      failures,
      notReplayable: Object.fromEntries(
        OBSTACLES.map((obstacle) => [obstacle, this.#obstacles.get(obstacle) ?? 0]),
      ),
    };
  }

  /** The report, a line each. */
  lines({ from, stream, isDryRun, isComplete }: ReplayFacts): string[] {
    const { read, selected, failing, notReplayable } = this;
    const lines = [
      `${counted(read, 'dead letter')} read from ${from}, ${selected} of ${stream} selected`,
    ];
    const add = (count: number, text: string) => {
      if (count > 0) lines.push(`${String(count).padStart(10)}  ${text}`);
    };
    if (isDryRun) add(this.passing, 'would be replayed');
    else {
      const marked = this.marked === 0 ? '' : `, ${this.marked} of them with fb-resent`;
      add(this.replayed, `replayed${marked}`);
      add(this.passing - this.replayed, 'not replayed yet');
    }
    add(this.alreadyReplayed, 'replayed before');
    add(failing, 'still rejected');
    for (const { code, message, count } of this.failures) add(count, `  ${code}: ${message}`);
    add(notReplayable, 'not replayable');
    for (const [obstacle, count] of this.#obstacles) add(count, `  ${OBSTACLE_TEXTS[obstacle]}`);
    add(this.otherStream, 'of other streams');
    add(this.unselected, 'not selected');
    add(this.removed, 'removed by the retention of the topic');
    if (!isComplete) lines.push('stopped before the end: run it again to resume');
    return lines;
  }
}

/** Facts about a run that the report states. */
export interface ReplayFacts {
  readonly from: string;
  readonly stream: string;
  readonly isDryRun: boolean;
  /** All selected dead letters were processed. */
  readonly isComplete: boolean;
  readonly state: StateFacts | undefined;
}

/** The state file of a run. */
export interface StateFacts {
  readonly path: string;
  /** There was none before: the run assumes that nothing was replayed. */
  readonly isNew: boolean;
}
