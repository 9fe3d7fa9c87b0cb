/** What the panels ask: each series with the instances that are chosen. */

type Name = `forebay_${string}`;
const INSTANCES = 'job=~"$job",instance=~"$instance"';

/** A series of the chosen instances. @param labels further matchers, as PromQL writes them */
export function of(name: Name, ...labels: readonly string[]): string {
  return `${name}{${[INSTANCES, ...labels].join(',')}}`;
}

/** A counter's increase per second. */
export function rate(name: Name, ...labels: readonly string[]): string {
  return `rate(${of(name, ...labels)}[$__rate_interval])`;
}

/** The sum over all instances, per second. @param by labels that are kept */
export function sumOfRates(name: Name, by: readonly string[] = []): string {
  return `sum${kept(by)}(${rate(name)})`;
}

/** How full buffers are, 0 to 1; none of a slot whose worker has just died: that has no buffer. */
export function bufferShare(...labels: readonly string[]): string {
  const limit = of('forebay_buffer_limit_bytes', ...labels);
  return `${of('forebay_buffer_bytes', ...labels)} / (${limit} > 0)`;
}

/** One sum divided by another one: a mean. Nothing where there was nothing to divide by. */
export function ratio(of: Name, by: Name, labels: readonly string[] = []): string {
  return `${sumOfRates(of, labels)} / (${sumOfRates(by, labels)} > 0)`;
}

/**
 * Of a histogram: so many of what it counted were at most so large. Nothing, instead of NaN, where
 * it counted nothing.
 * @param share 0 to 1
 * @param by labels that are kept
 */
export function quantile(share: number, name: Name, by: readonly string[] = []): string {
  const buckets = `sum${kept(['le', ...by])}(${rate(`${name}_bucket`)})`;
  return `histogram_quantile(${share}, ${buckets}) >= 0`;
}

function kept(labels: readonly string[]): string {
  return labels.length === 0 ? '' : ` by (${labels.join(', ')}) `;
}
