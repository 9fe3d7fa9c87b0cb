/**
 * The test page: one event per second, the user's own events, and many at once, sent by the client
 * library that any page may use.
 */
import { createClient } from '/client.js';
import { Chart } from './chart.js';
import { EventList, element, prepend } from './events.js';
import { watchGateway } from './gateway.js';
import { key, showKeyForm, startKeyForm } from './key.js';
import { sendMany } from './many.js';
import { readOwn } from './own.js';
import { postEvent, showRecord } from './post.js';
import { showStreams, startStreamChoice, stream } from './stream-choice.js';
import { draftOf, fill, idOf, templateOf, valuesOf, withId } from './template.js';
import { showTrialStreams, startTrial } from './trial.js';
import { troubleOf } from './trouble.js';

const PERIOD_MS = 1000;
/** Maximum waiting events; above it no new ones are generated. */
const WAITING_MAX = 300;
const HISTORY_MAX = 8;
/** Room for ten thousand events, twice. */
const BUFFERED_BYTES = 4 * 1024 * 1024;
const COUNTS = ['sent', 'stored', 'refused', 'dropped', 'waiting', 'unacknowledged', 'reconnects'];
const STATES = {
  connecting: 'connecting …',
  open: 'connected',
  fallback: 'no WebSocket: using HTTP',
  closed: 'closed',
};

function randomName() {
  const bytes = crypto.getRandomValues(new Uint8Array(6));
  return `page-${Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')}`;
}

const clientId = randomName();
const list = new EventList();
/** Unsettled events, oldest first: time of creation, and number of attempts. */
const open = new Map();
/** Number of the last numbered event that was sent. */
let number = 0;
let sentAgain = 0;
/** Times to ack of the current second. */
let times = [];
let shownState;
/** Last response of the gateway; undefined = there was none. */
let gateway;
/** Field of the id, by the gateway's last response. */
let idField = 'id';
/** Template of generated events; undefined = no event is known to be accepted. */
let template;
let paused;
let sendingMany = false;
let connectedAt;
let storedAt;

const client = createClient({
  url: new URL('/ws', location.href.replace(/^http/, 'ws')).href,
  key,
  stream,
  // The page adds ids itself, as far as the schema allows.
  idField: '',
  maxBufferedBytes: BUFFERED_BYTES,
  onStatus: showStatus,
  onSent(event, attempt) {
    if (attempt > 1) element('again').textContent = String(++sentAgain);
    const own = open.get(event);
    if (own) own.attempt = attempt;
    list.show(event, 'sent', attempt > 1 ? `resent (attempt ${attempt})` : 'sent');
  },
});

function addToHistory(text) {
  const line = document.createElement('li');
  line.textContent = `${new Date().toLocaleTimeString()} ${text}`;
  prepend(element('history'), line, HISTORY_MAX);
}

/** Shows the current connection, and adds changes to the history. */
function showStatus(status) {
  for (const name of COUNTS) element(name).textContent = String(status[name]);
  const { frames, bytes } = status.credit;
  element('credit').textContent = `${frames} frames, ${bytes} bytes`;
  const isConnected = status.state === 'open' || status.state === 'fallback';
  connectedAt = isConnected ? (connectedAt ?? Date.now()) : undefined;
  const why = status.state === 'connecting' && status.problem ? ` (${status.problem})` : '';
  const text = STATES[status.state] + why;
  if (text === shownState) return;
  shownState = text;
  element('state').dataset.state = status.state;
  element('state').textContent = text;
  if (text !== STATES.connecting) addToHistory(text);
}

/** Shows why events are not stored, and adds the start and end of that to the history. */
function showTrouble() {
  const [oldest] = open.values();
  const now = Date.now();
  const text = troubleOf({ gateway, connectedAt, oldestAt: oldest?.madeAt, storedAt, now });
  const place = element('trouble');
  if (place.textContent === text) return;
  if (text !== '') addToHistory(text);
  else if (gateway) addToHistory('ready again');
  place.textContent = text;
  place.hidden = text === '';
  element('state').dataset.trouble = text === '' ? '' : 'yes';
}

/** Sends an event. @returns whether the client accepted it, and a promise of its result */
function send(event) {
  const { sent } = client.status;
  const end = client.send(event);
  const isSent = client.status.sent > sent;
  if (isSent) open.set(event, { madeAt: Date.now(), attempt: 0 });
  return { isSent, end: end.finally(() => open.delete(event)) };
}

/** Sends the next generated event. A number is used up only by an event that was sent. */
function sendNext(from) {
  const event = fill(from, valuesOf(clientId, number + 1));
  const { isSent, end } = send(event);
  if (isSent) number++;
  return { event, isSent, end };
}

/** Waits for the result of an event and records its duration. @throws SendError */
async function timed(event, end) {
  const begun = performance.now();
  const own = open.get(event);
  await end;
  const ms = performance.now() - begun;
  times.push(ms);
  storedAt = Date.now();
  return { ms, attempt: own?.attempt ?? 1 };
}

/**
 * Shows an event and its result in the list. @returns the result's text, and the code of a
 * rejection
 */
async function shown({ event, isSent, end }) {
  list.add(event, idOf(event, idField));
  const ended = (state, text, code) => {
    list.show(event, state, text);
    return { text, code };
  };
  try {
    const { ms, attempt } = await timed(event, end);
    const again = attempt > 1 ? ` (attempt ${attempt})` : '';
    return ended('stored', `stored after ${Math.round(ms)} ms${again}`);
  } catch ({ code, message }) {
    const what = isSent ? 'refused' : 'not sent';
    const text = code === 'dropped' ? `dropped: ${message}` : `${what} ${code}: ${message}`;
    return ended('refused', text, code);
  }
}

