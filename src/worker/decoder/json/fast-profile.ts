/** Requirements of the fast validator, and its results. */

export type FieldType = 'string' | 'integer';

/** Required fields of an event. */
export type RequiredFields = Readonly<Record<string, FieldType>>;

/** Requirements for the events of one destination. */
export interface FastProfile {
  readonly required: RequiredFields;
  /** Name or path as in KeyField; it may be one of the required fields. Undefined = no key. */
  readonly keyField: string | undefined;
  /** Fields of the record other than its key; undefined = none. */
  readonly recordFields?: RecordFields | undefined;
}

/** Fields of an event, by name or path as in EventField; undefined = not needed. */
export interface RecordFields {
  readonly id: string | undefined;
  readonly time: string | undefined;
  /** The time is a text, not an integer. */
  readonly isTimeText: boolean;
  readonly trace: string | undefined;
}

/** Fields of the object accepted last, as ranges of its bytes; a length of -1 = none. */
export interface LocatedFields {
  /** Index of its profile. */
  profile: number;
  keyStart: number;
  keyBytes: number;
  /** Those of {@link RecordFields}. */
  idStart: number;
  idBytes: number;
  timeStart: number;
  timeBytes: number;
  traceStart: number;
  traceBytes: number;
}

/** Selects the profile of an event by the text of one of its fields. */
export interface FastRouting {
  /** Name or path as in KeyField. */
  readonly field: string;
  /** Indexes of profiles by the field's text. */
  readonly values: ReadonlyMap<string, number>;
  /** Index of the profile of events without the field; undefined = left to the slow path. */
  readonly absent: number | undefined;
  /** Index for all other texts; undefined = left to the slow path. */
  readonly unknown: number | undefined;
}
