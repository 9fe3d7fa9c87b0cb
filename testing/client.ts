/**
 * Client of `forebay.v1` for tests and benches. It keeps unacknowledged events, respects credit,
 * retries after a connection loss, updates the ledger, and records protocol violations of the
 * server in `violations`.
 *
 *   send() -> waiting -> sent, numbered -> ack: settled
 *                ^             |  nack: rejected; with `retryRefused` again after retryAfterMs
 *                +---- loss ---+
 *
 * Events that may be stored are declared as repeats: after a loss they are first on the new
 * connection; one rejected with `timeout`, or rejected after a loss, is resent by POST.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { WebSocket } from 'ws';
import type { EventCode } from '../src/common/errors.ts';
import type { Ledger } from './ledger.ts';
import { Poster } from './post.ts';
import { type Credit, Incoming, type NackError } from './protocol.ts';
import {
  type Closed,
  closeSocket,
  eventText,
  keyOf,
  openSocket,
  type TestEvent,
  type Trust,
} from './socket.ts';
import { PATIENCE_MS, until } from './wait.ts';

export interface ClientOptions extends Trust {
  /** `ws://127.0.0.1:9000/ws` */
  readonly url: string;
  /** Name of the connection in the ledger. */
  readonly name?: string;
  readonly ledger?: Ledger;
  readonly headers?: Record<string, string>;
  /** Reconnects after a loss and resends unacknowledged events. */
  readonly reconnect?: boolean;
  /** Resends events rejected with `retry`, each in a separate frame, or body if it is a repeat. */
  readonly retryRefused?: boolean;
  /** Receives the ms from send() to the frame's ack, for frames without rejections. */
  readonly onLatency?: (ms: number) => void;
}

interface Item {
  readonly event: TestEvent;
  attempt: number;
  /** It may be stored: an attempt has no result, or was rejected with `timeout`. */
  isRepeat: boolean;
}

/** Response to a body of one event. */
interface Outcome {
  readonly accepted: number;
  readonly errors?: readonly NackError[];
}

/** One frame and its state. */
export interface Frame {
  state: 'waiting' | 'sent' | 'settled';
  /** Number on the latest connection. */
  number: number;
  /** Errors of all attempts. */
  readonly errors: NackError[];
}

interface OwnFrame extends Frame {
  items: Item[];
  /** Bytes sent unchanged, for frames that are not a list of events. */
  readonly raw: string | Buffer | undefined;
  readonly sinceMs: number;
  /** Indices of `items` rejected on this connection. */
  refused: Set<number>;
}

const RECONNECT_MS = { first: 50, last: 1_000 };

export class AcknowledgedClient {
  readonly #options: ClientOptions;
  #socket: WebSocket | undefined;
  #incoming = new Incoming();
  #waiting: OwnFrame[] = [];
  /** Sent without an ack, by ascending number. */
  #unacknowledged: OwnFrame[] = [];
  #sentFrames = 0;
  #sentBytes = 0;
  #scheduled = 0;
  #closing = false;
  readonly #timers = new Set<NodeJS.Timeout>();
  readonly #poster: Poster;
  /** End of each connection. */
  readonly closes: Closed[] = [];
  /** Errors of failed reconnects. */
  readonly failures: string[] = [];
  /** Protocol violations of the server. */
  readonly violations: string[] = [];
  /** Number of connections opened. */
  connections = 0;
  acknowledgedEvents = 0;
  refusedEvents = 0;

  constructor(options: ClientOptions) {
    this.#options = options;
    const [, base = '', stream] = /^(.*?)\/ws(?:\/(.*))?$/.exec(options.url) ?? [];
    this.#poster = new Poster(base.replace(/^ws/, 'http'), options, stream);
  }

