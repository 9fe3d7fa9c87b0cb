/** What is the case, in one sentence: the worst that is true now. */

/** Points that count as now. */
const NOW = 10;
const WAITING_SECONDS = 5;
/** Refusals that say nothing of the gateway: what was sent was wrong. */
const SENDERS_FAULT = /^(invalid_|not_an_object|schema|too_|rate_limited)/;

/**
 * `good`, `wait` (look at it) or `bad` (events are lost, or none are taken), and why. Figures that
 * change with each second are not in it: screen readers say it again whenever it changes.
 */
export function verdictOf(past, status) {
  return bad(past, status) ?? doubtful(past, status) ?? good(past);
}

function bad(past, { ready, reasons, unaccounted }) {
  if (unaccounted !== 0) return verdict('bad', 'Events are unaccounted for: a defect of Forebay');
  if (!ready) {
    const kind = reasons.includes('draining') ? 'wait' : 'bad';
    return verdict(kind, `Not ready: ${reasons.join('; ')}`);
  }
  const dropped = recent(past, 'dropped');
  if (dropped.length > 0) {
    return verdict('bad', `Good events of plain clients are dropped: ${dropped.join(', ')}`);
  }
  if (past.value('oldestSeconds') > WAITING_SECONDS && past.sum('stored', NOW / 2) === 0) {
    return verdict('bad', 'Kafka confirms nothing: events wait in the buffer');
  }
  return undefined;
}

function doubtful(past, { workers }) {
  const missing = workers.filter(({ states }) => !states.includes('ready')).length;
  if (missing > 0) {
    return verdict('wait', `Workers that are not ready: ${missing} of ${workers.length}`);
  }
  if (recent(past, 'restarts').length > 0) {
    const lost = recent(past, 'lost').length > 0 ? '; what it held may be lost' : '';
    return verdict('wait', `A worker has died and was replaced${lost}`);
  }
  const refused = recent(past, 'refused').filter((code) => !SENDERS_FAULT.test(code));
  if (refused.length > 0) return verdict('wait', `Good events are refused: ${refused.join(', ')}`);
  if (past.value('oldestSeconds') > WAITING_SECONDS) {
    return verdict('wait', 'Kafka is slow: some events wait long');
  }
  const errors = recent(past, 'errors');
  if (errors.length > 0) {
    return verdict('wait', `Attempts to store fail and are made again: ${errors.join(', ')}`);
  }
  return undefined;
}

function good(past) {
  const refused = recent(past, 'refused');
  const but = refused.length > 0 ? `; bad ones are refused: ${refused.join(', ')}` : '';
  if (past.sum('stored', NOW) > 0) return verdict('good', `Events flow and are stored${but}`);
  return verdict('good', but === '' ? 'Ready; no events come' : `Ready${but}`);
}

function recent(past, prefix) {
  return past.kinds(prefix).filter((kind) => past.sum(`${prefix}.${kind}`, NOW) > 0);
}

function verdict(kind, text) {
  return { kind, text };
}
