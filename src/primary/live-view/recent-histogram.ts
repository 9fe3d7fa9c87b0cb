import type { SeriesName } from '../../metrics/catalogue.ts';
import { firstCell, seriesOf } from '../../metrics/layout.ts';
import type { Totals } from '../metric-totals.ts';

/** What a histogram has seen in the last few looks. */
export class RecentHistogram {
  readonly #first: number;
  readonly #bounds: readonly number[];
  readonly #looks: number;
  /** Its buckets at each look, oldest first: one more than the looks that are told. */
  readonly #seen: Float64Array[] = [];

  constructor(name: SeriesName, looks: number) {
    this.#first = firstCell(name);
    this.#bounds = seriesOf(name).buckets ?? [];
    this.#looks = looks;
    this.#seen.push(new Float64Array(this.#bounds.length + 1));
  }

  look(totals: Totals): void {
    const buckets = Float64Array.from({ length: this.#bounds.length + 1 }, (_, index) =>
      totals.sum(this.#first + index),
    );
    this.#seen.push(buckets);
    if (this.#seen.length > this.#looks + 1) this.#seen.shift();
  }

  /**
   * The value that `share` of what was seen does not exceed, as even as a bucket allows; beyond
   * the last bound the bound. Undefined when nothing was seen.
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