  /**
   * Connects and waits for `hello`.
   * @throws HandshakeRefused, or the connection's error
   */
  async open(): Promise<this> {
    const { headers = {} } = this.#options;
    const repeats = this.#waiting.reduce((sum, frame) => sum + repeatsOf(frame), 0);
    const url = this.#options.url + (repeats > 0 ? `?resent=${repeats}` : '');
    const incoming = new Incoming();
    this.#incoming = incoming;
    [this.#sentFrames, this.#sentBytes] = [0, 0];
    const prepare = (made: WebSocket) => {
      made.on('message', (data, isBinary) => this.#message(incoming, String(data), isBinary));
      made.on('close', (code, reason) => this.#lost(made, { code, reason: String(reason) }));
    };
    const socket = await openSocket(url, ['forebay.v1'], headers, prepare, this.#options);
    this.#socket = socket;
    this.connections++;
    if (socket.protocol !== 'forebay.v1') throw new Error(`subprotocol is '${socket.protocol}'`);
    await until(() => incoming.hello ?? socket.readyState > WebSocket.OPEN, { what: 'hello' });
    if (incoming.hello === undefined) throw new Error('the connection ended before hello');
    this.#pump();
    return this;
  }

  get socket(): WebSocket {
    if (this.#socket === undefined) throw new Error('not open');
    return this.#socket;
  }

  get connected(): boolean {
    return this.#socket?.readyState === WebSocket.OPEN && this.#incoming.hello !== undefined;
  }

  get hello() {
    return this.#incoming.hello;
  }
  /** Current credit of the connection. */
  get credit(): Credit {
    return this.#incoming.credit;
  }
  get goaway() {
    return this.#incoming.goaway;
  }
  /** Unsettled frames, including scheduled retries. */
  get outstanding(): number {
    return this.#waiting.length + this.#unacknowledged.length + this.#scheduled;
  }

  /** Sends events in one frame when credit allows: one as an object, several as an array. */
  send(...events: TestEvent[]): Frame {
    return this.#enqueue(events.map((event) => ({ event, attempt: 0, isRepeat: false })));
  }

  /** Sends these bytes as one frame (text, or binary for a Buffer), without the ledger. */
  sendRaw(raw: string | Buffer): Frame {
    return this.#enqueue([], raw);
  }

  /** Waits until every frame is settled. */
  async settled(deadlineMs = PATIENCE_MS): Promise<void> {
    const what = () => `${this.outstanding} frames of ${this.#options.name ?? 'a client'}`;
    await until(() => this.outstanding === 0, { deadlineMs, what });
  }

  /** Closes permanently; unsettled frames stay unsettled. */
  async close(): Promise<void> {
    this.#closing = true;
    for (const timer of this.#timers) clearTimeout(timer);
    if (this.#socket !== undefined) await closeSocket(this.#socket);
  }

  /** Resets the connection; reconnects if configured. */
  cut(): void {
    this.socket.terminate();
  }

  #enqueue(items: Item[], raw?: string | Buffer): OwnFrame {
    const frame: OwnFrame = {
      state: 'waiting',
      number: 0,
      errors: [],
      items,
      raw,
      sinceMs: performance.now(),
      refused: new Set(),
    };
    this.#waiting.push(frame);
    this.#pump();
    return frame;
  }

  #pump(): void {
    let sent = 0;
    while (sent < this.#waiting.length && this.connected && this.goaway === undefined) {
      if (!this.#fits(this.#waiting[sent]!)) break;
      this.#transmit(this.#waiting[sent]!);
      sent++;
    }
    this.#waiting.splice(0, sent);
  }

  #fits(frame: OwnFrame): boolean {
    const size = Buffer.byteLength(this.#text(frame, 1));
    const { frames, bytes } = this.credit;
    return this.#sentFrames < frames && this.#sentBytes + size <= bytes;
  }

  #transmit(frame: OwnFrame): void {
    const { ledger, name = 'client' } = this.#options;
    const data = this.#text(frame, 1);
    for (const item of frame.items) {
      item.attempt++;
      const { event, isRepeat } = item;
      const facts = { key: keyOf(event), connection: `${name}/${this.connections}`, isRepeat };
      ledger?.sent(event.id, item.attempt, facts);
    }
    frame.number = ++this.#sentFrames;
    this.#sentBytes += Buffer.byteLength(data);
    frame.state = 'sent';
    this.#unacknowledged.push(frame);
    this.socket.send(data);
  }

  #text({ raw, items }: OwnFrame, more: number): string | Buffer {
    if (raw !== undefined) return raw;
    const texts = items.map(({ event, attempt }) => eventText(event, attempt + more));
    return texts.length === 1 ? texts[0]! : `[${texts.join(',')}]`;
  }

  #message(incoming: Incoming, text: string, isBinary: boolean): void {
    if (isBinary) this.violations.push('unexpected binary frame');
    const news = incoming.take(text, this.#sentFrames);
    this.violations.push(...news.violations);
    if (news.nack !== undefined) this.#refuse(news.nack.frame, news.nack.errors);
    if (news.ack !== undefined) this.#settle(news.ack);
    this.#pump();
  }

  #refuse(number: number, errors: readonly NackError[]): void {
    const frame = this.#unacknowledged.find((candidate) => candidate.number === number);
    if (frame === undefined) return;
    frame.errors.push(...errors);
    for (const error of errors) {
      const ranges = error.events ?? [[0, frame.items.length - 1]];
      for (const [first, last] of ranges) {
        for (let index = first; index <= last; index++) this.#refuseEvent(frame, index, error);
      }
    }
  }

  #refuseEvent(frame: OwnFrame, index: number, error: NackError): void {
    if (frame.refused.has(index))
      this.violations.push(`frame ${frame.number} has two results for event ${index}`);
    frame.refused.add(index);
    this.refusedEvents++;
    const item = frame.items[index];
    if (item === undefined) return;
    this.#options.ledger?.refused(item.event.id, error.code as EventCode, item.attempt);
    if (!error.retry || this.#options.retryRefused !== true) return;
    if (error.code === 'timeout') item.isRepeat = true;
    this.#scheduled++;
    this.#later(error.retryAfterMs ?? 0, () => {
      if (item.isRepeat) return void this.#post(item);
      this.#scheduled--;
      this.#enqueue([item]);
    });
  }

  /** Sends a repeat once; schedules it again unless it is settled. */
  async #post(item: Item): Promise<void> {
    const { ledger } = this.#options;
    const { event } = item;
    const attempt = ++item.attempt;
    // Order holds within a connection only.
    ledger?.sent(event.id, attempt, { key: keyOf(event), isRepeat: true });
    let outcome: Outcome | undefined;
    try {
      outcome = (await this.#poster.post(`[${eventText(event, attempt)}]`, true)).body as Outcome;
    } catch (error) {
      this.failures.push(String(error));
    }
    const error = outcome?.errors?.[0];
    if (outcome?.accepted === 1) {
      this.acknowledgedEvents++;
      ledger?.acknowledged(event.id, attempt);
    }
    if (error) {
      this.refusedEvents++;
      ledger?.refused(event.id, error.code as EventCode, attempt);
    }
    if (outcome?.accepted === 1 || error?.retry === false) this.#scheduled--;
    else this.#later(error?.retryAfterMs ?? RECONNECT_MS.last, () => void this.#post(item));
  }

  #settle(number: number): void {
    let settled = 0;
    for (const frame of this.#unacknowledged) {
      if (frame.number > number) break;
      settled++;
      frame.state = 'settled';
      for (const [index, item] of frame.items.entries()) {
        if (frame.refused.has(index)) continue;
        this.acknowledgedEvents++;
        this.#options.ledger?.acknowledged(item.event.id, item.attempt);
      }
      if (frame.refused.size === 0) this.#options.onLatency?.(performance.now() - frame.sinceMs);
    }
    this.#unacknowledged.splice(0, settled);
  }

