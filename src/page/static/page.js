/**
 * The test page: an event per second over `forebay.v1`, and what became of each.
 * Session speaks the protocol and knows no page; Log and the rest below show it.
 */

const PROTOCOL = 'forebay.v1';
const PERIOD_MS = 1000;
/** Events that wait for a connection or for credit; beyond it no new ones are made. */
const WAITING_MAX = 300;
const ROWS_MAX = 200;
const BACKOFF_MS = { first: 250, last: 10_000 };

/**
 * A connection that is made again and again. Entries are `{ id, text }`; each goes out as a frame,
 * unchanged each time, until it is stored or refused for good.
 */
class Session {
  #url;
  #on;
  #socket;
  #waiting = [];
  /** Frame number -> entry, of what has no ack on this connection. */
  #open = new Map();
  #refused = new Set();
  #frames = 0;
  #bytes = 0;
  #credit = { frames: 0, bytes: 0 };
  #goaway;
  #failures = 0;

  /** `on`: state(name, text), sent(entry), stored(entry), refused(entry, error, again). */
  constructor(url, on) {
    this.#url = url;
    this.#on = on;
  }

  get waiting() {
    return this.#waiting.length;
  }

  add(entry) {
    this.#waiting.push(entry);
    this.#pump();
  }

  connect() {
    this.#on.state('connecting', 'connecting …');
    [this.#frames, this.#bytes] = [0, 0];
    this.#credit = { frames: 0, bytes: 0 };
    this.#goaway = undefined;
    const socket = new WebSocket(this.#url, [PROTOCOL]);
    this.#socket = socket;
    socket.onmessage = ({ data }) => this.#take(JSON.parse(data));
    socket.onclose = ({ code, reason }) => this.#lost(code, reason);
  }

  #take({ hello, nack, errors = [], ack, credit, goaway }) {
    if (hello) {
      this.#failures = 0;
      this.#on.state('connected', 'connected');
    }
    if (nack !== undefined) this.#refuse(nack, errors[0]);
    if (ack !== undefined) this.#settle(ack);
    if (goaway) {
      this.#goaway = goaway;
      this.#on.state('lost', `the server is going away (${goaway.reason})`);
    }
    this.#credit = hello?.credit ?? credit ?? this.#credit;
    this.#pump();
  }

  /** Sends what waits, as far as the credit reaches. */
  #pump() {
    if (this.#socket?.readyState !== WebSocket.OPEN || this.#goaway) return;
    while (this.#waiting.length > 0) {
      const entry = this.#waiting[0];
      const size = new TextEncoder().encode(entry.text).length;
      const { frames, bytes } = this.#credit;
      if (this.#frames >= frames || this.#bytes + size > bytes) return;
      this.#waiting.shift();
      this.#frames++;
      this.#bytes += size;
      this.#open.set(this.#frames, entry);
      this.#socket.send(entry.text);
      this.#on.sent(entry);
    }
  }

  /** A frame of ours holds one event, so that its first error is its only one. */
  #refuse(number, error) {
    const entry = this.#open.get(number);
    if (!entry || !error) return;
    this.#refused.add(number);
    this.#on.refused(entry, error, error.retry);
    if (error.retry) setTimeout(() => this.add(entry), error.retryAfterMs);
  }

  #settle(upTo) {
    for (const [number, entry] of this.#open) {
      if (number > upTo) break;
      this.#open.delete(number);
      if (!this.#refused.delete(number)) this.#on.stored(entry);
    }
  }

  /** What has no ack goes out again, first and in its order; what was refused has been seen to. */
  #lost(code, reason) {
    const again = [...this.#open].filter(([number]) => !this.#refused.has(number));
    this.#waiting.unshift(...again.map(([, entry]) => entry));
    this.#open.clear();
    this.#refused.clear();
    const pauseMs = Math.round(this.#goaway?.reconnectMs ?? this.#backoff());
    const why = reason || `code ${code}`;
    const when = `trying again in ${(pauseMs / 1000).toFixed(1)} s`;
    this.#on.state('lost', `connection lost (${why}), ${when}`);
    setTimeout(() => this.connect(), pauseMs);
  }

  /** Doubles with each failure in a row; a random half, so that clients do not come all at once. */
  #backoff() {
    const fullMs = Math.min(BACKOFF_MS.last, BACKOFF_MS.first * 2 ** this.#failures++);
    return fullMs / 2 + (Math.random() * fullMs) / 2;
  }
}

const element = (id) => document.getElementById(id);

/** The list of events and the counts above it. */
class Log {
  #list = element('log');
  #rows = new Map();
  #counts = { sent: 0, stored: 0, refused: 0, open: 0 };

  waiting(entry) {
    const row = document.createElement('li');
    const text = document.createElement('code');
    const outcome = document.createElement('span');
    text.textContent = entry.text;
    outcome.className = 'outcome';
    row.append(text, outcome);
    row.dataset.id = entry.id;
    this.#rows.set(entry.id, row);
    this.#list.prepend(row);
    this.#count('open', 1);
    this.#show(entry, 'waiting', 'waiting');
    this.#trim();
  }

  sent(entry) {
    entry.sentAt ??= performance.now();
    const again = entry.attempts++ > 0;
    if (!again) this.#count('sent', 1);
    this.#show(entry, 'sent', again ? 'sent again' : 'sent');
  }

  stored(entry) {
    const took = `${Math.round(performance.now() - entry.sentAt)} ms`;
    this.#count('open', -1);
    this.#count('stored', 1);
    element('took').textContent = took;
    this.#show(entry, 'stored', `stored after ${took}`);
  }

  refused(entry, { code, message, retryAfterMs }, again) {
    const next = again ? `; again in ${retryAfterMs} ms` : '';
    if (!again) this.#count('open', -1);
    this.#count('refused', 1);
    this.#show(entry, 'refused', `refused ${code}: ${message}${next}`);
  }

  #show(entry, state, text) {
    const row = this.#rows.get(entry.id);
    if (!row) return;
    row.dataset.state = state;
    row.lastChild.textContent = text;
  }

  #count(name, by) {
    this.#counts[name] += by;
    element(name).textContent = String(this.#counts[name]);
  }

  #trim() {
    while (this.#list.childElementCount > ROWS_MAX) {
      const last = this.#list.lastElementChild;
      this.#rows.delete(last.dataset.id);
      last.remove();
    }
  }
}

/** crypto.randomUUID is for secure pages only, and this one may be served over plain HTTP. */
function randomName() {
  const bytes = crypto.getRandomValues(new Uint8Array(6));
  return `page-${Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')}`;
}

function start() {
  const clientId = randomName();
  const log = new Log();
  const session = new Session(new URL('/ws', location.href.replace(/^http/, 'ws')).href, {
    state(name, text) {
      const state = element('state');
      state.dataset.state = name;
      state.textContent = text;
    },
    sent: (entry) => log.sent(entry),
    stored: (entry) => log.stored(entry),
    refused: (entry, error, again) => log.refused(entry, error, again),
  });

  let made = 0;
  let paused = false;
  const tick = () => {
    if (paused || session.waiting >= WAITING_MAX) return;
    made++;
    const id = `${clientId}-${made}`;
    const event = { msg: `event ${made}`, clientId, timestamp: Date.now(), id };
    const entry = { id, text: JSON.stringify(event), attempts: 0 };
    log.waiting(entry);
    session.add(entry);
  };

  element('toggle').addEventListener('click', ({ currentTarget: button }) => {
    paused = !paused;
    button.textContent = paused ? 'Resume' : 'Pause';
  });
  session.connect();
  setInterval(tick, PERIOD_MS);
}

start();
