/** Operators see how this instance does. The numbers are those of /metrics, once a second. */
import { Charts } from './charts.js';
import { Past } from './past.js';
import { openStream } from './stream.js';
import {
  cards,
  errorRows,
  laneEntries,
  reasonRows,
  workerRows,
  writeList,
  writeRows,
} from './tables.js';
import { setText } from './texts.js';
import { verdictOf } from './verdict.js';

const place = (id) => document.getElementById(id);
let past;
let texts;
let charts;

function say({ kind, text }) {
  setText(place('verdict'), text);
  place('verdict').dataset.kind = kind;
  document.title = kind === 'good' ? 'Forebay, live' : `${text} – Forebay, live`;
}

function show(status) {
  say(verdictOf(past, status));
  charts.draw(past);
  writeList(place('cards'), cards(past, status));
  writeList(place('lanes'), laneEntries(status));
  writeRows(place('reasons'), reasonRows(past, status, texts), 'none since the start');
  writeRows(place('workers'), workerRows(status), '');
  writeRows(place('errors'), errorRows(past, status), 'none since the start');
}

openStream({
  past(all) {
    past = new Past(all);
    texts = all.texts;
    charts ??= new Charts(place('charts'), place('back'), place('when'));
    setText(place('version'), `Version ${all.version}.`);
    show(all.status);
  },
  point({ point, status }) {
    past.add(point);
    show(status);
  },
  away: (text) => say({ kind: 'bad', text: `${text}; trying again` }),
});
