/**
 * Table of violations by stream, kind and reason, for workers and the primary. Invariant: its size
 * is bounded whatever events arrive, and no event is counted twice: those of reasons without a row
 * are counted as other.
 */
import type { EventCode } from '../common/errors.ts';
import { VIOLATION_LIMITS } from './limits.ts';

/**
 * `rejected`: the event was rejected for good; `warn`: it was stored although it violates the
 * schema; `candidate`: it violates the candidate schema only.
 */
export const VIOLATION_KINDS = ['rejected', 'warn', 'candidate'] as const;
export type ViolationKind = (typeof VIOLATION_KINDS)[number];

/** Events of a stream with the same reason. */
export interface ViolationRow {
  readonly code: EventCode;
  readonly reason: string;
  events: number;
  /** Redacted text of a recent event; undefined = none yet. */
  example: string | undefined;
  /** Period of the example; see {@link ViolationTable.endPeriod}. */
  examplePeriod: number;
  /** Time of the latest event, in ms since 1970; only the primary sets it. */
  atMs: number;
  /** Position of the latest event among those of all rows. */
  used: number;
}

/** Events of one stream and kind. */
export class ViolationGroup {
  readonly stream: string;
  readonly kind: ViolationKind;
  /** By code and reason. */
  readonly rows = new Map<string, ViolationRow>();
  /** Events of reasons without a row. */
  otherEvents = 0;
  /** Rows evicted in the current period. */
  evicted = 0;

  constructor(stream: string, kind: ViolationKind) {
    this.stream = stream;
    this.kind = kind;
  }
}

export class ViolationTable {
  readonly #groups: Readonly<Record<ViolationKind, Map<string, ViolationGroup>>> = {
    rejected: new Map(),
    warn: new Map(),
    candidate: new Map(),
  };
  #rows = 0;
  #events = 0;
  #period = 0;

  /** Number of the current period, from 0. */
  get period(): number {
    return this.#period;
  }

  /** All groups, by kind, each in the order of their first event. */
  *groups(): Generator<ViolationGroup, void> {
    for (const kind of VIOLATION_KINDS) yield* this.#groups[kind].values();
  }

  /** Returns the group of a stream and kind. */
  group(stream: string, kind: ViolationKind): ViolationGroup {
    const ofKind = this.#groups[kind];
    let group = ofKind.get(stream);
    if (group === undefined) {
      group = new ViolationGroup(stream, kind);
      ofKind.set(stream, group);
    }
    return group;
  }

  /**
   * Counts events.
   * @returns the row of their reason; undefined = they count as other
   */
  add(
    group: ViolationGroup,
    code: EventCode,
    reason: string,
    events: number,
  ): ViolationRow | undefined {
    const key = `${code}: ${reason}`;
    const row = group.rows.get(key) ?? this.#newRow(group, key, code, reason);
    if (row === undefined) {
      group.otherEvents += events;
      return undefined;
    }
    row.events += events;
    row.used = ++this.#events;
    return row;
  }

  /**
   * Ends a period. Per period, new reasons replace a few rows of each group: a flood of distinct
   * reasons does not evict those that recur.
   */
  endPeriod(): void {
    this.#period++;
    for (const group of this.groups()) group.evicted = 0;
  }

  /** Creates a row, in place of the least recently used one if there is no room. */
  #newRow(
    group: ViolationGroup,
    key: string,
    code: EventCode,
    reason: string,
  ): ViolationRow | undefined {
    const { rows, rowsPerStream, evictionsPerPeriod } = VIOLATION_LIMITS;
    const isGroupFull = group.rows.size >= rowsPerStream;
    if (isGroupFull || this.#rows >= rows) {
      if (group.evicted >= evictionsPerPeriod) return undefined;
      group.evicted++;
      this.#evict(isGroupFull ? [group] : this.groups());
    }
    const row = { code, reason, events: 0, example: undefined, atMs: 0, used: 0 };
    const added: ViolationRow = { ...row, examplePeriod: Number.NEGATIVE_INFINITY };
    group.rows.set(key, added);
    this.#rows++;
    return added;
  }

  #evict(groups: Iterable<ViolationGroup>): void {
    let oldest: [group: ViolationGroup, key: string, row: ViolationRow] | undefined;
    for (const group of groups) {
      for (const [key, row] of group.rows) {
        if (oldest === undefined || row.used < oldest[2].used) oldest = [group, key, row];
      }
    }
    if (oldest === undefined) return;
    const [group, key, { events }] = oldest;
    group.rows.delete(key);
    group.otherEvents += events;
    this.#rows--;
  }
}
