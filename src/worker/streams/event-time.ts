import { LIMITS } from '../../config/limits.ts';
import type { EventTimeFormat } from '../../streams/stream-file.ts';
import type { Topic } from '../accumulator/topic.ts';

/** Milliseconds of a unit, as a fraction: a decimal factor below 1 would be inexact. */
const UNIT_MS = { s: [1000, 1], ms: [1, 1], us: [1, 1000], ns: [1, 1_000_000] } as const;

/** RFC 3339, with `T` and `Z` in upper case. */
const ISO = /^\d{4}-\d\d-\d\dT(?:[01]\d|2[0-3]):\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)$/;
const DAY_MS = 86_400_000;

/** The time of an event as the timestamp of its record. */
export class EventTime {
  readonly #format: EventTimeFormat;
  readonly #topic: Pick<Topic, 'timestamps'>;

  /** @param topic of the records: times that it does not accept are out of bounds as well */
  constructor(format: EventTimeFormat, topic: Pick<Topic, 'timestamps'>) {
    this.#format = format;
    this.#topic = topic;
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
    const { beforeMs, afterMs } = this.#topic.timestamps;
    const time = unit === 'iso' ? isoTime(value) : numericTime(value, UNIT_MS[unit]);
    if (time === undefined) return undefined;
    const earliest = arrivalTime - Math.min(pastMs, within(beforeMs));
    const latest = arrivalTime + Math.min(futureMs, within(afterMs));
    return time >= 0 && time >= earliest && time <= latest ? time : undefined;
  }
}

/** Returns a bound of the topic, minus the time that a record may wait and clocks may differ. */
function within(boundMs: number | undefined): number {
  return Math.max(0, (boundMs ?? Number.POSITIVE_INFINITY) - LIMITS.timestampMarginMs);
}

function isoTime(value: unknown): number | undefined {
  if (typeof value !== 'string' || !ISO.test(value) || !hasDay(value)) return undefined;
  const time = Date.parse(value);
  // NaN: a month or a minute that does not exist.
  return Number.isNaN(time) ? undefined : time;
}

/** Returns whether the month of a date has its day: `Date.parse` takes 30 February as 2 March. */
function hasDay(date: string): boolean {
  const [year, month] = [Number(date.slice(0, 4)), Number(date.slice(5, 7))];
  const monthMs = Date.UTC(year, month) - Date.UTC(year, month - 1);
  return Number(date.slice(8, 10)) * DAY_MS <= monthMs;
}

/** Rounds to milliseconds: a time in `ns` exceeds the exact integers of a double. */
function numericTime(value: unknown, [ms, units]: readonly [number, number]): number | undefined {
  return typeof value === 'number' ? Math.round((value * ms) / units) : undefined;
}
