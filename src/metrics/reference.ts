import { LIMITS } from '../config/limits.ts';
import { CATALOGUE } from './catalogue.ts';
import { labelNames, type Series } from './series.ts';

/** The reference table of all metrics: the text of docs/metrics.md. */
export function metricsMarkdown(): string {
  const rows = (CATALOGUE as readonly Series[]).map((series) => {
    const { name, type, unit = '', help } = series;
    return `| \`${name}\` | ${type} | ${unit} | ${labels(series)} | ${help} |`;
  });
  const { busyMs, idleMs } = LIMITS.loopLook;
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

| metric | type | unit | labels | meaning |
|---|---|---|---|---|
${rows.join('\n')}

The stages of \`forebay_stage_duration_seconds\` follow each other: which of them is long says what
holds events up. Only \`forebay_ack_duration_seconds\` has every event.

| stage | from | to | counted |
|---|---|---|---|
| \`decode\` | the arrival of a frame or a whole body | all its events are checked, and in their lanes or refused | one WebSocket frame in ${LIMITS.decodeSample}, each body |
| \`lane\` | the arrival of a batch's first event | the batch is sent for the first time | each batch that is sent |
| \`produce\` | the batch is sent for the first time | its fate is known, whatever retries that takes | each batch that was sent |
| \`ack\` | the first fate known in a turn of the event loop | all who wait for one of that turn are told | each such turn |

\`forebay_event_loop_lag_seconds\` is the maximum since the worker's numbers before. A worker looks
once in ${busyMs} ms, when it has little to do once in ${idleMs} ms: a stall is under-told by so
much at the most.

Upper bounds of the histograms' buckets:

${buckets.join('\n')}
`;
}

function labels(series: Series): string {
  const values = series.label?.values.join(', ');
  return labelNames(series)
    .map((name) => (name === series.label?.name ? `\`${name}\`: ${values}` : `\`${name}\``))
    .join('; ');
}
