import assert from 'node:assert/strict';
import { EVENT_CODES, type EventCode } from '../../common/errors.ts';
import type { Owner, OwnerIdentity } from '../accumulator/batch.ts';
import type { Budget } from '../accumulator/budget.ts';
import type { Explanation, ExplanationContent } from '../explain/explanation.ts';
import { type RejectionEntry, Rejections } from './rejections.ts';
import { type StoredRecord, StoredRecords } from './stored-records.ts';

/** The response to `POST /events`. */
export interface EventsResponse {
  readonly status: 200 | 207 | 400 | 429 | 503;
  /** Seconds; present if any event may be retried. */
  readonly retryAfter?: number;
  readonly body: {
    /** Nothing was stored. */
    readonly dryRun?: true;
    readonly accepted: number;
    readonly errors: readonly RejectionEntry[];
    /** Present if the request asks for it, as the next one. */
    readonly records?: readonly StoredRecord[];
    readonly explain?: ExplanationContent;
  };
}

/** The owner of one body's events; responds once, when all are settled or the time is over. */
export class HttpReply implements Owner {
  readonly plain = false;
  readonly transport = 'http';
  readonly identity: OwnerIdentity;
  readonly requestId: string | undefined;
  readonly explanation: Explanation | undefined;
  readonly #respond: (content: EventsResponse) => void;
  readonly #budget: Budget;
  #rejections: Rejections | undefined;
  /** Undefined = the response shows no records. */
  readonly #records: StoredRecords | undefined;
  /** Unsettled events. */
  readonly #open = new Set<number>();
  /** Offset of the cells of the events' stream in the metrics; undefined = no event yet. */
  #cells: number | undefined;
  /** Offset by event, for those of other streams. */
  #otherCells: Map<number, number> | undefined;
  #stored = 0;
  #decoded = false;
  #answered = false;
  #failed = false;

  /**
   * @param identity of its client
   * @param budget charged for rejections and shown records until the response
   * @param requestId see Owner
   * @param showsRecords whether the response shows the first stored records
   * @param explanation of violations, which the response shows
   */
  constructor(
    identity: OwnerIdentity,
    budget: Budget,
    respond: (content: EventsResponse) => void,
    requestId?: string,
    showsRecords = false,
    explanation?: Explanation,
  ) {
    this.#records = showsRecords ? new StoredRecords(budget) : undefined;
    this.explanation = explanation;
    this.requestId = requestId;
    this.identity = identity;
    this.#budget = budget;
    this.#respond = respond;
  }

  get answered(): boolean {
    return this.#answered;
  }

  get recordReader(): StoredRecords | undefined {
    return this.#answered || this.#failed ? undefined : this.#records;
  }

  /** Unsettled events whose sender has received `timeout`. */
  get late(): number {
    return this.#answered ? this.#open.size : 0;
  }

  /** Ends decoding of the body: its events are all accepted or rejected. */
  endBody(): void {
    this.#decoded = true;
    this.explanation?.run(() => this.#respondIfDone());
    this.#respondIfDone();
  }

  accepted(_frame: number, event: number, cells: number): void {
    this.#open.add(event);
    this.#cells ??= cells;
    if (cells === this.#cells) return;
    this.#otherCells ??= new Map();
    this.#otherCells.set(event, cells);
  }

  /**
   * Calls `visit` with the unsettled events, as numbers of one stream.
   * @param visit receives the offset of the stream's cells in the metrics
   */
  eachOpen(visit: (cells: number, events: number) => void): void {
    const cells = this.#cells ?? 0;
    if (this.#otherCells === undefined) return visit(cells, this.#open.size);
    for (const event of this.#open) visit(this.#otherCells.get(event) ?? cells, 1);
  }

  settled(_frame: number, events: readonly number[], from: number, to: number): boolean {
    for (let index = from; index < to; index++) {
      if (this.#open.delete(events[index]!)) this.#stored++;
    }
    if (this.#answered) return false;
    this.#respondIfDone();
    return true;
  }

  rejected(
    _frame: number,
    event: number | undefined,
    code: EventCode,
    message: string,
    retryAfterMs?: number,
  ): void {
    if (this.#answered) return;
    if (event !== undefined) this.#open.delete(event);
    this.#reject(event, code, message, retryAfterMs);
  }

  /** Rejects unsettled events as `timeout` and responds. @returns their number */
  expire(): number {
    assert(!this.#answered && this.#decoded, 'only a decoded body expires');
    for (const event of this.#open) this.#reject(event, 'timeout', EVENT_CODES.timeout.text);
    this.#finish();
    return this.#open.size;
  }

  /** Handles an internal error: no response is sent, whatever the results of its events. */
  fail(): void {
    this.#failed = true;
    this.#release();
  }

  #reject(
    event: number | undefined,
    code: EventCode,
    message: string,
    retryAfterMs?: number,
  ): void {
    if (this.#failed) return;
    this.#rejections ??= new Rejections(this.#budget);
    this.#rejections.add(event, code, message, retryAfterMs);
  }

  #respondIfDone(): void {
    const isSettled = this.#decoded && this.#open.size === 0;
    if (isSettled && !this.#failed && !this.explanation?.running) this.#finish();
  }

  #finish(): void {
    this.#answered = true;
    const errors = this.#rejections?.entries() ?? [];
    const { all: records } = this.#records ?? {};
    const content = responseFor(this.#stored, errors, records, this.explanation?.content);
    this.#release();
    this.#respond(content);
  }

  #release(): void {
    this.#rejections?.release();
    this.#records?.release();
    this.explanation?.release();
  }
}

/** Returns the response for the results of a body: the table in docs/protocol.md. */
export function responseFor(
  accepted: number,
  errors: readonly RejectionEntry[],
  records?: readonly StoredRecord[],
  explain?: ExplanationContent,
): EventsResponse {
  const body = {
    accepted,
    errors,
    ...(records !== undefined && { records }),
    ...(explain !== undefined && { explain }),
  };
  if (errors.length === 0) return { status: 200, body };
  const retryable = errors.filter(({ code }) => EVENT_CODES[code].retry);
  if (retryable.length === 0) return { status: accepted > 0 ? 207 : 400, body };
  const longest = Math.max(...retryable.map(({ retryAfterMs }) => retryAfterMs ?? 0));
  const limited = retryable.every(({ code }) => code === 'rate_limited');
  return { status: limited ? 429 : 503, retryAfter: Math.ceil(longest / 1000), body };
}
