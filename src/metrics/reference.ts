import { LIMITS } from '../config/limits.ts';
import { CATALOGUE } from './catalogue.ts';
import { labelNames, type Series } from './series.ts';
import { JWT_KEYS, NO_STREAM, OTHER_KEYS } from './slots.ts';

/** Returns the reference table of all metrics: the text of docs/metrics.md. */
export function metricsMarkdown(): string {
  const rows = (CATALOGUE as readonly Series[]).map((series) => {
    const { name, type, unit = '', help } = series;
    return `| \`${name}\` | ${type} | ${unit} | ${labels(series)} | ${help} |`;
  });
  const { loopCheck, streams, meteredKeys } = LIMITS;
  const { busyMs, idleMs } = loopCheck;
  const buckets = (CATALOGUE as readonly Series[])
    .filter((series) => series.buckets !== undefined)
    .map(({ name, buckets }) => `* \`${name}\`: ${buckets?.join(', ')}`);
  return `# Metrics

\`GET /metrics\` on the admin port (\`FOREBAY_ADMIN_PORT\`). Every series exists from the start,
with 0. \`worker\` is a worker's slot from 1 to \`FOREBAY_WORKERS\`, not a process: it stays when the
process is replaced. Workers report once a second, so values are up to a second old; counters do not
decrease during the lifetime of the primary, even if workers die.
This page is generated from \`src/metrics/catalogue.ts\` by \`make docs\`; a test checks it.

Invariant at rest: received = stored + refused + dropped + lost + in flight. The difference is
\`forebay_events_unaccounted\`. It holds for each stream.

\`stream\` is a name in the stream file ([streams.md](streams.md)); without one it is \`default\`.
Events that are rejected before they have a stream count as \`${NO_STREAM}\`: those of an unknown
stream, and where the event names its stream, those that are no JSON object, or above the rate of
their sender. No client can create a series. The series of a stream exist from the start, or from
the reload that adds it. They stay when the stream is removed, until the primary exits, which
accepts up to ${streams} different streams during that time.

\`key\` is the name of an API key in FOREBAY_KEYS_FILE. Keys beyond the first ${meteredKeys} names
count as \`${OTHER_KEYS}\`, all tokens as \`${JWT_KEYS}\`; so does a key with one of these two names.
There are no such series without keys and tokens.

| metric | type | unit | labels | meaning |
|---|---|---|---|---|
${rows.join('\n')}

The stages of \`forebay_stage_duration_seconds\` are consecutive: the longest one shows the
bottleneck. Only \`forebay_ack_duration_seconds\` covers every event.

| stage | from | to | counted |
|---|---|---|---|
| \`decode\` | the arrival of a frame or a whole body | all its events are validated, and in their lanes or rejected | one WebSocket frame in ${LIMITS.decodeSample}, each body |
| \`lane\` | the arrival of a batch's first event | the batch is sent for the first time | each batch that is sent |
| \`produce\` | the batch is sent for the first time | its outcome is known, retries included | each batch that was sent |
| \`ack\` | the first outcome known in an event-loop turn | all clients waiting for outcomes of that turn are notified | each such turn |

\`forebay_event_loop_lag_seconds\` is the maximum since the worker's previous report. A worker
measures every ${busyMs} ms, under low load every ${idleMs} ms: a stall is underestimated by up to
that much.

Upper bounds of the histograms' buckets:

${buckets.join('\n')}
`;
}

function labels(series: Series): string {
  const fixed = [series.label, series.secondLabel].filter((label) => label !== undefined);
  return labelNames(series)
    .map((name) => {
      const values = fixed.find((label) => label.name === name)?.values.join(', ');
      return values === undefined ? `\`${name}\`` : `\`${name}\`: ${values}`;
    })
    .join('; ');
}
