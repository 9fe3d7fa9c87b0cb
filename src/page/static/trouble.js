/** Reasons why events are not stored, derived from the gateway's responses and the acks. */

/** Time without a result after which the page reports it. */
export const STUCK_MS = 5_000;

/**
 * @param gateway last response of /page.json; undefined = it did not respond
 * @param connectedAt start of the current connection, ms since 1970; undefined = none
 * @param oldestAt time of the oldest unsettled event
 * @param storedAt time at which an event was last stored
 * @returns text for the user, '' = no trouble; constant while the state is: screen readers repeat
 * it
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

/** Only the gateway knows that Kafka is the cause: the network may be slow as well. */
function textOf({ scope, sinceMs, reason }) {
  const time = timeOf(sinceMs);
  return scope === 'all'
    ? `Kafka is unavailable, nothing was stored since ${time}: ${reason}. Events wait for it.`
    : `Kafka stores only some events since ${time}: ${reason}. The others wait for it.`;
}

function timeOf(ms) {
  return new Date(ms).toLocaleTimeString();
}
