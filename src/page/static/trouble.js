/** Reasons why events are not stored, derived from the gateway's answers and the acks. */

/** Time to store an event, beyond which Kafka counts as unavailable. */
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
  const { ready, reasons, rejected } = gateway;
  if (rejected === 'identity_unavailable') return 'The gateway cannot check keys at the moment.';
  const why = ready ? '' : `: ${reasons.join('; ')}`;
  if (reasons.includes('draining')) {
    return 'The gateway is stopping: this page connects again by itself.';
  }
  const since = Math.max(oldestAt ?? now, connectedAt ?? now, storedAt);
  if (now - since > STUCK_MS) {
    const time = new Date(since).toLocaleTimeString();
    return `Kafka is unavailable, nothing was stored since ${time}${why}. Events wait for it.`;
  }
  return ready ? '' : `The gateway is not ready${why}.`;
}
