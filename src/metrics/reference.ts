import { CATALOGUE, type Series } from './catalogue.ts';

/** The reference table of all metrics: the text of docs/metrics.md. */
export function metricsMarkdown(): string {
  const rows = (CATALOGUE as readonly Series[]).map((series) => {
    const { name, type, help } = series;
    return `| \`${name}\` | ${type} | ${labels(series)} | ${help.replaceAll('|', '\\|')} |`;
  });
  const buckets = (CATALOGUE as readonly Series[])
    .filter((series) => series.buckets !== undefined)
    .map(({ name, buckets }) => `* \`${name}\`: ${buckets?.join(', ')}`);
  return `# Metrics

\`GET /metrics\` on the admin port (\`FOREBAY_ADMIN_PORT\`). Every series is there from the start,
with 0. \`worker\` is a worker's slot from 1 to \`FOREBAY_WORKERS\`, not a process: it stays when the
process is replaced. Workers send their numbers once a second, so a scrape is at most that old;
counters do not fall while the primary lives, whatever happens to its workers.
This page is generated from \`src/metrics/catalogue.ts\` by \`make docs\`; a test holds it against
the code.

At rest, always: received = stored + refused + dropped + lost + in flight. What differs is
\`forebay_events_unaccounted\`.

| metric | type | labels | meaning |
|---|---|---|---|
${rows.join('\n')}

Upper bounds of the histograms' buckets:

${buckets.join('\n')}
`;
}

function labels({ name, from, label }: Series): string {
  if (name === 'forebay_build_info') return '`version`, `node`';
  if (from === 'worker' || label?.name === 'worker') return '`worker`';
  if (label === undefined) return '';
  return `\`${label.name}\`: ${label.values.join(', ')}`;
}
