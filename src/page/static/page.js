/**
 * The test page: an event per second, events of one's own, and many at once, by the client library
 * that any page may use.
 */
import { createClient } from '/client.js';
import { Chart } from './chart.js';
import { EventList, element, prepend } from './events.js';
import { placeOf, wrongAt } from './json.js';
import { sendMany } from './many.js';

const PERIOD_MS = 1000;
/** Events that wait for a connection or for credit; beyond it no new ones are made. */
const WAITING_MAX = 300;
const HISTORY_MAX = 8;
/** Ten thousand events, twice. */
const BUFFERED_BYTES = 4 * 1024 * 1024;
const COUNTS = ['sent', 'stored', 'refused', 'dropped', 'waiting', 'unacknowledged', 'reconnects'];
const STATES = {
  connecting: 'connecting …',
  open: 'connected',
  fallback: 'no WebSocket: by HTTP',
  closed: 'closed',
};

/** crypto.randomUUID is for secure pages only, and this one may be served over plain HTTP. */
function randomName() {
  const bytes = crypto.getRandomValues(new Uint8Array(6));
  return `page-${Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')}`;
}

const clientId = randomName();
const list = new EventList();
const attempts = new Map();
let made = 0;
let sentAgain = 0;
/** Of the second that runs: times to ack. */
let times = [];
let shownState;
/** Kept here alone: it is gone with the page. */
let key;

const client = createClient({
  url: new URL('/ws', location.href.replace(/^http/, 'ws')).href,
  maxBufferedBytes: BUFFERED_BYTES,
  key: () => key,
  onStatus: showStatus,
  onSent({ id }, attempt) {
    if (attempt > 1) element('again').textContent = String(++sentAgain);
    attempts.set(id, attempt);
    list.show(id, 'sent', attempt > 1 ? `sent again (attempt ${attempt})` : 'sent');
  },
});

/** The connection as it is now, and what it was before. */
function showStatus(status) {
  for (const name of COUNTS) element(name).textContent = String(status[name]);
  const { frames, bytes } = status.credit;
  element('credit').textContent = `${frames} frames, ${bytes} bytes`;
  const why = status.state === 'connecting' && status.problem ? ` (${status.problem})` : '';
  const text = STATES[status.state] + why;
  if (text === shownState) return;
  shownState = text;
  element('state').dataset.state = status.state;
  element('state').textContent = text;
  if (text === STATES.connecting) return;
  const line = document.createElement('li');
  line.textContent = `${new Date().toLocaleTimeString()} ${text}`;
  prepend(element('history'), line, HISTORY_MAX);
}

function newEvent() {
  made++;
  const id = `${clientId}-${made}`;
  return { msg: `event ${made}`, clientId, timestamp: Date.now(), id };
}

/** Sends an event and notes how long it took. @throws SendError */
async function timed(event) {
  const sentAt = performance.now();
  try {
    await client.send(event);
    const ms = performance.now() - sentAt;
    times.push(ms);
    return { ms, attempt: attempts.get(event.id) ?? 1 };
  } finally {
    attempts.delete(event.id);
  }
}

/** Sends an event that is shown in the list. @returns what became of it */
async function sendShown(event) {
  const { id } = event;
  list.add(id, JSON.stringify(event));
  try {
    const { ms, attempt } = await timed(event);
    const again = attempt > 1 ? ` (attempt ${attempt})` : '';
    const text = `stored after ${Math.round(ms)} ms${again}`;
    list.show(id, 'stored', text);
    return text;
  } catch ({ code, message }) {
    const text = `refused ${code}: ${message}`;
    list.show(id, 'refused', text);
    return text;
  }
}

function startTicking() {
  let paused = false;
  element('toggle').addEventListener('click', ({ currentTarget: button }) => {
    paused = !paused;
    button.textContent = paused ? 'Resume' : 'Pause';
  });
  setInterval(() => {
    if (!paused && client.status.waiting < WAITING_MAX) sendShown(newEvent());
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

/** Where the text is no JSON, the cursor goes there. */
function startOwn() {
  const text = element('text');
  const result = element('own-result');
  const { id: _, ...example } = newEvent();
  text.value = JSON.stringify({ ...example, msg: 'my own event' }, null, 2);
  element('own').addEventListener('submit', async (submitted) => {
    submitted.preventDefault();
    let event;
    try {
      event = JSON.parse(text.value);
    } catch {
      const at = wrongAt(text.value);
      text.focus();
      text.setSelectionRange(at, at + 1);
      result.textContent = `not sent: no JSON at ${placeOf(text.value, at)}`;
      return;
    }
    if (typeof event !== 'object' || event === null || Array.isArray(event)) {
      result.textContent = 'not sent: an event is a JSON object';
      return;
    }
    result.textContent = 'sent';
    result.textContent = await sendShown({ id: newEvent().id, ...event });
  });
}

function startKey() {
  const input = element('key');
  element('identity').addEventListener('submit', (submitted) => {
    submitted.preventDefault();
    key = input.value || undefined;
    input.value = '';
    const what = key ? 'kept until the page is closed' : 'none is kept';
    element('key-result').textContent = `${what}; used from the next connection on`;
  });
}

function startMany() {
  const buttons = document.querySelectorAll('[data-many]');
  const bar = element('progress');
  const result = element('many-result');
  const disable = (disabled) => {
    for (const button of buttons) button.disabled = disabled;
  };
  for (const button of buttons) {
    button.addEventListener('click', async () => {
      const count = Number(button.dataset.many);
      bar.max = count;
      bar.value = 0;
      result.textContent = 'sending …';
      disable(true);
      result.textContent = await sendMany({ send: timed }, count, newEvent, (done) => {
        bar.value = done;
      });
      disable(false);
      button.focus();
    });
  }
}

startTicking();
startCharts();
startOwn();
startMany();
startKey();
