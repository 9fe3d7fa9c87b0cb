/** Violations of events in this worker, reported to the primary for its live view. */
import { EVENT_CODES, type EventCode, eventCodes } from '../common/errors.ts';
import { printable } from '../common/printable.ts';
import type { ReportedViolations } from '../ipc.ts';
import { STREAM_CELLS } from '../metrics/layout.ts';
import type { MetricSlots } from '../metrics/slots.ts';
import { VIOLATION_LIMITS } from '../violations/limits.ts';
import { redactedEvent } from '../violations/redacted-event.ts';
import {
  type ViolationGroup,
  type ViolationKind,
  type ViolationRow,
  ViolationTable,
} from '../violations/violation-table.ts';

/** Codes of events that are invalid for good, whatever the permissions of their sender. */
const INVALID: ReadonlySet<EventCode> = new Set(
  eventCodes.filter((code) => !EVENT_CODES[code].retry && code !== 'forbidden_stream'),
);

/** Numbers of a reason that depend on the event: lengths and positions. */
const NUMBER = /(?<![\w-])\d+/g;
/** Indexes of arrays in the pointer that a reason of a schema begins with, and of duplicates. */
const INDEX = /(?<=^[^ ]*\/)\d+(?=[/ ])|(?<=items ## |items ## \d+ and )\d+/g;

/**
 * Counts events by stream, kind and reason, and keeps a redacted example of each. It keeps no value
 * of an event: an example has names, types and lengths; reasons name fields and quote the schema.
 */
export class ViolationRecorder {
  readonly #table = new ViolationTable();
  readonly #slots: () => MetricSlots;
  /** Examples of the current period. */
  #examples = 0;
  #hasChanged = false;

  /** @param slots the slots in use, which name the streams */
  constructor(slots: () => MetricSlots) {
    this.#slots = slots;
  }

  /**
   * Counts an event.
   * @param cells offset of the cells of its stream
   * @param reason message of its validator, or of its rejection
   * @param value the parsed event
   */
  record(
    cells: number,
    kind: ViolationKind,
    code: EventCode,
    reason: string,
    value: unknown,
  ): void {
    const row = this.#add(cells, kind, code, reason, 1);
    if (row !== undefined && this.#isDue(row)) this.#setExample(row, redactedEvent(value));
  }

  /**
   * Counts rejected events, if they are invalid.
   * @param value of the last one, if it was parsed
   */
  rejected(cells: number, code: EventCode, reason: string, value?: unknown, events = 1): void {
    if (!INVALID.has(code)) return;
    if (value === undefined) this.#add(cells, 'rejected', code, reason, events);
    else this.record(cells, 'rejected', code, reason, value);
  }

  /** Returns the events since the last call, and the examples since then; undefined = none. */
  take(): ReportedViolations | undefined {
    if (!this.#hasChanged) return undefined;
    this.#hasChanged = false;
    this.#examples = 0;
    const groups = [...this.#table.groups()].map(takeGroup);
    this.#table.endPeriod();
    return groups.filter(({ rows, otherEvents }) => rows.length > 0 || otherEvents > 0);
  }

  #add(
    cells: number,
    kind: ViolationKind,
    code: EventCode,
    reason: string,
    events: number,
  ): ViolationRow | undefined {
    this.#hasChanged = true;
    const stream = this.#slots().streams[cells / STREAM_CELLS]!;
    const group = this.#table.group(stream, kind);
    return this.#table.add(group, code, grouped(code, reason), events);
  }

  /** Whether a row needs another example, and there is time for it. */
  #isDue(row: ViolationRow): boolean {
    const { examples, exampleReports } = VIOLATION_LIMITS;
    if (this.#examples >= examples) return false;
    return this.#table.period - row.examplePeriod >= exampleReports;
  }

  #setExample(row: ViolationRow, example: string): void {
    this.#examples++;
    row.example = example;
    row.examplePeriod = this.#table.period;
  }
}

/** Joins reasons that differ by numbers of the event only. */
function grouped(code: EventCode, reason: string): string {
  if (code !== 'schema') return reason.replace(NUMBER, 'N');
  const mayHaveIndex = reason.startsWith('/') || reason.includes('##');
  return mayHaveIndex ? reason.replace(INDEX, 'N') : reason;
}

/** Takes the changes of a group. */
function takeGroup(group: ViolationGroup): ReportedViolations[number] {
  const { stream, kind, otherEvents } = group;
  group.otherEvents = 0;
  const rows = [...group.rows.values()].filter(({ events }) => events > 0).map(takeRow);
  return { stream, kind, otherEvents, rows };
}

function takeRow(row: ViolationRow) {
  const { code, reason, events, example } = row;
  row.events = 0;
  row.example = undefined;
  return { code, reason: shown(reason), events, example };
}

/** Escapes and cuts a reason, which may contain names of fields. */
function shown(reason: string): string {
  const { reasonChars } = VIOLATION_LIMITS;
  const text = printable(reason);
  return text.length <= reasonChars ? text : `${text.slice(0, reasonChars - 1)}…`;
}
