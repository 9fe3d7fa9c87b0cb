/** Reasons why events are not stored, derived from the gateway's answers and the acks. */

/** Time to store an event, beyond which the page says that there is no answer. */
export const STUCK_MS = 5_000;

/**
 * @param gateway the last answer of /page.json; undefined = it did not answer
 * @param connectedAt time since which there is a connection, ms since 1970; undefined = none
 * @param oldestAt time of the oldest event that has no end
 * @param storedAt time when an event was stored last
 * @returns text for the user, '' = no trouble; constant while the state is: screen readers repeat it
 */
export function troubleOf({ gateway, connectedAt, oldestAt, storedAt = 0, now }) {
  if (gateway === undefined) return '';
  const { ready, reasons, rejected, outage } = gateway;
  if (rejected === 'identity_unavailable') return 'The gateway cannot verify keys at the moment.';
  if (reasons.includes('draining')) {
    return 'The gateway is stopping: this page reconnects automatically.';
  }
  if (outage !== undefined) return textOf(outage);
  const why = ready ? '' : `: ${reasons.join('; ')}`;
  const since = Math.max(oldestAt ?? now, connectedAt ?? now, storedAt);
  if (now - since > STUCK_MS) return `No answer since ${timeOf(since)}${why}. Events wait for it.`;
  return ready ? '' : `The gateway is not ready${why}.`;
}

/** The gateway alone knows that Kafka is the cause: the network may be slow as well. */
function textOf({ scope, sinceMs, reason }) {
  const time = timeOf(sinceMs);
  return scope === 'all'
    ? `Kafka is unavailable, nothing was stored since ${time}: ${reason}. Events wait for it.`
    : `Kafka stores only some events since ${time}: ${reason}. The others wait for it.`;
}

function timeOf(ms) {
  return new Date(ms).toLocaleTimeString();
}
