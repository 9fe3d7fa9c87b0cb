/** Dry runs of pasted events: what the gateway decides on each. Nothing is stored. */
import { eventLines } from './event-json.js';
import { element as byId } from './events.js';
import { placeOf, wrongAt } from './json.js';
import { key } from './key.js';
import { element } from './nodes.js';
import { recordTable } from './record.js';
import { postBody } from './request.js';
import { stream as streamOfPage } from './stream-choice.js';
import { parsedEvents, verdictsOf } from './verdicts.js';

/** Events whose verdict is shown. */
const SHOWN_MAX = 20;

export function startTrial() {
  byId('trial').addEventListener('submit', (submitted) => {
    submitted.preventDefault();
    decide();
  });
}

/** Offers the streams of a response for the trial. */
export function showTrialStreams({ streams }) {
  byId('trial-choice').hidden = streams === undefined;
  const select = byId('trial-stream');
  const names = streams?.join() ?? '';
  if (select.dataset.names === names) return;
  const before = select.dataset.names === undefined ? streamOfPage : select.value;
  select.dataset.names = names;
  const byRouting = new Option('by its fields', '');
  select.replaceChildren(byRouting, ...(streams ?? []).map((name) => new Option(name, name)));
  select.value = streams?.includes(before) ? before : '';
}

let isWaiting = false;

async function decide() {
  if (isWaiting) return;
  const text = byId('trial-text');
  byId('trial-events').replaceChildren();
  const parsed = parsedEvents(text.value);
  if (parsed === undefined) {
    const at = wrongAt(text.value);
    text.focus();
    text.setSelectionRange(at, at + 1);
    return say(`invalid JSON at ${placeOf(text.value, at)}`);
  }
  const stream = byId('trial-stream').value || undefined;
  isWaiting = true;
  try {
    const { type } = parsed;
    const response = await postBody({ body: text.value, type, query: 'dryRun=1', key, stream });
    show(parsed.events, response);
  } catch ({ message }) {
    say(message);
  }
  isWaiting = false;
}

function say(text) {
  byId('trial-result').textContent = text;
}

function show(events, response) {
  const { error, accepted } = response;
  if (error) return say(`rejected ${error.code}: ${error.message}`);
  const counts = [];
  if (accepted > 0) counts.push(`${accepted} would be stored`);
  if (accepted < events.length) counts.push(`${events.length - accepted} would be rejected`);
  say(`${counts.join(', ') || 'no events'}; nothing was stored`);
  const shown = verdictsOf(events.length, response).slice(0, SHOWN_MAX);
  const items = shown.map((verdict) => verdictItem(verdict, events[verdict.event], events.length));
  if (events.length > SHOWN_MAX) {
    items.push(element('li', {}, `${events.length - SHOWN_MAX} further events are not shown`));
  }
  byId('trial-events').replaceChildren(...items);
}

function verdictItem(verdict, event, count) {
  const { code, record, violations, omitted = 0 } = verdict;
  const name = count > 1 ? `Event ${verdict.event}: ` : '';
  const parts = [];
  if (code !== undefined || violations.length > 0) {
    const attributes = { tabindex: '0', 'aria-label': 'The event with its violations' };
    const lines = eventLines({ event, redacted: [], violations });
    parts.push(element('pre', attributes, ...lines));
  }
  if (omitted > 0) parts.push(element('p', { class: 'why' }, `${omitted} further violations`));
  if (record !== undefined) parts.push(recordTable(record, 'The record it would become'));
  return element(
    'li',
    { 'data-state': code === undefined ? 'stored' : 'refused' },
    element('p', {}, name, element('span', { class: 'verdict' }, textOf(verdict))),
    ...parts,
  );
}

function textOf({ code, message, violations }) {
  if (code === undefined) {
    return violations.length > 0 ? 'accepted, although it violates the schema' : 'accepted';
  }
  // The lines of the event show violations where they are.
  return violations.length > 0 || !message ? `rejected ${code}` : `rejected ${code}: ${message}`;
}
