/**
 * Dry runs: `POST /events?dryRun=1`. The same intake decides on the events, with the same streams and
 * rate limits, but on another sink. Invariant: no event of a dry run is stored, copied to dead
 * letters, or counted as received.
 */
import { type Counters, cells } from '../../metrics/counters.ts';
import type { OwnerIdentity } from '../accumulator/batch.ts';
import type { Budget } from '../accumulator/budget.ts';
import type { EventsResponse } from '../acknowledger/http-reply.ts';
import type { Explanation } from '../explain/explanation.ts';
import { Intake } from '../intake/intake.ts';
import { DryRunRecords } from './dry-run-records.ts';
import { DryRunReply } from './dry-run-reply.ts';

const RESULTS = cells('forebay_dry_run_events_total', ['accepted', 'rejected']);
/** The metrics of received events are not those of a dry run. */
const UNCOUNTED = { add: () => {} };

export class DryRuns {
  readonly intake: Intake;
  readonly #counters: Counters;
  readonly #budget: Budget;

  constructor(counters: Counters, budget: Budget) {
    this.#counters = counters;
    this.#budget = budget;
    this.intake = new Intake(
      new DryRunRecords(() => counters.slots),
      UNCOUNTED,
      (owner, frame, event, code, message, _cells, retryAfterMs) =>
        owner.rejected(frame, event, code, message, retryAfterMs),
      { isDryRun: true },
    );
  }

  /** Returns the owner of a body's events; see HttpReply. */
  reply(
    identity: OwnerIdentity,
    respond: (content: EventsResponse) => void,
    requestId: string | undefined,
    explanation: Explanation | undefined,
  ): DryRunReply {
    const asDryRun = (content: EventsResponse) =>
      respond({ ...content, body: { dryRun: true, ...content.body } });
    const reply = new DryRunReply(identity, this.#budget, asDryRun, requestId, true, explanation);
    reply.onResult((result) => this.#counters.add(RESULTS[result]));
    return reply;
  }
}
