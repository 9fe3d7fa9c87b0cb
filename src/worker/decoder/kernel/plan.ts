/**
 * Plan for deciding values by their bytes: the part of a schema that needs no parsed value, and the
 * fields of the record. Plans of a recursive schema contain themselves.
 */
import { ALL_TYPES } from './layout.ts';

/** A value that fails one of the checks is undecided. */
export interface ValuePlan {
  /** Bits of the accepted types, as in layout.ts. */
  readonly types: number;
  /** Bits of the fields of the record that the value fills, as in layout.ts; usually 0. */
  readonly captures: number;
  /** Checks of a type; undefined = any value of the type is accepted. */
  readonly object?: ObjectPlan | undefined;
  readonly array?: ArrayPlan | undefined;
  readonly string?: StringPlan | undefined;
  readonly number?: NumberPlan | undefined;
}

export interface ObjectPlan {
  /** Values by name. A name that occurs twice is undecided: `JSON.parse` uses the last value. */
  readonly properties: ReadonlyMap<string, ValuePlan>;
  /** Subset of the names. */
  readonly required: ReadonlySet<string>;
  /** Values of other names; undefined = they are undecided. */
  readonly others: ValuePlan | undefined;
  /** Minimum number of named properties; default 0. */
  readonly min?: number | undefined;
  /** Maximum number of all properties; default unlimited. */
  readonly max?: number | undefined;
}

export interface ArrayPlan {
  /** The first items. */
  readonly prefix: readonly ValuePlan[];
  /** All others; undefined = they are undecided. */
  readonly items: ValuePlan | undefined;
  readonly min?: number | undefined;
  readonly max?: number | undefined;
  /** Items must differ: two or more are undecided. */
  readonly unique?: boolean | undefined;
}

export interface StringPlan {
  /** Code points. */
  readonly min?: number | undefined;
  readonly max?: number | undefined;
  /** Accepted texts; undefined = all. Lone surrogates are not accepted: they have no UTF-8. */
  readonly texts?: readonly string[] | undefined;
  /** Each must accept the text. */
  readonly automata?: readonly Automaton[] | undefined;
}

export interface NumberPlan {
  readonly min?: Bound | undefined;
  readonly max?: Bound | undefined;
  /** Divisor; positive. */
  readonly multipleOf?: number | undefined;
  /** Accepted values; undefined = all. */
  readonly values?: readonly number[] | undefined;
}

export interface Bound {
  readonly value: number;
  readonly isExclusive: boolean;
}

/** Deterministic finite automaton over the UTF-8 bytes of a text. State 0 accepts nothing. */
export interface Automaton {
  readonly start: number;
  /** Class of each byte: 256. */
  readonly classes: Uint8Array;
  readonly classCount: number;
  /** 1 per accepting state. */
  readonly accepting: Uint8Array;
  /** Next state at `state * classCount + class`. */
  readonly transitions: Uint16Array;
}

/** Accepts every value. */
export const ANY: ValuePlan = { types: ALL_TYPES, captures: 0 };

/** Plan for the events of one destination: of objects alone. */
export type Profile = ValuePlan;

/** Selects the profile of an event by the text of one of its fields. */
export interface RoutingPlan {
  /** Locates the field: captures it as ROUTE, and accepts everything else. */
  readonly event: ValuePlan;
  /** Indexes of profiles by the field's text. */
  readonly values: ReadonlyMap<string, number>;
  /** Index of the profile of events without the field; undefined = undecided. */
  readonly absent: number | undefined;
  /** Index for all other texts; undefined = undecided. */
  readonly unknown: number | undefined;
}

/** Fields of an event that its record needs, each by its name or path as in EventField. */
export interface RecordFields {
  /** Fields of the key, in order; undefined = not needed, as for the next ones. */
  readonly key?: readonly string[] | undefined;
  readonly id?: string | undefined;
  readonly trace?: string | undefined;
  readonly time?: string | undefined;
  /** The time is a text, not an integer. */
  readonly isTimeText?: boolean | undefined;
  /** Field that selects the profile. */
  readonly route?: string | undefined;
}
