/** Checks dead letters: what their stream would do with their events now. */
import type { Config } from '../../config/config.ts';
import type { DeadLetter } from '../../kafka/dead-letter.ts';
import { Counters } from '../../metrics/counters.ts';
import type { Owner } from '../../worker/accumulator/batch.ts';
import { Budget } from '../../worker/accumulator/budget.ts';
import { ANONYMOUS } from '../../worker/admission/identity.ts';
import { Intake } from '../../worker/intake/intake.ts';
import type { Route } from '../../worker/streams/route.ts';
import { CheckingAccumulator } from './replay-accumulator.ts';
import { decodeLetter } from './replay-stages.ts';
import type { Failure, ReplayObstacle } from './report.ts';

/** Result of a check. */
export type Verdict =
  | { readonly result: 'passes' }
  | ({ readonly result: 'fails' } & Failure)
  | { readonly result: 'otherStream' }
  | { readonly result: 'notReplayable'; readonly obstacle: ReplayObstacle };

const PASSES: Verdict = { result: 'passes' };
const OTHER_STREAM: Verdict = { result: 'otherStream' };
const UNDECODABLE_LETTER: Verdict = { result: 'notReplayable', obstacle: 'undecodable' };
/** Codes of a frame or body that cannot be split into events. */
const UNDECODABLE: ReadonlySet<string> = new Set([
  'invalid_json',
  'invalid_msgpack',
  'invalid_utf8',
]);
/** Prefix of a message that names an event of a frame. */
const EVENT_PREFIX = /^event \d+: /;

type CheckSettings = Pick<Config, 'maxFrameBytes' | 'maxEventDepth' | 'batchBytes'>;

export class Checker {
  readonly #settings: CheckSettings;
  readonly #intake: Intake;
  #failure: Failure | undefined;
  readonly #owner: Owner = {
    plain: false,
    transport: 'http',
    identity: ANONYMOUS,
    accepted: () => {},
    settled: () => true,
    rejected: () => {},
  };

  constructor(settings: CheckSettings) {
    this.#settings = settings;
    const { batchBytes, maxFrameBytes: maxEventBytes } = settings;
    const accumulator = new CheckingAccumulator({
      budget: new Budget(0),
      batchBytes,
      maxEventBytes,
    });
    this.#intake = new Intake(accumulator, new Counters(), (_owner, _frame, _event, code, text) => {
      this.#failure ??= { code, message: text.replace(EVENT_PREFIX, '') };
    });
  }

  /** Checks a dead letter; a whole frame passes only if all of its events do. */
  check(letter: DeadLetter, routes: { readonly named: Route; readonly unnamed: Route }): Verdict {
    const { value, isTruncated, stream, received } = letter;
    if (value === null) return { result: 'notReplayable', obstacle: 'empty' };
    if (isTruncated) return { result: 'notReplayable', obstacle: 'truncated' };
    this.#failure = undefined;
    const route = stream === undefined ? routes.unnamed : routes.named;
    const intake = this.#intake;
    intake.begin(this.#owner, 0, route, false, undefined, undefined, undefined, received);
    const events = decodeLetter(letter, value, this.#settings, intake);
    intake.countReceived(events);
    const failure = this.#failure as Failure | undefined;
    if (failure === undefined) return events > 0 ? PASSES : UNDECODABLE_LETTER;
    if (failure.code === 'unknown_stream') return OTHER_STREAM;
    if (UNDECODABLE.has(failure.code)) return UNDECODABLE_LETTER;
    return { result: 'fails', ...failure };
  }
}
