/** Parser for the Prometheus text format. */

/** One scrape. */
export class Metrics {
  /** Value by series in its original form, `name{label="value",…}`. */
  readonly series: ReadonlyMap<string, number>;

  /** @throws Error for a line that is not a sample */
  constructor(text: string) {
    const series = new Map<string, number>();
    for (const line of text.split('\n')) {
      if (line === '' || line.startsWith('#')) continue;
      const [, name, value] = line.match(/^([^{\s]+(?:\{.*\})?) (\S+)$/) ?? [];
      if (name === undefined) throw new Error(`no sample: ${line}`);
      series.set(name, value === '+Inf' ? Number.POSITIVE_INFINITY : Number(value));
    }
    this.series = series;
  }

  /** Nonzero values of `forebay_events_unaccounted`: a surplus of one stream hides no other. */
  get unaccounted(): number[] {
    return [...this.series]
      .filter(([series, value]) => series.startsWith('forebay_events_unaccounted') && value !== 0)
      .map(([, value]) => value);
  }

  /**
   * Returns the sum of the series with this name and at least these labels.
   * @throws Error if there is none: series are present from the start
   */
  value(name: string, labels: Readonly<Record<string, string>> = {}): number {
    const wanted = Object.entries(labels).map(([label, value]) => `${label}="${value}"`);
    let [sum, found] = [0, false];
    for (const [series, value] of this.series) {
      const [base = '', rest = ''] = series.split(/\{(.*)\}$/);
      if (base !== name || !wanted.every((pair) => `,${rest},`.includes(`,${pair},`))) continue;
      sum += value;
      found = true;
    }
    if (!found) throw new Error(`no series ${name} ${JSON.stringify(labels)}`);
    return sum;
  }
}
