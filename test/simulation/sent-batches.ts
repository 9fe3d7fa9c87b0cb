/**
 * Checks every produce request as it leaves against its own model of the lanes: one batch in flight
 * per partition; a batch with an open fate is resent with identical bytes until it is stored, or
 * abandoned behind a new epoch or producer id.
 */
import type { Report } from './report.ts';
import { type BatchView, codesIn, decodeProduceRequest, isComplete, placeOf } from './wire.ts';

/** Codes that a broker returns only before it appends. */
const DEFINITE = new Set([2, 10, 18, 19, 29, 32, 45, 47, 59, 74, 75, 87]);
const STORED = new Set([0, 46]);
const SEQUENCE_SPAN = 2 ** 31;

interface Last {
  readonly batch: BatchView;
  inFlight: boolean;
  /** An attempt to send these bytes has left their fate open. */
  open: boolean;
  stored: boolean;
}

export class SentBatches {
  readonly #report: Report;
  /** By topic and partition. */
  readonly #last = new Map<string, Last>();

  constructor(report: Report) {
    this.#report = report;
  }

  /** A produce request leaves. @returns the callback for its response; undefined = none */
  begin(body: Buffer): (response: Buffer | undefined) => void {
    const { parts } = decodeProduceRequest(body);
    const sent = parts.map((part) => {
      const partition = placeOf(part);
      return { partition, last: this.#take(partition, part.batch) };
    });
    return (response) => {
      const codes = response === undefined ? undefined : codesIn(response);
      for (const { partition, last } of sent) {
        const code = codes?.get(partition);
        last.inFlight = false;
        last.stored = code !== undefined && STORED.has(code);
        last.open = !last.stored && (last.open || code === undefined || !DEFINITE.has(code));
      }
    };
  }

  #take(partition: string, batch: BatchView): Last {
    const report = this.#report;
    const last = this.#last.get(partition);
    const place = `${partition} ${batch.producerId}/${batch.epoch}/${batch.sequence}`;
    if (last !== undefined) {
      // A recreated topic reuses the number, with a lane of its own.
      const sameLane = last.batch.producerId === batch.producerId;
      report.demand(!last.inFlight || !sameLane, `${place}: two batches in flight`);
      if (last.batch.bytes.equals(batch.bytes)) {
        report.demand(!last.stored, `${place}: a stored batch is resent`);
        last.inFlight = true;
        return last;
      }
      this.#follows(place, last, batch);
    }
    report.demand(isComplete(batch), `${place}: the records differ from the header`);
    const taken = { batch, inFlight: true, open: false, stored: false };
    this.#last.set(partition, taken);
    return taken;
  }

  /** Checks epoch and sequence of `batch`, which is sent after another one, `last`. */
  #follows(place: string, { batch: last, open, stored }: Last, batch: BatchView): void {
    const report = this.#report;
    if (batch.producerId !== last.producerId) return;
    const raised = batch.epoch > last.epoch;
    report.demand(batch.epoch >= last.epoch, `${place}: the epoch fell`);
    report.demand(!raised || batch.sequence === 0, `${place}: a new epoch starts at 0`);
    if (raised) return;
    report.demand(!open, `${place}: other bytes after a batch whose fate is open`);
    const next = stored ? (last.sequence + last.records) % SEQUENCE_SPAN : last.sequence;
    report.demand(batch.sequence === next, `${place}: the sequence should be ${next}`);
    if (stored && next < last.sequence) report.count('sequence wrapped');
  }
}
