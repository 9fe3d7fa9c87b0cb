/** Output of `--rate`: events per second, total and by partition. */
import type { Colors } from './colors.ts';

export interface RatesOptions {
  readonly json: boolean;
  readonly colors: Colors | undefined;
}

export class Rates {
  readonly #options: RatesOptions;
  #counts = new Map<number, number>();
  #sinceMs = 0;

  constructor(options: RatesOptions) {
    this.#options = options;
  }

  /** @param nowMs of a monotonic clock such as performance.now() */
  begin(nowMs: number): void {
    this.#sinceMs = nowMs;
  }

  count(partition: number): void {
    this.#counts.set(partition, (this.#counts.get(partition) ?? 0) + 1);
  }

  /** Rates since the last line; omits partitions without events. */
  line(nowMs: number, time: Date): string {
    const seconds = Math.max(nowMs - this.#sinceMs, 1) / 1_000;
    const counts = [...this.#counts].sort(([a], [b]) => a - b);
    this.#counts = new Map();
    this.#sinceMs = nowMs;
    const all = rateText(counts.reduce((sum, [, count]) => sum + count, 0) / seconds);
    const each = counts.map(([partition, count]) => ({
      partition,
      rate: rateText(count / seconds),
    }));
    const at = time.toISOString();
    if (this.#options.json) {
      const partitions = each.map(({ partition, rate }) => `"${partition}":${rate}`).join(',');
      return `{"time":"${at}","eventsPerSecond":${all},"partitions":{${partitions}}}\n`;
    }
    const { place = asIs, literal = asIs } = this.#options.colors ?? {};
    const partitions = each
      .map(({ partition, rate }) => `${place(`${partition}:`)}${rate}`)
      .join(' ');
    return `${place(at)}\t${literal(`${all}/s`)}\t${partitions}\n`;
  }
}

/** One decimal for small rates. */
function rateText(rate: number): string {
  return rate.toFixed(rate < 10 ? 1 : 0);
}

function asIs(text: string): string {
  return text;
}