/** @param by what pauses generated events, `user` or `refusal`; undefined = resume */
function pause(by) {
  paused = by;
  element('toggle').textContent = by ? 'Resume' : 'Pause';
}

/** Shows why no events are generated; '' hides it. */
function sayAutomatic(text) {
  element('automatic').textContent = text;
  element('automatic').hidden = text === '';
}

/** Sends a generated event. Pauses after a rejection: the next one would be rejected as well. */
async function tick() {
  const { text, code } = await shown(sendNext(template));
  if (code === undefined || code === 'dropped' || paused) return;
  pause('refusal');
  sayAutomatic(`Automatic events are paused: the last one was ${text}`);
}

function startTicking() {
  element('toggle').addEventListener('click', () => {
    pause(paused ? undefined : 'user');
    if (!paused && template) sayAutomatic('');
  });
  setInterval(() => {
    if (!paused && template && client.status.waiting < WAITING_MAX) tick();
    showTrouble();
  }, PERIOD_MS);
}

function startCharts() {
  const rates = new Chart(element('rates'), 'stored per second');
  const latencies = new Chart(element('times'), 'milliseconds to ack');
  let stored = 0;
  setInterval(() => {
    const now = client.status.stored;
    rates.add(now - stored);
    element('rate').textContent = (now - stored).toLocaleString('en');
    stored = now;
    times.sort((a, b) => a - b);
    const median = times[Math.floor(times.length / 2)];
    latencies.add(median ?? 0);
    if (median !== undefined) element('took').textContent = `${Math.round(median)} ms`;
    times = [];
  }, 1000);
}

const manyButtons = () => document.querySelectorAll('[data-many]');

function showMany() {
  for (const button of manyButtons()) button.disabled = sendingMany || !template;
}

function setTemplate(made) {
  template = made;
  if (paused === 'refusal') pause(undefined);
  if (made) sayAutomatic('');
  showMany();
}

/** Tracks the gateway: shows topic and brokers, and uses its example event. */
function startGateway() {
  let known;
  let prefilled = '';
  const takeExample = (example) => {
    const { event, problem, vary } = example;
    const text = element('text');
    if (text.value === prefilled) {
      prefilled = JSON.stringify(draftOf(example, clientId), null, 2);
      text.value = prefilled;
    }
    if (problem === undefined) return setTemplate({ event, vary });
    setTemplate(undefined);
    sayAutomatic(
      'No automatic events: the gateway validates against its own schema and could not generate ' +
        `an event that passes (${problem}). Edit the event below and send it: once it is stored, ` +
        'automatic events follow its example.',
    );
  };
  watchGateway(key, stream, (answer) => {
    gateway = answer;
    if (answer === undefined) return;
    showKeyForm(answer);
    showStreams(answer);
    showTrialStreams(answer);
    if (answer.streams?.length === 0) {
      sayAutomatic(`This page may not write to any stream${key ? ' with this key' : ''}.`);
    }
    if (answer.example === undefined) return;
    idField = answer.idField;
    element('place').hidden = answer.topic === undefined;
    element('topic').textContent = answer.topic ?? '';
    element('brokers').textContent = answer.brokers?.join(', ') ?? '';
    element('fields').textContent = `key: ${answer.keyField || 'none'}, id: ${answer.idField}`;
    element('where').hidden = false;
    const example = JSON.stringify(answer.example);
    if (example === known) return;
    known = example;
    takeExample(answer.example);
  });
}

function startOwn() {
  const text = element('text');
  const result = element('own-result');
  let isPosting = false;
  const numberedFrom = (event) =>
    template && withId(event, template, valuesOf(clientId, number + 1));
  /** Shows the result. The first stored event becomes the template if there is none. */
  const ended = (event, outcome, isStored) => {
    result.textContent = outcome;
    if (isStored && template === undefined) setTemplate(templateOf(event, idField));
  };
  element('own').addEventListener('submit', async (submitted) => {
    submitted.preventDefault();
    showRecord(undefined);
    const event = readOwn(text, result);
    if (event === undefined) return;
    result.textContent = 'sent';
    const numbered = numberedFrom(event);
    const sent = send(numbered ?? event);
    if (numbered && sent.isSent) number++;
    const { code, text: outcome } = await shown({ event: numbered ?? event, ...sent });
    ended(event, outcome, code === undefined);
  });
  element('post').addEventListener('click', async () => {
    if (isPosting) return;
    showRecord(undefined);
    const event = readOwn(text, result);
    if (event === undefined) return;
    result.textContent = 'sent by POST';
    const numbered = numberedFrom(event);
    if (numbered) number++;
    isPosting = true;
    const body = numbered ? JSON.stringify(numbered) : text.value;
    const { text: outcome, record } = await postEvent(body, key, stream);
    isPosting = false;
    showRecord(record);
    ended(event, outcome, record !== undefined);
  });
}

function startMany() {
  const bar = element('progress');
  const result = element('many-result');
  const sendAll = async (count) => {
    const from = template;
    const next = () => {
      const { event, end } = sendNext(from);
      return timed(event, end);
    };
    bar.max = count;
    bar.value = 0;
    result.textContent = 'sending …';
    sendingMany = true;
    showMany();
    result.textContent = await sendMany(next, count, (done) => {
      bar.value = done;
    });
    sendingMany = false;
    showMany();
  };
  for (const button of manyButtons()) {
    button.addEventListener('click', async () => {
      await sendAll(Number(button.dataset.many));
      button.focus();
    });
  }
}

startKeyForm();
startStreamChoice();
startGateway();
startTicking();
startCharts();
startOwn();
startTrial();
startMany();
