/** Hooks into modules without a seam, installed for one history. */
import { cell } from '../../src/metrics/counters.ts';
import { STREAM_CELLS } from '../../src/metrics/layout.ts';
import { Credit } from '../../src/worker/acknowledger/credit.ts';
import { Lane } from '../../src/worker/producer/lane.ts';
import { type Fates, namesIn } from './fates.ts';
import type { Gateway } from './gateway.ts';
import type { Report } from './report.ts';
import { TOPIC } from './streams.ts';

const STORED = cell('forebay_events_stored_total');
const STORED_LATE = cell('forebay_events_stored_late_total');

const { setProducerId, settle, renew, end } = Lane.prototype;
const { mayRise } = Credit.prototype;

export interface HookOptions {
  readonly report: Report;
  /** First sequence of a producer id: a broker accepts any if it does not know the producer. */
  readonly firstSequence: number;
  readonly note: (line: () => string) => void;
  /** Abandoned events that may still be stored, in any order: no epoch fences them. */
  readonly unfenced: (names: readonly string[]) => void;
}

/**
 * Counts decisions of lanes and credit, and sets the first sequence.
 * @returns a function that removes the hooks
 */
export function hook({ report, firstSequence, note, unfenced }: HookOptions): () => void {
  /** Abandoned events of each lane's current producer id. */
  const givenUp = new Map<Lane, string[]>();
  const newProducerId = (lane: Lane) => {
    report.count('new producer id');
    unfenced(givenUp.get(lane) ?? []);
    givenUp.delete(lane);
  };
  Lane.prototype.setProducerId = function (producerId, epoch) {
    setProducerId.call(this, producerId, epoch, firstSequence);
  };
  Lane.prototype.settle = function (outcome, ...times) {
    const { number } = this.head!.partition;
    const verdict = settle.call(this, outcome, ...times);
    note(() => `p${number}: ${JSON.stringify(outcome)} -> ${verdict.do}`);
    if (verdict.do === 'retry') report.count('retry');
    if (verdict.do === 'split') report.count('split');
    if (this.unknown) report.count('unknown');
    const reset = 'reset' in verdict ? verdict.reset : undefined;
    if (reset === 'epoch') report.count('epoch raised');
    if (verdict.do === 'giveUp') {
      givenUp.set(this, [...(givenUp.get(this) ?? []), ...namesIn(verdict.batch)]);
    }
    if (reset === 'producer_id') newProducerId(this);
    return verdict;
  };
  Lane.prototype.end = function () {
    if (this.inFlight) report.count('partition removed in flight');
    if (this.compressing) report.count('partition removed while compressed');
    const remains = end.call(this);
    const { lost } = remains;
    if (lost !== undefined) {
      report.count('lost with its partition');
      // A topic without a stream may get one again, and then a lane that does not fence the batch.
      if (lost.partition.topic.name !== TOPIC) unfenced(namesIn(lost));
    }
    if (remains.unsent.length > 0) report.count('moved from its partition');
    return remains;
  };
  Lane.prototype.renew = function () {
    const reset = renew.call(this);
    report.count('lane renewed');
    if (reset === 'producer_id') newProducerId(this);
    return reset;
  };
  Credit.prototype.mayRise = function (...request) {
    const rises = mayRise.apply(this, request);
    if (!rises) report.count('credit withheld');
    return rises;
  };
  return () => {
    Object.assign(Lane.prototype, { setProducerId, settle, renew, end });
    Object.assign(Credit.prototype, { mayRise });
  };
}

/** Checks that each stored event is counted once, in time or late. */
export function checkMetrics({ counters }: Gateway, fates: Fates, report: Report): void {
  const sumOf = (cell: number) =>
    counters.slots.streams.reduce(
      (sum, _, slot) => sum + counters.values[cell + slot * STREAM_CELLS]!,
      0,
    );
  const [stored, late] = [sumOf(STORED), sumOf(STORED_LATE)];
  report.count('stored late', late);
  const counted = `${stored} are counted as stored, ${late} as stored late`;
  report.demand(stored + late === fates.stores, `${counted}; ${fates.stores} were`);
}
