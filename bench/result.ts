/** What a scenario found: figures of interleaved runs, and how they stand to their goals. */

/** One figure over the runs of a scenario. */
export interface Figure {
  /** Unique in the scenario: `gateway 20,000/s`. */
  readonly name: string;
  /** `us/event`, `ms`, `bytes`, `events/s`, `x` (a ratio within one run), … */
  readonly unit: string;
  /** One value per run; the median is shown, least and greatest are its spread. */
  readonly values: readonly number[];
  /** What it should be, if anything: `most` = at most, `least` = at least. */
  readonly goal?: { readonly most: number } | { readonly least: number };
  /** It is held against the recorded baseline: a ratio, the same on any machine. */
  readonly checked?: boolean;
}

/** Points of a plot, in the order in which they are drawn. */
export interface Curve {
  readonly name: string;
  readonly points: readonly { readonly x: number; readonly y: number }[];
}

export interface Plot {
  /** File name without ending: `cpu-per-event`. */
  readonly file: string;
  readonly title: string;
  readonly xLabel: string;
  readonly yLabel: string;
  readonly curves: readonly Curve[];
}

/** What a scenario found, and whether it found it without losing anything. */
export interface Result {
  /** What was done, in a sentence or two: load, sizes, who ran on which core. */
  readonly setup: string;
  readonly figures: readonly Figure[];
  readonly plots?: readonly Plot[];
  /** Lost, doubled, late: a run that has any fails. */
  readonly problems: readonly string[];
}
