/** Rows of invalid events, by stream and reason. Texts of senders are shown as text only. */
import { amount } from './texts.js';

/** Results of events by kind. */
const RESULTS = {
  rejected: 'rejected',
  warn: 'stored (mode warn)',
  candidate: 'stored (candidate schema)',
};

export function violationRows(streams) {
  return streams.flatMap(({ stream, kind, reasons, otherEvents }) => {
    const row = (...texts) => ({
      kind: kind === 'rejected' ? 'bad' : '',
      texts: [stream, RESULTS[kind], ...texts],
    });
    const rows = reasons.map(({ code, reason, events, atMs, example }) =>
      row(amount(events), timeOf(atMs), `${code}: ${reason}`, example ?? ''),
    );
    if (otherEvents > 0) rows.push(row(amount(otherEvents), '', 'other reasons', ''));
    return rows;
  });
}

/** Time of day, with the date if it is another day. */
function timeOf(ms) {
  const at = new Date(ms);
  const isToday = at.toDateString() === new Date().toDateString();
  return isToday ? at.toLocaleTimeString() : at.toLocaleString();
}
