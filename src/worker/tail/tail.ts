/**
 * Live tail of a worker: passes the outcomes of events that viewers want to see to the primary.
 * Invariant: it changes nothing about an event. It observes outcomes only while there are viewers,
 * takes a bounded share of the worker's time, and leaves events out instead of waiting.
 */
import { EVENT_CODES, type EventCode } from '../../common/errors.ts';
import type { Logger } from '../../logging/logger.ts';
import type { TailReport, TailViewer } from '../../tail/entry.ts';
import { matchesFacts } from '../../tail/filter.ts';
import { TAIL_LIMITS } from '../../tail/limits.ts';
import type { Redaction } from '../../tail/redaction.ts';
import type { Owner, RecordBatch } from '../accumulator/batch.ts';
import type { RecordSlice } from '../accumulator/records.ts';
import type { Acknowledger } from '../acknowledger/acknowledger.ts';
import type { ArrivalRejection, OutcomeListener } from '../acknowledger/outcome-listener.ts';
import { TokenBucket } from '../admission/token-bucket.ts';
import type { DeadLetters } from '../dead-letters/dead-letters.ts';
import { DutyCycle } from '../intake/duty-cycle.ts';
import type { ActiveStreams } from '../streams/active-streams.ts';
import {
  type Draft,
  entryOfMany,
  entryOfRecord,
  entryOfRejection,
  type OutcomeFacts,
  streamName,
} from './entries.ts';
import { completeEntry, ExplainedEntries, type Explains } from './explained-entries.ts';

export interface TailParts {
  readonly acknowledger: Pick<Acknowledger, 'outcomes'>;
  readonly streams: Pick<ActiveStreams, 'table'>;
  readonly deadLetters: Pick<DeadLetters, 'copies'>;
  readonly redaction: Redaction;
  /** Sends a report to the primary; resolves when it has left. */
  readonly send: (report: TailReport) => Promise<void>;
  readonly log: Pick<Logger, 'error'>;
  /** Finds all violations; by default in a thread. */
  readonly explainer?: Explains;
  /** Decides whether there is time for the next event. */
  readonly duty?: Pick<DutyCycle, 'begin' | 'end'>;
}

/** A viewer, and what is left of its events per second. */
interface Watching extends TailViewer {
  readonly bucket: TokenBucket;
  skipped: number;
}

/** An entry that waits for the next report. */
interface PendingEntry extends Draft {
  readonly viewers: readonly number[];
}

export class Tail implements OutcomeListener {
  readonly #parts: TailParts;
  readonly #duty: Pick<DutyCycle, 'begin' | 'end'>;
  readonly #explained: ExplainedEntries;
  #viewers: readonly Watching[] = [];
  #pending: PendingEntry[] = [];
  #timer: NodeJS.Timeout | undefined;
  /** Reports on their way to the primary. */
  #unsent = 0;
  /** Copies for dead letters before the latest outcome. */
  #copies = 0;
  /** Records of the batch whose outcome is being reported. */
  #slices: readonly [batch: RecordBatch, slices: readonly RecordSlice[]] | undefined;

  constructor(parts: TailParts) {
    this.#parts = parts;
    this.#duty = parts.duty ?? new DutyCycle(TAIL_LIMITS.share);
    this.#explained = new ExplainedEntries(parts.explainer);
  }

