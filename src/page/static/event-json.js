/** An event as indented JSON, with marked violations. Texts of senders are shown as text only. */
import { element } from './nodes.js';

/** Returns the parts of a `pre` for an entry of the tail that has an event. */
export function eventLines({ event, redacted, isCut, violations = [] }) {
  const hidden = redacted === 'all' ? undefined : new Set(redacted);
  const byPath = new Map();
  for (const violation of violations) {
    const path = shownPath(event, violation.path);
    byPath.set(path, [...(byPath.get(path) ?? []), violation.message]);
  }
  const parts = [];
  /** Writes a line, marked if a violation concerns its value. */
  const line = (indent, nodes, comma, pointer) => {
    const messages = byPath.get(pointer) ?? [];
    parts.push(indent, ...(messages.length > 0 ? [element('mark', {}, ...nodes)] : nodes), comma);
    for (const message of messages) {
      parts.push(element('span', { class: 'why' }, `  ← ${message}`));
    }
    parts.push('\n');
  };
  const write = (value, name, pointer, indent, comma) => {
    if (typeof value !== 'object' || value === null) {
      const isType = hidden === undefined || hidden.has(pointer);
      const shown = isType ? element('i', {}, String(value)) : JSON.stringify(value);
      return line(indent, [name, shown], comma, pointer);
    }
    const [first, last] = Array.isArray(value) ? '[]' : '{}';
    const members = Object.entries(value);
    if (members.length === 0) return line(indent, [`${name}${first}${last}`], comma, pointer);
    line(indent, [`${name}${first}`], '', pointer);
    for (const [index, [key, member]] of members.entries()) {
      const label = Array.isArray(value) ? '' : `${JSON.stringify(key)}: `;
      const end = index < members.length - 1 ? ',' : '';
      write(member, label, `${pointer}/${escapedName(key)}`, `${indent}  `, end);
    }
    parts.push(indent, last, comma, '\n');
  };
  write(event, '', '', '', '');
  if (isCut) parts.push(element('i', {}, '… the rest is left out'));
  return parts;
}

/** Returns the pointer of a part of the event: the violating one, or the nearest around it. */
function shownPath(event, path) {
  let value = event;
  let shown = '';
  for (const part of path.split('/').slice(1)) {
    const name = part.replaceAll('~1', '/').replaceAll('~0', '~');
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) break;
    value = value[name];
    shown += `/${part}`;
  }
  return shown;
}

function escapedName(name) {
  return name.replaceAll('~', '~0').replaceAll('/', '~1');
}
