/** PromQL of the panels, restricted to the selected instances. */

type Name = `forebay_${string}`;
const INSTANCES = 'job=~"$job",instance=~"$instance"';

/** A series of the selected instances. @param labels additional PromQL matchers */
export function of(name: Name, ...labels: readonly string[]): string {
  return `${name}{${[INSTANCES, ...labels].join(',')}}`;
}

/** A counter's increase per second. */
export function rate(name: Name, ...labels: readonly string[]): string {
  return `rate(${of(name, ...labels)}[$__rate_interval])`;
}

/** Sum over all instances, per second. @param by labels to keep */
export function sumOfRates(name: Name, by: readonly string[] = []): string {
  return `sum${kept(by)}(${rate(name)})`;
}

/** Buffer use, 0 to 1; without slots whose worker has just died: they have no buffer. */
export function bufferShare(...labels: readonly string[]): string {
  const limit = of('forebay_buffer_limit_bytes', ...labels);
  return `${of('forebay_buffer_bytes', ...labels)} / (${limit} > 0)`;
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
