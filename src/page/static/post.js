/** Sending of one event by POST, with the record that the gateway stored. */
import { element } from './events.js';
import { recordTable } from './record.js';
import { postBody } from './request.js';

/**
 * Sends the text of one event.
 * @param key API key or JWT; undefined = none
 * @param stream chosen stream; undefined = none
 * @returns the result's text, and the record of a stored event
 */
export async function postEvent(body, key, stream) {
  const query = 'records=1&explain=1';
  try {
    return resultOf(await postBody({ body, type: 'application/json', query, key, stream }));
  } catch ({ message }) {
    return { text: message };
  }
}

/** @param error of a request that was rejected as a whole */
function resultOf({ accepted, errors, records, explain, error }) {
  const [record] = records ?? [];
  if (record) return { text: `stored in partition ${record.partition}`, record };
  if (accepted > 0) return { text: 'stored; its key is too long to be shown' };
  const { code, message } = error ?? errors[0];
  const all = violationsOf(explain);
  return { text: `refused ${code}: ${all.length > 1 ? all.join('; ') : message}` };
}

/** Returns a text for each violation of the event; none if the response has no explanation. */
function violationsOf(explain) {
  const [{ violations, omitted = 0 } = { violations: [] }] = explain?.events ?? [];
  const texts = violations.map(({ path, message }) => (path ? `${path} ${message}` : message));
  return omitted > 0 ? [...texts, `and ${omitted} more`] : texts;
}

/** Shows a record as a table; undefined hides it. */
export function showRecord(record) {
  element('record').replaceChildren(
    ...(record === undefined ? [] : [recordTable(record, 'The stored record')]),
  );
}
