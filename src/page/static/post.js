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
    const response = await fetch(`${path}?records=1`, { method: 'POST', headers, body, signal });
    status = `HTTP ${response.status}`;
    return resultOf(await response.json());
  } catch ({ message }) {
    return { text: `${status}: ${message}` };
  }
}

/** @param error of a request that was rejected as a whole */
function resultOf({ accepted, errors, records, error }) {
  const [record] = records ?? [];
  if (record) return { text: `stored in partition ${record.partition}`, record };
  if (accepted > 0) return { text: 'stored; its key is too long to be shown' };
  const { code, message } = error ?? errors[0];
  return { text: `refused ${code}: ${message}` };
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
