/** Violations of the instance: sums over its workers, for the live view and /violations. */
import type { EventCode } from '../common/errors.ts';
import type { ReportedViolations } from '../ipc.ts';
import { type ViolationKind, ViolationTable } from '../violations/violation-table.ts';

/** Events of one stream and kind since the start. */
export interface StreamViolations {
  readonly stream: string;
  readonly kind: ViolationKind;
  readonly events: number;
  /** The most recently seen reasons, those with the most events first. */
  readonly reasons: readonly {
    readonly code: EventCode;
    readonly reason: string;
    readonly events: number;
    /** Time of the last report of such events, in ms since 1970. */
    readonly atMs: number;
    /** Structure of a recent event; null = not known. */
    readonly example: string | null;
  }[];
  /** Events of other reasons. */
  readonly otherEvents: number;
}

export class InstanceViolations {
  readonly #table = new ViolationTable();
  #version = 0;

  /** Increases with each change. */
  get version(): number {
    return this.#version;
  }

  /**
   * Adds the report of a worker; undefined = it has none.
   * @param nowMs in ms since 1970
   */
  update(report: ReportedViolations | undefined, nowMs = Date.now()): void {
    if (report === undefined) return;
    this.#version++;
    const table = this.#table;
    for (const { stream, kind, otherEvents, rows } of report) {
      const group = table.group(stream, kind);
      group.otherEvents += otherEvents;
      for (const { code, reason, events, example } of rows) {
        const row = table.add(group, code, reason, events);
        if (row === undefined) continue;
        row.atMs = nowMs;
        row.example = example ?? row.example;
      }
    }
    table.endPeriod();
  }

  /** Returns all streams with violations. */
  list(): StreamViolations[] {
    return [...this.#table.groups()].map(({ stream, kind, otherEvents, rows }) => {
      const sorted = [...rows.values()].sort((a, b) => b.events - a.events);
      const reasons = sorted.map(({ code, reason, events, atMs, example = null }) => {
        return { code, reason, events, atMs, example };
      });
      const events = reasons.reduce((sum, row) => sum + row.events, otherEvents);
      return { stream, kind, events, reasons, otherEvents };
    });
  }
}
