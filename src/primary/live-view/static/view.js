/** Live view: status of this instance from the series of /metrics, once a second. */
import { Charts } from './charts.js';
import { Past } from './past.js';
import { openStream } from './stream.js';
import {
  cards,
  errorRows,
  keyStreamRows,
  laneEntries,
  reasonRows,
  senderRows,
  streamRows,
  workerRows,
  writeList,
  writeRows,
} from './tables.js';
import { anchorOf, seconds, setText } from './texts.js';
import { violationRows } from './violations.js';

const place = (id) => document.getElementById(id);
let past;
let texts;
let charts;
let awaySinceMs;

/** Shows the one-line status, its start, and the next step. */
function showSummary({ kind, text, sinceMs, todo, section }) {
  setText(place('summary'), text);
  place('summary').dataset.kind = kind;
  const isWell = kind === 'good' || kind === 'idle';
  document.title = isWell ? 'Forebay, live' : `${text} – Forebay, live`;
  place('since').hidden = sinceMs === undefined;
  if (sinceMs !== undefined) setText(place('since'), sinceText(sinceMs));
  place('todo').hidden = todo === '';
  setText(place('step'), todo === '' ? '' : `Next step: ${todo}.`);
  place('runbook').hidden = section === '';
  setText(place('runbook'), `Runbook: ${section}`);
  place('runbook').href = `runbook#${anchorOf(section)}`;
}

/** Time of day, with the date if it is another day, and the time passed since. */
function sinceText(ms) {
  const since = new Date(ms);
  const isToday = since.toDateString() === new Date().toDateString();
  const time = isToday ? since.toLocaleTimeString() : since.toLocaleString();
  const passed = Math.max(0, Math.round((Date.now() - ms) / 1000));
  return `since ${time}, for ${seconds(passed)}`;
}

/**
 * Shows that no data arrives: the page tracks the start itself, and the runbook may be unreachable.
 */
function showAway(text) {
  awaySinceMs ??= Date.now();
  const todo = 'Check that its process runs; see ForebayDown in docs/operations.md';
  showSummary({ kind: 'bad', text: `${text}; retrying`, sinceMs: awaySinceMs, todo, section: '' });
}

function show(status) {
  awaySinceMs = undefined;
  showSummary(status.summary);
  charts.draw(past);
  writeList(place('cards'), cards(past, status));
  writeList(place('lanes'), laneEntries(status));
  writeRows(place('reasons'), reasonRows(past, status, texts), 'none since start');
  place('streams-section').hidden = status.streams.length === 0;
  writeRows(place('streams'), streamRows(status), '');
  place('senders-section').hidden = status.senders.length === 0;
  writeRows(place('senders'), senderRows(status), '');
  writeRows(place('key-streams'), keyStreamRows(status), '');
  writeRows(place('workers'), workerRows(status), '');
  writeRows(place('errors'), errorRows(past, status), 'none since start');
}

openStream({
  past(all) {
    past = new Past(all);
    texts = all.texts;
    charts ??= new Charts(place('charts'), place('back'), place('when'));
    const { version, topic, brokers } = all;
    const on = all.status.streams.length === 0 ? `Topic ${topic} on brokers` : 'Brokers';
    const named = `Version ${version}. ${on} ${brokers.join(', ')}.`;
    setText(place('about'), named);
    place('tail').hidden = !all.tail;
    show(all.status);
  },
  point({ point, status }) {
    past.add(point);
    show(status);
  },
  violations(streams) {
    place('violations-section').hidden = streams.length === 0;
    writeRows(place('violations'), violationRows(streams), '');
  },
  away: showAway,
});
