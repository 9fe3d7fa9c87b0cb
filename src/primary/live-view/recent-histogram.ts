import type { SeriesName } from '../../metrics/catalogue.ts';
import { firstCell, STREAM_CELLS, seriesOf } from '../../metrics/layout.ts';
import { slotLabel } from '../../metrics/series.ts';
import type { MetricTotals } from '../metric-totals.ts';

/** Distribution of a histogram's values over the last samples. */
export class RecentHistogram {
  readonly #first: number;
  readonly #bounds: readonly number[];
  readonly #isPerStream: boolean;
  readonly #stream: number | undefined;
  readonly #samples: number;
  /** Buckets at each sample, oldest first: one more than the reported samples. */
  readonly #seen: Float64Array[] = [];

  /** @param stream slot of the only stream that counts; undefined = all count together */
  constructor(name: SeriesName, samples: number, stream?: number) {
    this.#stream = stream;
    this.#first = firstCell(name);
    const series = seriesOf(name);
    this.#bounds = series.buckets ?? [];
    this.#isPerStream = slotLabel(series) === 'stream';
    this.#samples = samples;
    this.#seen.push(new Float64Array(this.#bounds.length + 1));
  }

  sample(totals: MetricTotals): void {
    const buckets = new Float64Array(this.#bounds.length + 1);
    const end = this.#isPerStream ? totals.streams : 1;
    const [from, to] = this.#stream === undefined ? [0, end] : [this.#stream, this.#stream + 1];
    for (let stream = from; stream < to; stream++) {
      const first = this.#first + stream * STREAM_CELLS;
      for (let index = 0; index < buckets.length; index++) {
        buckets[index]! += totals.sum(first + index);
      }
    }
    this.#seen.push(buckets);
    if (this.#seen.length > this.#samples + 1) this.#seen.shift();
  }

  /**
   * Quantile `share` of the recent values, interpolated within its bucket; at most the last bound.
   * Undefined without values.
   */
  quantile(share: number): number | undefined {
    const before = this.#seen[0]!;
    const counts = this.#seen.at(-1)!.map((count, index) => count - before[index]!);
    const all = counts.reduce((sum, count) => sum + count, 0);
    if (all === 0) return undefined;
    let below = 0;
    for (const [index, upper] of this.#bounds.entries()) {
      const count = counts[index]!;
      if (count > 0 && below + count >= share * all) {
        const lower = this.#bounds[index - 1] ?? 0;
        return lower + ((upper - lower) * (share * all - below)) / count;
      }
      below += count;
    }
    return this.#bounds.at(-1);
  }
}
