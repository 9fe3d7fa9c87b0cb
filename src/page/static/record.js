/** A record of an event, as a table. */
import { element } from './nodes.js';

/** @param title of the table */
export function recordTable({ stream, partition, timestamp, key, headers }, title) {
  const place = [
    ...(stream === undefined ? [] : [row('stream', stream)]),
    partition === null
      ? row('partition', undefined, key === null ? 'any, since there is no key' : 'not known yet')
      : row('partition', partition),
    row('timestamp', timestamp, ` (${new Date(timestamp).toISOString()})`),
    key === null ? row('key', undefined, 'none') : row('key', key),
  ];
  const rows = Object.entries(headers).map(([name, value]) => row(name, value));
  const heading = rows.length > 0 ? 'Headers' : 'No headers';
  return element(
    'table',
    { class: 'record' },
    element('caption', {}, title),
    element('tbody', {}, ...place),
    element(
      'tbody',
      {},
      element('tr', {}, element('th', { scope: 'rowgroup', colspan: '2' }, heading)),
      ...rows,
    ),
  );
}

/** @param value shown as code; undefined = none */
function row(name, value, text = '') {
  const shown = value === undefined ? [] : [element('code', {}, String(value))];
  return element(
    'tr',
    {},
    element('th', { scope: 'row' }, name),
    element('td', {}, ...shown, text),
  );
}
