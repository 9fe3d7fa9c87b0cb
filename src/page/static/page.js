/**
 * The test page: an event per second over `forebay.v1`, and what became of each.
 * Session speaks the protocol and knows no page; Log and the rest below show it.
 */

const PROTOCOL = 'forebay.v1';
const PERIOD_MS = 1000;
/** Events that wait for a connection or for credit; beyond it no new ones are made. */
const WAITING_MAX = 300;
const ROWS_MAX = 200;
const HISTORY_MAX = 8;
const BACKOFF_MS = { first: 250, last: 10_000 };

/**
 * A connection that is made again and again. Entries are `{ id, text, attempts }`; each goes out as
 * a frame, unchanged each time, until it is acknowledged or refused for good.
 */
class Session {
  #url;
  #on;
  #socket;
  #waiting = [];
  /** Frame number -> entry, of what has no ack on this connection. */
  #open = new Map();
  #refused = new Set();
  #sent = { frames: 0, bytes: 0 };
  #credit = { frames: 0, bytes: 0 };
  /** When to connect again, as the server asked in its `goaway`. */
  #againAtMs;
  #failures = 0;

  /** `on`: state(name, text), credit(left), sent(entry), acked(entry), refused(entry, error). */
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
    this.#sent = { frames: 0, bytes: 0 };
    this.#credit = { frames: 0, bytes: 0 };
    this.#againAtMs = undefined;
    this.#socket = new WebSocket(this.#url, [PROTOCOL]);
    this.#socket.onmessage = ({ data }) => this.#take(JSON.parse(data));
    this.#socket.onclose = ({ code, reason }) => this.#lost(code, reason);
  }

  #take({ hello, nack, errors = [], ack, credit, goaway }) {
    if (hello) this.#on.state('connected', 'connected');
    if (nack !== undefined) this.#refuse(nack, errors[0]);
    if (ack !== undefined) this.#settle(ack);
    if (goaway) this.#leave(goaway);
    this.#credit = hello?.credit ?? credit ?? this.#credit;
    this.#pump();
  }

  /** Sends what waits, as far as the credit reaches. */
  #pump() {
    const mayAtAll = this.#socket?.readyState === WebSocket.OPEN && this.#againAtMs === undefined;
    while (mayAtAll && this.#waiting.length > 0) {
      const entry = this.#waiting[0];
      const size = new TextEncoder().encode(entry.text).length;
      const left = this.#left();
      if (left.frames < 1 || left.bytes < size) break;
      this.#waiting.shift();
      this.#sent.frames++;
      this.#sent.bytes += size;
      this.#open.set(this.#sent.frames, entry);
      this.#socket.send(entry.text);
      entry.attempts++;
      this.#on.sent(entry);
    }
    this.#on.credit(this.#left());
  }

  /** Credit is absolute, counted from the connection's start. */
  #left() {
    const { frames, bytes } = this.#credit;
    return { frames: frames - this.#sent.frames, bytes: bytes - this.#sent.bytes };
  }

  /** A frame of ours holds one event, so that its first error is its only one. */
  #refuse(number, error) {
    const entry = this.#open.get(number);
    if (!entry || !error) return;
    this.#refused.add(number);
    this.#on.refused(entry, error);
    if (error.retry) setTimeout(() => this.add(entry), error.retryAfterMs);
  }

  #settle(upTo) {
    this.#failures = 0;
    for (const [number, entry] of this.#open) {
      if (number > upTo) break;
      this.#open.delete(number);
      if (!this.#refused.delete(number)) this.#on.acked(entry);
    }
  }

  /** Nothing new goes out here; what did is settled still, and then the server closes. */
  #leave({ reason, reconnectMs }) {
    this.#againAtMs = performance.now() + reconnectMs;
    this.#on.state(
      'leaving',
      `goaway (${reason}): no more is sent, reconnect in ${reconnectMs} ms`,
    );
  }

  /** What has no ack goes out again, first and in its order; what was refused has been seen to. */
  #lost(code, reason) {
    const again = [...this.#open].filter(([number]) => !this.#refused.has(number));
    this.#waiting.unshift(...again.map(([, entry]) => entry));
    this.#open.clear();
    this.#refused.clear();
    this.#sent = this.#credit;
    this.#on.credit(this.#left());
    const asked = (this.#againAtMs ?? 0) - performance.now();
    const pauseMs = Math.round(asked > 0 ? asked : this.#backoff());
    const what = this.#credit.frames > 0 ? 'connection lost' : 'no connection';
    const why = reason ? `${code} ${reason}` : code;
    const rest = again.length > 0 ? `; without an ack, to be sent again: ${again.length}` : '';
    this.#on.state('lost', `${what} (${why}), next try in ${pauseMs} ms${rest}`);
    setTimeout(() => this.connect(), pauseMs);
  }

  /** Any part of what doubles with each failure in a row: clients must not come all at once. */
  #backoff() {
    return Math.random() * Math.min(BACKOFF_MS.last, BACKOFF_MS.first * 2 ** this.#failures++);
  }
}

const element = (id) => document.getElementById(id);

/** Puts a line on top of a list; takes the oldest beyond `most` away. @returns that one */
function prepend(list, row, most) {
  list.prepend(row);
  const oldest = list.childElementCount > most ? list.lastElementChild : undefined;
  oldest?.remove();
  return oldest;
}

/** The list of events and the counts above it. */
class Log {
  #rows = new Map();
  #counts = { sent: 0, again: 0, acked: 0, refused: 0, open: 0 };

  waiting(entry) {
    const row = document.createElement('li');
    const text = document.createElement('code');
    const outcome = document.createElement('span');
    text.textContent = entry.text;
    outcome.className = 'outcome';
    row.append(text, outcome);
    row.dataset.id = entry.id;
    this.#rows.set(entry.id, row);
    this.#rows.delete(prepend(element('log'), row, ROWS_MAX)?.dataset.id);
    this.#count('open', 1);
    this.#show(entry, 'waiting', 'waiting');
  }

  sent(entry) {
    entry.sentAt ??= performance.now();
    const again = entry.attempts > 1;
    this.#count(again ? 'again' : 'sent', 1);
    this.#show(entry, 'sent', again ? `sent again (attempt ${entry.attempts})` : 'sent');
  }

  acked(entry) {
    const took = `${Math.round(performance.now() - entry.sentAt)} ms`;
    const attempt = entry.attempts > 1 ? ` (attempt ${entry.attempts})` : '';
    this.#count('open', -1);
    this.#count('acked', 1);
    element('took').textContent = took;
    this.#show(entry, 'acked', `acked after ${took}${attempt}`);
  }

  refused(entry, { code, message, retry, retryAfterMs }) {
    const next = retry ? `; again in ${retryAfterMs} ms` : '';
    if (!retry) this.#count('open', -1);
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
}

/** The connection as it is now, and what it was before. */
function showState(name, text) {
  const state = element('state');
  state.dataset.state = name;
  state.textContent = text;
  if (name === 'connecting') return;
  const line = document.createElement('li');
  line.textContent = `${new Date().toLocaleTimeString()} ${text}`;
  prepend(element('history'), line, HISTORY_MAX);
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
    state: showState,
    credit({ frames, bytes }) {
      element('credit').textContent = `${frames} frames, ${bytes} bytes`;
    },
    sent: (entry) => log.sent(entry),
    acked: (entry) => log.acked(entry),
    refused: (entry, error) => log.refused(entry, error),
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
