import type { EventTimeFormat } from '../../streams/stream-file.ts';

/** Milliseconds of a unit. */
const UNIT_MS = { s: 1000, ms: 1, us: 1 / 1000, ns: 1 / 1_000_000 } as const;

/** RFC 3339, with `T` and `Z` in upper case. */
const ISO = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)$/;

/** The time of an event as the timestamp of its record. */
export class EventTime {
  readonly #format: EventTimeFormat;

  constructor(format: EventTimeFormat) {
    this.#format = format;
  }

  /** The field is a text. */
  get isText(): boolean {
    return this.#format.unit === 'iso';
  }

  /**
   * Returns the time in a field's value, ms since 1970; undefined = it is not a time, or out of
   * bounds.
   * @param arrivalTime ms since 1970
   */
  of(value: unknown, arrivalTime: number): number | undefined {
    const { unit, pastMs, futureMs } = this.#format;
    const time = unit === 'iso' ? isoTime(value) : numericTime(value, UNIT_MS[unit]);
    if (time === undefined) return undefined;
    const isNear = time >= arrivalTime - pastMs && time <= arrivalTime + futureMs;
    return isNear && time >= 0 ? time : undefined;
  }
}

function isoTime(value: unknown): number | undefined {
  if (typeof value !== 'string' || !ISO.test(value)) return undefined;
  const time = Date.parse(value);
  // NaN: a day or an hour that does not exist.
  return Number.isNaN(time) ? undefined : time;
}

function numericTime(value: unknown, unitMs: number): number | undefined {
  return typeof value === 'number' ? Math.floor(value * unitMs) : undefined;
}