  /** Observes outcomes for these viewers from now on; none = no outcomes. */
  watch(viewers: readonly TailViewer[]): void {
    const known = new Map(this.#viewers.map((viewer) => [viewer.id, viewer]));
    const { eventsPerSecond } = TAIL_LIMITS;
    this.#viewers = viewers.map(({ id, filter }) => {
      const bucket = new TokenBucket({ eventsPerSecond, burst: eventsPerSecond });
      return known.get(id) ?? { id, filter, bucket, skipped: 0 };
    });
    const isWatched = viewers.length > 0;
    if (isWatched && this.#parts.acknowledger.outcomes === undefined) {
      this.#copies = this.#parts.deadLetters.copies;
    }
    this.#parts.acknowledger.outcomes = isWatched ? this : undefined;
    if (isWatched) return;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#pending = [];
    this.#slices = undefined;
    this.#explained.close();
  }

  rejected(
    owner: Owner,
    event: number | undefined,
    code: EventCode,
    cells: number,
    events: number,
    rejection: ArrivalRejection,
  ): void {
    this.#contain(() => {
      const facts = this.#factsOf(owner, cells, code);
      const { redaction } = this.#parts;
      this.#offer(facts, events, () =>
        entryOfRejection(facts, event, events, rejection, redaction),
      );
    });
  }

  stored(batch: RecordBatch, from: number, to: number, isLate: boolean): void {
    this.#contain(() => this.#offerRecords(batch, from, to, undefined, isLate));
  }

  failed(batch: RecordBatch, from: number, to: number, code: EventCode): void {
    this.#contain(() => this.#offerRecords(batch, from, to, code));
  }

  expired(owner: Owner, cells: number, events: number): void {
    this.#contain(() => {
      const facts = this.#factsOf(owner, cells, 'timeout');
      const { text } = EVENT_CODES.timeout;
      this.#offer(facts, events, () => entryOfMany(facts, events, text));
    });
  }

  #offerRecords(
    batch: RecordBatch,
    from: number,
    to: number,
    code: EventCode | undefined,
    isLate = false,
  ): void {
    const facts = this.#factsOf(batch.owners[from]!, batch.cellsOf(from), code);
    const reason = code === undefined ? undefined : EVENT_CODES[code].text;
    const { redaction } = this.#parts;
    const interested = this.#interestedIn(facts);
    if (interested.length === 0) return;
    for (let index = from; index < to; index++) {
      const isRead = this.#offerTo(interested, 1, () => {
        const slice = this.#slicesOf(batch)[index]!;
        return entryOfRecord(facts, batch, index, slice, redaction, reason, isLate);
      });
      if (isRead) continue;
      // Offering each of the others would take time as well.
      for (const viewer of interested) viewer.skipped += to - index - 1;
      return;
    }
  }

  #slicesOf(batch: RecordBatch): readonly RecordSlice[] {
    if (this.#slices?.[0] !== batch) this.#slices = [batch, batch.slices()];
    return this.#slices[1];
  }

  /** @param code of a rejection */
  #factsOf(owner: Owner, cells: number, code: EventCode | undefined): OutcomeFacts {
    const stream = this.#parts.streams.table.streamAt(cells);
    if (code === undefined) return { outcome: 'accepted', code, owner, stream };
    const { copies } = this.#parts.deadLetters;
    const isCopied = copies !== this.#copies;
    this.#copies = copies;
    return { outcome: isCopied ? 'dead_lettered' : 'rejected', code, owner, stream };
  }

  #interestedIn({ outcome, code, owner, stream }: OutcomeFacts): readonly Watching[] {
    const identity = owner.identity.name;
    const facts = { outcome, code, identity, stream: streamName(stream) };
    return this.#viewers.filter(({ filter }) => matchesFacts(filter, facts));
  }

  #offer(facts: OutcomeFacts, events: number, read: () => Draft): void {
    const interested = this.#interestedIn(facts);
    if (interested.length > 0) this.#offerTo(interested, events, read);
  }

  /**
   * Adds an entry for the viewers whose limit and filter permit it.
   * @param events in the entry
   * @returns whether a viewer had room for it, and the worker time
   */
  #offerTo(interested: readonly Watching[], events: number, read: () => Draft): boolean {
    const nowMs = performance.now();
    const ready = interested.filter(({ bucket }) => bucket.has(nowMs));
    const isRead = ready.length > 0 && this.#duty.begin();
    for (const viewer of interested) {
      if (!isRead || !ready.includes(viewer)) viewer.skipped += events;
    }
    this.#reportLater();
    if (!isRead) return false;
    const draft = read();
    const shown = ready.filter(({ filter: { text } }) => text === undefined || has(draft, text));
    for (const { bucket } of shown) bucket.take();
    if (shown.length > 0) this.#pending.push({ ...draft, viewers: shown.map(({ id }) => id) });
    this.#duty.end();
    return true;
  }

  #reportLater(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#contain(() => this.#report());
    }, TAIL_LIMITS.reportMs);
  }

  #report(): void {
    this.#slices = undefined;
    const pending = this.#pending;
    this.#pending = [];
    this.#explained.explain(pending, () => this.#contain(() => this.#send(pending)));
  }

  #send(pending: readonly PendingEntry[]): void {
    if (this.#unsent >= TAIL_LIMITS.unsentReports) {
      // The primary is busy: the next report says how many are missing.
      for (const { viewers } of pending) {
        for (const viewer of this.#viewers) if (viewers.includes(viewer.id)) viewer.skipped++;
      }
      return this.#reportLater();
    }
    const entries = pending.map(({ viewers, entry }) => ({ viewers, json: completeEntry(entry) }));
    const skipped = this.#viewers
      .filter((viewer) => viewer.skipped > 0)
      .map((viewer) => [viewer.id, viewer.skipped] as const);
    for (const viewer of this.#viewers) viewer.skipped = 0;
    if (entries.length + skipped.length === 0) return;
    this.#unsent++;
    void this.#parts.send({ entries, skipped }).then(() => {
      this.#unsent--;
    });
  }

  /** Runs a step; its failure must not concern the event whose outcome it observes. */
  #contain(step: () => void): void {
    try {
      step();
    } catch (err) {
      this.watch([]);
      this.#parts.log.error({ err }, 'internal error in the live tail, ending it');
    }
  }
}

/** Returns whether a text in lower case occurs in what is shown of an event. */
function has({ entry }: Draft, text: string): boolean {
  const { event, raw = '', key = '', reason = '' } = entry;
  const shown = event === undefined ? raw : JSON.stringify(event);
  return [shown, key, reason].some((part) => part.toLowerCase().includes(text));
}