  #lost(socket: WebSocket, closed: Closed): void {
    if (this.#socket !== socket) return;
    this.closes.push(closed);
    if (this.#incoming.hello === undefined) return; // open() reports it
    if (this.#closing || this.#options.reconnect !== true) return;
    // Rejected events are settled (or have a retry scheduled); the others are sent again.
    for (const frame of this.#unacknowledged) {
      frame.items = frame.items.filter((_, index) => !frame.refused.has(index));
      for (const item of frame.items) item.isRepeat = true;
      frame.refused = new Set();
      frame.state = frame.items.length > 0 || frame.raw !== undefined ? 'waiting' : 'settled';
    }
    const again = this.#unacknowledged.filter(({ state }) => state === 'waiting');
    this.#waiting = [...again, ...this.#waiting];
    this.#unacknowledged = [];
    void this.#reconnect(this.goaway?.reconnectMs ?? RECONNECT_MS.first);
  }

  async #reconnect(firstMs: number): Promise<void> {
    let pauseMs = firstMs;
    while (!this.#closing) {
      await sleep(pauseMs * (0.5 + Math.random() / 2));
      try {
        if (!this.#closing) await this.open();
        return;
      } catch (error) {
        this.failures.push(String(error));
        pauseMs = Math.min(RECONNECT_MS.last, Math.max(pauseMs, RECONNECT_MS.first) * 2);
      }
    }
  }

  #later(ms: number, act: () => void): void {
    if (this.#closing) return;
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      act();
    }, ms);
    this.#timers.add(timer);
  }
}

/** Counts the events of a frame that may be stored; raw bytes count as one. */
function repeatsOf({ raw, items, number }: OwnFrame): number {
  if (raw !== undefined) return number > 0 ? 1 : 0;
  return items.filter(({ isRepeat }) => isRepeat).length;
}
