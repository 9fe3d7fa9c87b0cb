import type { DeadLetters } from '../dead-letters/dead-letters.ts';
import type { ViolationRecorder } from '../violation-recorder.ts';

/** Other receivers and counters of the events of an intake. */
export interface IntakeObservers {
  /** Receives copies of rejected events. */
  readonly deadLetters?: Pick<DeadLetters, 'write'>;
  /** Counts invalid events by reason. */
  readonly violations?: Pick<ViolationRecorder, 'rejected'>;
  /** Neither the streams' own counts nor their candidates see an event. */
  readonly isDryRun?: boolean;
}
