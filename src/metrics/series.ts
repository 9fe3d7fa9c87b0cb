/** Declaration of a series; catalogue.ts lists all of them. */

/** Unit of the values, or the counted objects. */
export type Unit =
  | 'seconds'
  | 'bytes'
  | 'events'
  | 'letters'
  | 'connections'
  | 'handshakes'
  | 'requests'
  | 'errors'
  | 'warnings'
  | 'failures'
  | 'resets'
  | 'lanes'
  | 'workers'
  | 'reloads'
  | 'restarts';

/** A label with a fixed set of values. */
export interface Label {
  readonly name: string;
  readonly values: readonly string[];
}

export interface Series {
  readonly name: `forebay_${string}`;
  readonly type: 'counter' | 'gauge' | 'histogram';
  /** Undefined = the value is 0 or 1. */
  readonly unit?: Unit;
  readonly help: string;
  /** `sum`: sum over workers. `worker`: a value per worker slot. `primary`: recorded there only. */
  readonly from: 'sum' | 'worker' | 'primary';
  /** The greater value of two workers in one slot counts: it is not additive. */
  readonly greatest?: true;
  /**
   * A label with the streams or API keys of the instance. `stream`: only streams; `stream or none`:
   * also `(none)`, for what belongs to no stream.
   */
  readonly slots?: 'stream' | 'stream or none' | 'key';
  readonly label?: Label;
  /** A second label: there is a value for each pair. */
  readonly secondLabel?: Label;
  /** Labels whose values are known only at run time. */
  readonly openLabels?: readonly string[];
  /** Upper bounds of a histogram's buckets, ascending, without +Inf. */
  readonly buckets?: readonly number[];
}

/** Returns the name of the label of a series' slots; undefined = it has none. */
export function slotLabel({ slots }: Series): 'stream' | 'key' | undefined {
  return slots === 'stream or none' ? 'stream' : slots;
}

/** Returns the names of the labels that an operator sees, in order. */
export function labelNames(series: Series): string[] {
  const { from, label, secondLabel, openLabels = [] } = series;
  const worker = from === 'worker' ? ['worker'] : [];
  return [
    ...worker,
    slotLabel(series) ?? [],
    ...openLabels,
    label?.name ?? [],
    secondLabel?.name ?? [],
  ].flat();
}

/** Returns the labels of each value of a series in a slot, in the order of their cells. */
export function labelsOf({ label, secondLabel }: Series): Readonly<Record<string, string>>[] {
  if (label === undefined) return [{}];
  const seconds = secondLabel?.values.map((value) => ({ [secondLabel.name]: value })) ?? [{}];
  return label.values.flatMap((value) => seconds.map((rest) => ({ [label.name]: value, ...rest })));
}
