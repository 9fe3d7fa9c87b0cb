/** Live tail: events of this instance, with filters. The address contains the filters. */
import { eventList } from './event-list.js';
import { readEvents } from './event-stream.js';
import { element } from './nodes.js';
import { amount, seconds, setText } from './texts.js';

const AGAIN_MS = 3_000;
const ENDS = {
  time: 'Ended after its time; open it again to continue',
  stopping: 'This instance stops',
};

const place = (id) => document.getElementById(id);
const list = eventList(place('events'));
const filters = place('filters');
const names = ['stream', 'outcome', 'code', 'identity', 'text'];
/** Name of the token in the storage of this tab, which no other tab and no address contains. */
const TOKEN = 'forebay-admin-token';
let token = sessionStorage.getItem(TOKEN) ?? undefined;
let connection;
let timer;
let skipped = 0;
let left;
let outage;
let paused = false;

function say(kind, text) {
  setText(place('state'), text);
  place('state').dataset.kind = kind;
}

function showFacts() {
  const { rows, waiting } = list.size;
  const parts = [
    paused ? `paused, ${amount(waiting)} new` : `${amount(rows)} shown`,
    skipped > 0 ? `${amount(skipped)} not shown: more than the limit` : '',
    left === undefined ? '' : `ends in ${seconds(left)}`,
  ];
  setText(place('facts'), parts.filter(Boolean).join(' · '));
  place('none').hidden = rows > 0;
}

/** Filters as a query, without empty ones. */
function queryOf(form) {
  const given = [...new FormData(form)].filter(([, value]) => value !== '');
  return new URLSearchParams(given).toString();
}

/** Adds the values that the instance knows to a choice. */
function offer(name, values) {
  const choice = filters.elements[name];
  const chosen = choice.value;
  for (const [value, text] of values) {
    const isKnown = [...choice.options].some((option) => option.value === value);
    if (!isKnown) choice.append(element('option', { value, title: text }, value));
  }
  choice.value = chosen;
}

/** Fills in the filters of the address. */
function readAddress() {
  const given = new URLSearchParams(location.search);
  for (const name of names) {
    const value = given.get(name) ?? '';
    const field = filters.elements[name];
    if (value !== '' && field.options !== undefined) offer(name, [[value, value]]);
    field.value = value;
  }
}

function began({ redaction, streams, codes }) {
  offer(
    'stream',
    streams.map((name) => [name, name]),
  );
  offer('code', Object.entries(codes));
  place('access').hidden = true;
  const hides = {
    all: 'Values are hidden: an event shows the types of its fields.',
    none: 'All values are shown.',
  };
  const shown = typeof redaction === 'string' ? hides[redaction] : undefined;
  setText(place('shows'), shown ?? `Hidden fields: ${redaction.join(', ')}.`);
  say('good', 'Receiving events');
}

function showStatus(status) {
  skipped += status.skipped;
  left = status.secondsLeft;
  outage = status.outage;
  const waits = `; ${amount(status.waiting)} events wait for their result`;
  if (outage !== null) say('bad', `${outage}${waits}`);
  else if (connection !== undefined) say('good', 'Receiving events');
  showFacts();
}

async function open() {
  clearTimeout(timer);
  connection?.abort();
  const own = new AbortController();
  connection = own;
  let ended;
  place('again').hidden = true;
  skipped = 0;
  say('wait', 'connecting …');
  try {
    const refusal = await readEvents(queryOf(filters), token, own.signal, {
      begin: began,
      status: showStatus,
      event(entry) {
        list.add(entry);
        showFacts();
      },
      gap: () => list.note('A worker died: events of its last moment may be missing.'),
      end: ({ reason }) => {
        ended = reason;
      },
    });
    if (own === connection) closed(refusal, ended);
  } catch {
    if (own === connection) closed({}, ended);
  }
}

function closed({ status, message }, ended) {
  connection = undefined;
  left = undefined;
  showFacts();
  if (status === 401) {
    place('access').hidden = false;
    const text =
      token === undefined ? 'Admin token (FOREBAY_ADMIN_TOKEN)' : 'Not accepted. Admin token';
    setText(place('access-text'), text);
    return say('bad', 'The admin token is required');
  }
  place('again').hidden = false;
  if (status !== undefined && status !== 503) return say('bad', message);
  if (ended === 'time') return say('wait', ENDS.time);
  const text = message ?? ENDS[ended] ?? 'This instance cannot be reached';
  say('bad', `${text}; retrying`);
  timer = setTimeout(open, AGAIN_MS);
}

filters.addEventListener('submit', (submitted) => {
  submitted.preventDefault();
  const query = queryOf(filters);
  history.replaceState(null, '', query === '' ? 'events' : `events?${query}`);
  list.clear();
  showFacts();
  open();
});
place('access').addEventListener('submit', (submitted) => {
  submitted.preventDefault();
  token = place('token').value;
  sessionStorage.setItem(TOKEN, token);
  open();
});
place('pause').addEventListener('click', () => {
  paused = !paused;
  place('pause').setAttribute('aria-pressed', String(paused));
  setText(place('pause'), paused ? 'Continue' : 'Pause');
  list.pause(paused);
  showFacts();
});
place('clear').addEventListener('click', () => {
  list.clear();
  showFacts();
});
place('again').addEventListener('click', open);

readAddress();
open();
