/** Sending of one event by POST, with the record that the gateway stored. */
import { element } from './events.js';

/** Longer than the gateway waits for Kafka by default. */
const ANSWER_MS = 30_000;

/**
 * Sends the text of one event.
 * @param key API key or JWT; undefined = none
 * @param stream chosen stream; undefined = none
 * @returns the result's text, and the record of a stored event
 */
export async function postEvent(body, key, stream) {
  const path = stream === undefined ? '/events' : `/events/${stream}`;
  const headers = { 'Content-Type': 'application/json' };
  if (key) headers.Authorization = `Bearer ${key}`;
  let status = 'no response';
  try {
    const signal = AbortSignal.timeout(ANSWER_MS);
    const url = `${path}?records=1&explain=1`;
    const response = await fetch(url, { method: 'POST', headers, body, signal });
    status = `HTTP ${response.status}`;
    return resultOf(await response.json());
  } catch ({ message }) {
    return { text: `${status}: ${message}` };
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
  element('record').hidden = record === undefined;
  if (record === undefined) return;
  const { stream, partition, timestamp, key, headers } = record;
  element('record-place').replaceChildren(
    ...(stream === undefined ? [] : [row('stream', stream)]),
    row('partition', partition),
    row('timestamp', timestamp, ` (${new Date(timestamp).toISOString()})`),
    key === null ? row('key', undefined, 'none') : row('key', key),
  );
  const rows = Object.entries(headers).map(([name, value]) => row(name, value));
  element('record-headers').replaceChildren(
    title(rows.length > 0 ? 'Headers' : 'No headers'),
    ...rows,
  );
}

/** @param value shown as code; undefined = none */
function row(name, value, text = '') {
  const line = document.createElement('tr');
  const cell = document.createElement('td');
  if (value !== undefined) {
    const code = document.createElement('code');
    code.textContent = String(value);
    cell.append(code);
  }
  cell.append(text);
  line.append(header(name, 'row'), cell);
  return line;
}

function title(text) {
  const line = document.createElement('tr');
  const cell = header(text, 'rowgroup');
  cell.colSpan = 2;
  line.append(cell);
  return line;
}

function header(text, scope) {
  const cell = document.createElement('th');
  cell.scope = scope;
  cell.textContent = text;
  return cell;
}
