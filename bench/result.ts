/** Results of a scenario: figures of interleaved runs, and their goals. */

/** One figure over the runs of a scenario. */
export interface Figure {
  /** Unique in the scenario: `gateway 20,000/s`. */
  readonly name: string;
  /** `us/event`, `ms`, `bytes`, `events/s`, `x` (a ratio within one run), … */
  readonly unit: string;
  /** One value per run; reports show the median, and minimum and maximum as the spread. */
  readonly values: readonly number[];
  /** Goal: `most` = maximum, `least` = minimum. */
  readonly goal?: { readonly most: number } | { readonly least: number };
  /** Compared with the recorded baseline: a ratio, independent of the machine. */
  readonly checked?: boolean;
}

/** Points of a plot, in drawing order. */
export interface Curve {
  readonly name: string;
  readonly points: readonly { readonly x: number; readonly y: number }[];
}

export interface Plot {
  /** File name without extension: `cpu-per-event`. */
  readonly file: string;
  readonly title: string;
  readonly xLabel: string;
  readonly yLabel: string;
  readonly curves: readonly Curve[];
}

/** Results of a scenario, and its violations. */
export interface Result {
  /** Description in a sentence or two: load, sizes, cores. */
  readonly setup: string;
  readonly figures: readonly Figure[];
  readonly plots?: readonly Plot[];
  /** Lost, duplicated or late events: any of them fails the run. */
  readonly problems: readonly string[];
}
