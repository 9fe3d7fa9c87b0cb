/** Rows of the streams: totals over all workers, and rates of the last seconds. */
import { LIMITS } from '../../config/limits.ts';
import { STREAM_CELLS } from '../../metrics/layout.ts';
import type { MetricTotals } from '../metric-totals.ts';
import type { StreamInfo } from '../stream-metrics.ts';
import { type Cells, GAUGES, RATES } from './columns.ts';
import { RecentHistogram } from './recent-histogram.ts';

const COUNTERS = ['received', 'stored', 'refused', 'dropped'] as const;

/** Current values of a stream. */
export interface StreamRow extends StreamInfo {
  /** Events per second. */
  readonly received: number;
  readonly stored: number;
  readonly refused: number;
  readonly dropped: number;
  readonly inFlight: number;
  readonly bufferBytes: number;
  /** Milliseconds; undefined = no event was settled. */
  readonly ackP99: number | undefined;
  readonly unaccounted: number;
}

/** Counters of one stream at the last samples, oldest first: one more than there are intervals. */
class Recent {
  readonly ack: RecentHistogram;
  readonly #samples: { readonly atMs: number; readonly counts: readonly number[] }[] = [];

  constructor(stream: number) {
    this.ack = new RecentHistogram('forebay_ack_duration_seconds', LIMITS.liveView.samples, stream);
  }

  sample(totals: MetricTotals, stream: number, atMs: number): void {
    const counts = COUNTERS.map((name) => sumOf(totals, RATES[name], stream));
    this.#samples.push({ atMs, counts });
    if (this.#samples.length > LIMITS.liveView.samples + 1) this.#samples.shift();
    this.ack.sample(totals);
  }

  /** Increase per second, in the order of COUNTERS. */
  get rates(): number[] {
    const [first, last] = [this.#samples[0], this.#samples.at(-1)];
    if (first === undefined || last === undefined) return COUNTERS.map(() => 0);
    const seconds = Math.max(LIMITS.liveView.everyMs, last.atMs - first.atMs) / 1000;
    return last.counts.map((count, index) => (count - first.counts[index]!) / seconds);
  }
}

export class StreamRows {
  readonly #totals: MetricTotals;
  readonly #infos: () => readonly StreamInfo[];
  /** In the order of the infos. */
  readonly #recent: Recent[] = [];

  /** @param infos of all streams, in the order of their slots; later ones have further streams */
  constructor(totals: MetricTotals, infos: () => readonly StreamInfo[]) {
    this.#totals = totals;
    this.#infos = infos;
  }

  /** @param nowMs a monotonic clock */
  sample(nowMs: number): void {
    for (const [stream] of this.#infos().entries()) {
      this.#recent[stream] ??= new Recent(stream);
      this.#recent[stream].sample(this.#totals, stream, nowMs);
    }
  }

  /** Returns a row per stream; none without a stream file, whose stream is the whole instance. */
  rows(): StreamRow[] {
    const infos = this.#infos();
    if (infos.length === 1) return [];
    return infos.map((info, stream) => {
      const recent = this.#recent[stream];
      const [received = 0, stored = 0, refused = 0, dropped = 0] = recent?.rates ?? [];
      const seconds = recent?.ack.quantile(0.99);
      return {
        ...info,
        ...{ received, stored, refused, dropped },
        inFlight: sumOf(this.#totals, GAUGES.inFlight, stream),
        bufferBytes: sumOf(this.#totals, GAUGES.bufferBytes, stream),
        ackP99: seconds === undefined ? undefined : seconds * 1000,
        unaccounted: this.#totals.unaccountedOf(stream),
      };
    });
  }
}

function sumOf(totals: MetricTotals, { first, count }: Cells, stream: number): number {
  const begin = first + stream * STREAM_CELLS;
  let sum = 0;
  for (let cell = begin; cell < begin + count; cell++) sum += totals.sum(cell);
  return sum;
}
