/**
 * What the records of sent events must say of their origin: headers, times, and the mark of
 * possible repeats. Checked at rest.
 */
import { nameIn, type SimEvent } from './events.ts';
import type { Report } from './report.ts';
import type { LogRecord } from './wire.ts';

/** Rounding of the time that a frame waits before it is decoded. */
const ROUNDING_MS = 1;

/** Facts about one sending of an event. */
export interface Dispatch {
  readonly transport: 'ws' | 'http';
  /** The sender declared it as a possible repeat. */
  readonly isResent: boolean;
}

interface Attempt extends Dispatch {
  readonly event: SimEvent;
  /** Arrival of its frame or body, ms since 1970; undefined = it never arrived as a whole. */
  arrivedAt: number | undefined;
}

/** When leaders appended copies of an event. */
interface Copies {
  marked: number[];
  unmarked: number[];
}

export class Origins {
  readonly #report: Report;
  readonly #attempts = new Map<string, Attempt>();

  constructor(report: Report) {
    this.#report = report;
  }

  /** An event is being sent. */
  sent(event: SimEvent, { transport, isResent }: Dispatch): void {
    const attempt = { event, transport, isResent, arrivedAt: undefined };
    this.#attempts.set(`${event.id}#${event.attempt}`, attempt);
  }

  /** The frame or body with these events has arrived. */
  arrived(events: readonly SimEvent[]): void {
    for (const { id, attempt } of events) {
      this.#attempts.get(`${id}#${attempt}`)!.arrivedAt = Date.now();
    }
  }

  /** Checks the records of all topics. */
  check(records: Iterable<LogRecord>): void {
    const copies = new Map<string, Copies>();
    for (const record of records) {
      const name = nameIn(String(record.value));
      const attempt = this.#attempts.get(name);
      if (attempt?.arrivedAt === undefined) {
        this.#report.violation(`${name} is stored, and never arrived`);
        continue;
      }
      this.#checkRecord(name, attempt, attempt.arrivedAt, record);
      const { id, records: form } = attempt.event;
      if (!form.headers.includes('resent')) continue;
      const ofId = copies.get(id) ?? { marked: [], unmarked: [] };
      copies.set(id, ofId);
      const isMarked = record.headers.some((header) => header.name === 'fb-resent');
      ofId[isMarked ? 'marked' : 'unmarked'].push(record.appendedAtMs);
    }
    for (const [id, ofId] of copies) this.#checkCopies(id, ofId);
  }

  #checkRecord(name: string, attempt: Attempt, arrivedAt: number, record: LogRecord): void {
    const report = this.#report;
    const { event } = attempt;
    const received = textOf(record, 'fb-received');
    const stated = record.headers.map((header) => `${header.name}=${header.value}`);
    const expected = headersOf(attempt, received ?? 'missing');
    report.demand(
      stated.join() === expected.join(),
      `${name} has the headers ${stated}, not ${expected}`,
    );
    const arrival = received === undefined ? arrivedAt : Number(received);
    const isNear = Math.abs(arrival - arrivedAt) <= ROUNDING_MS;
    report.demand(isNear, `${name} arrived at ${arrivedAt}, and fb-received is ${received}`);
    const { timestamp } = record;
    if (event.isTimely) {
      report.count('event time');
      report.demand(
        timestamp === event.time,
        `${name} has the timestamp ${timestamp}, not ${event.time}`,
      );
      return;
    }
    if (event.records.isTimed) report.count('event time out of bounds');
    // It is later if Kafka rejected it.
    report.demand(
      timestamp >= arrival - ROUNDING_MS,
      `${name} arrived at ${arrival}, and its timestamp is ${timestamp}`,
    );
  }

  /** Checks the rule: of all copies of one id, at most one is unmarked. */
  #checkCopies(id: string, { marked, unmarked }: Copies): void {
    const report = this.#report;
    report.demand(unmarked.length <= 1, `${id} has ${unmarked.length} unmarked copies`);
    report.count('marked repeat', marked.length);
    if (marked.length === 0 || unmarked.length === 0) return;
    report.count('original and marked repeat');
    if (unmarked[0]! > Math.min(...marked)) report.count('original after its marked repeat');
  }
}

/** Returns the headers of an attempt's record, in order. */
function headersOf({ event, transport, isResent }: Attempt, received: string): string[] {
  const { headers, isTimed } = event.records;
  const stated: string[] = [];
  if (headers.includes('received')) stated.push(`fb-received=${received}`);
  if (headers.includes('event-id')) stated.push(`fb-id=${event.id}`);
  if (headers.includes('resent') && isResent) stated.push('fb-resent=1');
  if (headers.includes('stream')) stated.push(`fb-stream=${event.stream}`);
  if (headers.includes('transport')) stated.push(`fb-transport=${transport}`);
  if (isTimed && !event.isTimely) stated.push('fb-time=arrival');
  return stated;
}

function textOf({ headers }: LogRecord, wanted: string): string | undefined {
  return headers.find(({ name }) => name === wanted)?.value?.toString();
}
