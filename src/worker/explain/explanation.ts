import { EXPLAIN_LIMITS } from '../../config/schema-limits.ts';
import type { ExplainedStream, ViolationReader } from '../accumulator/batch.ts';
import type { Budget } from '../accumulator/budget.ts';
import { BUILT_IN_SCHEMA } from '../intake/validator.ts';
import type { ActiveStreams } from '../streams/active-streams.ts';
import type { EventViolations } from './all-violations.ts';
import { type ExplainedEvent, Explainer, type Unexplained } from './explainer.ts';

/** Violations of an event, as the response to its body shows them. */
export interface ExplainedViolations extends EventViolations {
  /** Number of its event in the body. */
  readonly event: number;
  /** Absent without a stream file. */
  readonly stream?: string;
}

/** The part of a response that explains the events that violate their schema. */
export interface ExplanationContent {
  readonly events: readonly ExplainedViolations[];
  /** Number of further events that violate their schema; absent = none. */
  readonly omitted?: number;
  /** Reason why they were left out. */
  readonly reason?: Unexplained | 'limit';
}

interface Collected extends ExplainedEvent {
  readonly event: number;
  readonly stream: string | undefined;
}

const BUILT_IN_TEXT = JSON.stringify(BUILT_IN_SCHEMA);

/**
 * Violations of the first events of a body that do not match their schema. Copies of the events are
 * charged to the budget, even above its limit, until {@link release}.
 */
export class Explanation implements ViolationReader {
  readonly #explainer: Explainer;
  readonly #budget: Pick<Budget, 'forceCharge' | 'release'>;
  readonly #namesStreams: boolean;
  readonly #collected: Collected[] = [];
  #chargedBytes = 0;
  #omitted = 0;
  #reason: ExplanationContent['reason'];
  #events: readonly ExplainedViolations[] = [];
  /** The explainer is at work. */
  #running = false;

  /** @param namesStreams whether a stream file declares the streams */
  constructor(
    explainer: Explainer,
    budget: Pick<Budget, 'forceCharge' | 'release'>,
    namesStreams: boolean,
  ) {
    this.#explainer = explainer;
    this.#budget = budget;
    this.#namesStreams = namesStreams;
    if (!explainer.hasRoom) this.#reason = 'rate_limited';
  }

  /** The explainer is at work. */
  get running(): boolean {
    return this.#running;
  }

  /** The result as far as it is known. */
  get content(): ExplanationContent {
    if (this.#running) return this.#without('timeout');
    if (this.#omitted === 0) return { events: this.#events };
    return { events: this.#events, omitted: this.#omitted, reason: this.#reason ?? 'limit' };
  }

  add(event: number, stream: ExplainedStream, bytes: Buffer, start: number, end: number): void {
    const { events, eventBytes } = EXPLAIN_LIMITS;
    const size = end - start;
    const isFull = this.#collected.length === events || this.#chargedBytes + size > eventBytes;
    if (isFull || this.#reason !== undefined) {
      this.#omitted++;
      return;
    }
    this.#budget.forceCharge(size);
    this.#chargedBytes += size;
    this.#collected.push({
      event,
      stream: this.#namesStreams ? stream.name : undefined,
      schema: stream.spec.schema?.text ?? BUILT_IN_TEXT,
      text: bytes.toString('utf8', start, end),
    });
  }

  /** Explains the events; calls `done` later, or not if there are none. */
  run(done: () => void): void {
    if (this.#collected.length === 0) return;
    this.#running = true;
    this.#explainer.explain(this.#collected, (result) => {
      this.#running = false;
      // Released: the body was answered before.
      if (this.#collected.length === 0) return;
      if (typeof result === 'string') this.#fail(result);
      else this.#explained(result);
      done();
    });
  }

  /** Frees the memory. */
  release(): void {
    this.#budget.release(this.#chargedBytes);
    this.#chargedBytes = 0;
    this.#collected.length = 0;
  }

  #explained(results: readonly EventViolations[]): void {
    let chars = 0;
    const events: ExplainedViolations[] = [];
    for (const [index, found] of results.entries()) {
      for (const { path, message, schema } of found.violations) {
        chars += path.length + message.length + schema.length;
      }
      if (chars > EXPLAIN_LIMITS.chars) break;
      const { event, stream } = this.#collected[index]!;
      events.push({ event, ...(stream !== undefined && { stream }), ...found });
    }
    this.#omitted += results.length - events.length;
    this.#events = events;
  }

  #fail(reason: Unexplained): void {
    this.#omitted += this.#collected.length;
    this.#reason = reason;
  }

  #without(reason: Unexplained): ExplanationContent {
    return { events: [], omitted: this.#omitted + this.#collected.length, reason };
  }
}

/** Creates the explanations of a worker. */
export class Explanations {
  readonly #explainer = new Explainer();
  readonly #budget: Budget;
  readonly #streams: Pick<ActiveStreams, 'areDeclared'>;

  constructor(budget: Budget, streams: Pick<ActiveStreams, 'areDeclared'>) {
    this.#budget = budget;
    this.#streams = streams;
  }

  /** Begins the explanation of a body. */
  begin(): Explanation {
    return new Explanation(this.#explainer, this.#budget, this.#streams.areDeclared);
  }

  /** Ends the explanations that are in progress as `unavailable`. */
  close(): void {
    this.#explainer.close();
  }
}
