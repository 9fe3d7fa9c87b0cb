/** Selects dead letters that are to be replayed, and counts the others in the report. */
import type { DeadLetter } from '../../kafka/dead-letter.ts';
import type { Route } from '../../worker/streams/route.ts';
import type { SelectionOptions } from './arguments.ts';
import type { Checker, Verdict } from './checker.ts';
import type { PartitionedOffsets } from './offset-set.ts';
import type { ReplayReport } from './report.ts';
import { isSelected } from './selection.ts';

export interface ClassifierOptions {
  readonly checker: Pick<Checker, 'check'>;
  readonly routes: { readonly named: Route; readonly unnamed: Route };
  /** Name of the stream that is replayed to. */
  readonly stream: string;
  readonly selection: SelectionOptions;
  readonly report: ReplayReport;
  /** Dead letters that were replayed, to any stream. */
  readonly done: PartitionedOffsets;
}

const OTHER_STREAM: Verdict = { result: 'otherStream' };

export class Classifier {
  readonly #options: ClassifierOptions;

  constructor(options: ClassifierOptions) {
    this.#options = options;
  }

  /** Returns whether a dead letter is to be replayed, and counts it. */
  passes(partition: number, letter: DeadLetter): boolean {
    const { selection, report, done } = this.#options;
    if (!isSelected(letter, selection)) {
      report.unselected++;
      return false;
    }
    const isDone = done.of(partition).has(letter.offset);
    const verdict = this.#verdictOn(letter, isDone);
    if (verdict === undefined || (isDone && verdict.result !== 'otherStream')) {
      report.alreadyReplayed++;
      return false;
    }
    switch (verdict.result) {
      case 'passes':
        report.passing++;
        return true;
      case 'fails':
        report.addFailure(verdict);
        return false;
      case 'otherStream':
        report.otherStream++;
        return false;
      case 'notReplayable':
        report.addObstacle(verdict.obstacle);
        return false;
    }
  }

  /** Undefined = already replayed: one that names its stream can have gone to no other. */
  #verdictOn(letter: DeadLetter, isDone: boolean): Verdict | undefined {
    const { checker, routes, stream } = this.#options;
    if (letter.stream !== undefined) {
      if (letter.stream !== stream) return OTHER_STREAM;
      if (isDone) return undefined;
    }
    return checker.check(letter, routes);
  }
}
