/** Verdicts of a dry run, per event. */

/**
 * Parses pasted events: one, an array, or one per line.
 * @returns the events and the media type; undefined = not JSON
 */
export function parsedEvents(text) {
  try {
    const value = JSON.parse(text);
    return { events: Array.isArray(value) ? value : [value], type: 'application/json' };
  } catch {
    const lines = text.split('\n').filter((line) => line.trim() !== '');
    if (lines.length < 2) return undefined;
    try {
      return { events: lines.map((line) => JSON.parse(line)), type: 'application/x-ndjson' };
    } catch {
      return undefined;
    }
  }
}

/**
 * Returns the verdict on each event of a body, in its order.
 * @param count number of its events
 * @param response of the gateway to a body that was not rejected as a whole
 * @returns per event its number; code and message if it is rejected; its record unless it is
 * omitted; its violations, and how many more it has
 */
export function verdictsOf(count, { errors, records = [], explain = { events: [] } }) {
  const verdicts = Array.from({ length: count }, (_, event) => ({ event, violations: [] }));
  for (const { code, message, events = [[0, count - 1]] } of errors) {
    for (const [first, last] of events) {
      for (const verdict of verdicts.slice(first, last + 1)) verdict.code = code;
    }
    // The message is that of the first event.
    const first = verdicts[events[0][0]];
    if (first !== undefined) first.message = message.replace(/^event \d+: /, '');
  }
  for (const record of records) verdicts[record.event].record = record;
  for (const { event, violations, omitted = 0 } of explain.events) {
    Object.assign(verdicts[event], { violations, omitted });
  }
  return verdicts;
}
