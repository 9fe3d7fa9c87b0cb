/** PromQL of the panels, restricted to the selected instances and streams. */
import { CATALOGUE } from '../src/metrics/catalogue.ts';
import { labelNames } from '../src/metrics/series.ts';

type Name = `forebay_${string}`;
const INSTANCES = 'job=~"$job",instance=~"$instance"';
const STREAMS = 'stream=~"$stream"';
const byStream = new Set<string>(
  CATALOGUE.filter((series) => labelNames(series).includes('stream')).map(({ name }) => name),
);

/** A series of the selected instances and streams. @param labels additional PromQL matchers */
export function of(name: Name, ...labels: readonly string[]): string {
  const stem = name.replace(/_(bucket|sum|count)$/, '');
  const streams = byStream.has(stem) ? [STREAMS] : [];
  return `${name}{${[INSTANCES, ...streams, ...labels].join(',')}}`;
}

/** A counter's increase per second. */
export function rate(name: Name, ...labels: readonly string[]): string {
  return `rate(${of(name, ...labels)}[$__rate_interval])`;
}

/** Sum over all instances, per second. @param by labels to keep */
export function sumOfRates(name: Name, by: readonly string[] = []): string {
  return `sum${kept(by)}(${rate(name)})`;
}

/** Buffer use of the selected streams, 0 to 1; without slots whose worker has just died. */
export function bufferShare(...labels: readonly string[]): string {
  const limit = of('forebay_buffer_limit_bytes', ...labels);
  const used = `sum without (stream) (${of('forebay_buffer_bytes', ...labels)})`;
  return `${used} / (${limit} > 0)`;
}

/** Ratio of two sums, such as a mean. No value if the divisor is 0. */
export function ratio(of: Name, by: Name, labels: readonly string[] = []): string {
  return `${sumOfRates(of, labels)} / (${sumOfRates(by, labels)} > 0)`;
}

/**
 * Quantile `share` of a histogram. No value, instead of NaN, without observations.
 * @param share 0 to 1
 * @param by labels to keep
 */
export function quantile(share: number, name: Name, by: readonly string[] = []): string {
  const buckets = `sum${kept(['le', ...by])}(${rate(`${name}_bucket`)})`;
  return `histogram_quantile(${share}, ${buckets}) >= 0`;
}

function kept(labels: readonly string[]): string {
  return labels.length === 0 ? '' : ` by (${labels.join(', ')}) `;
}
