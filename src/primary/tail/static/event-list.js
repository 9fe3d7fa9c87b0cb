/** List of events, the newest first. Its rows open to the event. */
import { eventLines } from './event-json.js';
import { element } from './nodes.js';
import { bytes } from './texts.js';

/** Rows that are kept, and events that are kept while the list is paused. */
const ROWS = 200;
const OUTCOMES = { accepted: 'accepted', rejected: 'rejected', dead_lettered: 'dead-lettered' };

/** Returns the `list` element as a list of events. */
export function eventList(list) {
  let paused = false;
  let waiting = [];
  const insert = (row) => {
    list.prepend(row);
    // An open row stays: it is being read.
    const closed = [...list.children].filter((each) => !each.querySelector('details[open]'));
    for (const old of closed.slice(ROWS)) old.remove();
  };
  const add = (make) => {
    if (!paused) return insert(make());
    waiting.push(make);
    if (waiting.length > ROWS) waiting.shift();
  };
  return {
    add: (entry) => add(() => rowOf(entry)),
    note: (text) => add(() => element('li', { class: 'note' }, text)),
    /** Number of rows, and of events that wait for the end of the pause. */
    get size() {
      return { rows: list.children.length, waiting: waiting.length };
    },
    pause(isPaused) {
      paused = isPaused;
      if (paused) return;
      for (const make of waiting) insert(make());
      waiting = [];
    },
    clear() {
      list.replaceChildren();
      waiting = [];
    },
  };
}

function rowOf(entry) {
  const { time, outcome, stream, code, reason, identity, transport, events, index } = entry;
  const cell = (kind, text) => element('span', { class: kind }, text);
  const why = [entry.at, reason].filter(Boolean).join(' ');
  const isRepeated = entry.at && reason?.startsWith(`${entry.at} `);
  const count = events === undefined ? '' : `${events} events: `;
  const said = code ? `${code}: ${isRepeated ? reason : why}` : whyAccepted(entry);
  const summary = element(
    'summary',
    {},
    cell('dim', new Date(time).toLocaleTimeString()),
    cell('outcome', OUTCOMES[outcome]),
    cell('', stream),
    cell('reason', `${count}${said}`),
    cell('dim', identity ?? 'anonymous'),
    cell('dim', transport === 'ws' ? 'WebSocket' : 'HTTP'),
    cell('dim', entry.bytes === undefined ? '' : bytes(entry.bytes)),
  );
  const details = element('details', {}, summary);
  // Written when it is opened: most rows never are.
  details.addEventListener('toggle', () => {
    if (details.open && details.children.length === 1) details.append(detail(entry, index));
  });
  return element('li', { 'data-outcome': outcome }, details);
}

function whyAccepted({ isLate, violations }) {
  if (isLate) return 'stored after its sender had received timeout';
  return violations ? 'stored although it violates the schema' : '';
}

function detail(entry, index) {
  const facts = [
    ['key', entry.key],
    ['partition', entry.partition],
    ['number in its frame', index],
    ['request', entry.requestId],
  ].filter(([, value]) => value !== undefined);
  const list = element('dl', {});
  for (const [name, value] of facts) {
    list.append(element('div', {}, element('dt', {}, name), element('dd', {}, String(value))));
  }
  const parts = facts.length > 0 ? [list] : [];
  if (entry.event !== undefined)
    parts.push(element('pre', { tabindex: '0' }, ...eventLines(entry)));
  else if (entry.raw !== undefined) parts.push(element('pre', { tabindex: '0' }, entry.raw));
  else
    parts.push(
      element(
        'p',
        { class: 'dim' },
        'The content is not shown: it is not kept, not JSON, or too large.',
      ),
    );
  const more = moreViolations(entry);
  if (more !== '') parts.push(element('p', { class: 'why' }, more));
  return element('div', { class: 'detail' }, ...parts);
}

function moreViolations({ violationsOmitted, unexplained }) {
  if (violationsOmitted !== undefined) return `${violationsOmitted} further violations`;
  if (unexplained === undefined) return '';
  return 'Only the first violation is known: there was no time to find the others.';
}
