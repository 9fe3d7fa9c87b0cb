/**
 * Chooses how and when events are sent: by WebSocket, or by POST where WebSockets are blocked;
 * retries after delays, and rarely while the gateway rejects this client.
 *
 *   connecting ──▶ open ──▶ lost ─▶ delay ─▶ connecting
 *       └─ no hello ─▶ checked by POST ─┬─ 401, 403 ─▶ long delay ─▶ connecting
 *                                       └─ two in a row ─▶ events sent by POST meanwhile
 */
import type { ClientOptions } from './api.ts';
import { Connection, type WebSocketClass } from './connection.ts';
import type { EntryEvents } from './entry.ts';
import { textOf } from './error-text.ts';
import { KeepaliveSender } from './keepalive-sender.ts';
import { Key } from './key.ts';
import { forbiddenOrigin, type NotAdmitted } from './messages.ts';
import type { Outbox } from './outbox.ts';
import { isForeignPage, listen, pageIsHidden, servesPages, urlsOf } from './platform.ts';
import { Poster, type Problem } from './poster.ts';
import { RetryDelays } from './retry-delays.ts';
import { SizeLimit } from './size-limit.ts';

/** Consecutive connections without a frame from the gateway, and their duration, until WebSockets
 * count as blocked. A worker restart takes less. */
const BLOCKED_AFTER = { connections: 2, ms: 2_000 };
/** Minimum interval between checks of failing connections, if the first was answered. */
const CHECK_MS = 10_000;
/** Minimum interval between hurried attempts. */
const HURRY_MS = 2_500;

export interface TransportEvents extends EntryEvents {
  /** Visible state of {@link Transport} has changed. */
  changed(): void;
  /** The gateway currently rejects everything from this client. */
  notAdmitted(why: NotAdmitted): void;
}

export class Transport {
  readonly #options: ClientOptions;
  readonly #outbox: Outbox;
  readonly #on: TransportEvents;
  readonly #key: Key;
  readonly #poster: Poster;
  readonly #keepalive: KeepaliveSender;
  readonly #urls: { readonly socket: string; readonly events: string };
  readonly #frames = new SizeLimit(Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY);
  readonly #forget: () => void;
  #connection: Connection | undefined;
  /** Waiting for a key. */
  #asking = false;
  #checking = false;
  /** The current attempt may be too early: another one follows it. */
  #hurried = false;
  #hurriedMs = Number.NEGATIVE_INFINITY;
  /** Kind of the body in flight. */
  #posting: 'repeats' | 'waiting' | undefined;
  #opened = 0;
  /** Consecutive connections without a frame. */
  #mute = 0;
  /** End of the last connection with a frame. */
  #sinceMs = performance.now();
  #checkedMs = Number.NEGATIVE_INFINITY;
  readonly #delays = new RetryDelays();
  /** The last body was answered. */
  #postable = false;
  #ackMs: number | undefined;
  #problem: string | undefined;
  /** Reason why there is no WebSocket. */
  #lostText: string | undefined;
  #notAdmitted: NotAdmitted | undefined;
  #closed = false;
  #connectTimer: ReturnType<typeof setTimeout> | undefined;
  /** Runs after an unanswered body, until the next one. */
  #restTimer: ReturnType<typeof setTimeout> | undefined;

  /** @throws TypeError, SyntaxError: invalid URL, key or WebSocket class */
  constructor(options: ClientOptions, outbox: Outbox, on: TransportEvents) {
    const { webSocket } = options;
    if (webSocket !== undefined && typeof webSocket !== 'function') {
      throw new TypeError(`webSocket must be a class, not ${typeof webSocket}`);
    }
    this.#options = options;
    this.#outbox = outbox;
    this.#on = on;
    this.#urls = urlsOf(options);
    const { events } = this.#urls;
    this.#key = new Key(options.key);
    this.#poster = new Poster(events, this.#key, outbox, on);
    this.#keepalive = new KeepaliveSender(events, this.#key, outbox, this.#poster, on);
    this.#connect(true);
    this.#forget = listen({
      pagehide: () => this.#keepalive.last(),
      pageshow: () => this.#back(),
      visibilitychange: () => (pageIsHidden() ? this.#hidden() : this.#back()),
      online: () => this.#online(),
    });
  }

  get state() {
    if (this.#closed) return 'closed';
    if (this.#connection?.open) return 'open';
    return this.#blocked && this.#postable ? 'fallback' : 'connecting';
  }
  get unacknowledged(): number {
    const { unacknowledged = 0 } = this.#connection ?? {};
    return unacknowledged + this.#poster.unacknowledged + this.#keepalive.unacknowledged;
  }
  get reconnects(): number {
    return Math.max(0, this.#opened - 1);
  }
  get credit() {
    const { open, credit } = this.#connection ?? {};
    return open && credit ? credit : { frames: 0, bytes: 0 };
  }
  get ackMs(): number | undefined {
    return this.#ackMs;
  }
  get problem(): string | undefined {
    if (this.#connection?.open) return undefined;
    if (this.state !== 'fallback' || this.#notAdmitted) return this.#problem;
    return `WebSocket connections fail: ${this.#lostText}`;
  }
  get notAdmitted(): NotAdmitted | undefined {
    return this.#notAdmitted;
  }
  get maxEventBytes(): number | undefined {
    return this.#connection?.maxEventBytes;
  }

  /** Sends waiting events, as far as permitted. */
  pump(): void {
    if (this.#closed) return;
    const open = this.#connection?.open;
    // A body of waiting events holds older ones; repeats have no order.
    if (open && this.#posting !== 'waiting') this.#connection?.pump();
    if (this.#mayPost) void this.#post(open ? 'repeats' : 'waiting');
    this.#on.changed();
  }

  /** While the client is rejected, retries without the usual delay. */
  hurry(): void {
    if (!this.#notAdmitted || this.#closed) return;
    const isTrying = this.#asking || this.#checking || this.#connection !== undefined;
    if (isTrying) this.#hurried = true;
    else this.#connectSoon();
  }

  #connectSoon(): void {
    this.#hurried = false;
    const now = performance.now();
    const atMs = Math.max(now, this.#hurriedMs + HURRY_MS);
    clearTimeout(this.#connectTimer);
    this.#connectTimer = setTimeout(() => {
      this.#hurriedMs = performance.now();
      this.#connect();
    }, atMs - now);
  }

  end(): void {
    this.#closed = true;
    this.#forget();
    clearTimeout(this.#connectTimer);
    clearTimeout(this.#restTimer);
    this.#connection?.end('closed');
  }

  /** WebSockets seem to be blocked. */
  get #blocked(): boolean {
    const withoutMs = performance.now() - this.#sinceMs;
    return this.#mute >= BLOCKED_AFTER.connections && withoutMs > BLOCKED_AFTER.ms;
  }

  /** While a connection is open, only repeats that it cannot declare are posted. */
  get #mayPost(): boolean {
    if (this.#posting || this.#restTimer) return false;
    const { open, leavesRepeats } = this.#connection ?? {};
    if (open) return leavesRepeats === true && this.#outbox.hasRepeats;
    return this.#outbox.waiting > 0 && this.#blocked && !this.#notAdmitted;
  }

  /** @throws SyntaxError at the first call, so that the caller learns of an invalid URL or key */
  #connect(isFirst = false): void {
    clearTimeout(this.#connectTimer);
    if (this.#closed || this.#asking || this.#connection) return;
    const { webSocket = globalThis.WebSocket } = this.#options;
    if (webSocket === undefined) {
      this.#mute = BLOCKED_AFTER.connections;
      this.#sinceMs = Number.NEGATIVE_INFINITY;
      this.#lostText = 'no WebSocket class is available';
      if (this.#notAdmitted) return void this.#check();
      return this.pump();
    }
    try {
      const key = this.#key.get();
      if (key instanceof Object) void this.#connectLater(webSocket, key);
      else this.#open(webSocket, key);
    } catch (error) {
      if (isFirst && error instanceof SyntaxError) throw error;
      this.#lost(undefined, error);
    }
    this.#on.changed();
  }

  async #connectLater(webSocket: WebSocketClass, key: Promise<string | undefined>): Promise<void> {
    this.#asking = true;
    try {
      const given = await key;
      if (!this.#closed) this.#open(webSocket, given);
    } catch (error) {
      this.#lost(undefined, error);
    }
    this.#asking = false;
  }

  #open(webSocket: WebSocketClass, key: string | undefined): void {
    const { socket } = this.#urls;
    const connection = new Connection(webSocket, socket, key, this.#frames, this.#outbox, {
      ...this.#on,
      opened: () => {
        clearTimeout(this.#connectTimer);
        this.#opened++;
        this.#mute = 0;
        this.#admitted();
      },
      received: () => this.pump(),
      acknowledged: (ms) => {
        this.#delays.end('connecting');
        this.#ackMs = ms;
      },
      lost: (reconnectMs, why) => {
        if (connection === this.#connection) this.#lost(reconnectMs, why);
      },
    });
    this.#connection = connection;
  }

  #lost(reconnectMs: number | undefined, why: unknown): void {
    const isOpened = this.#connection?.maxEventBytes !== undefined;
    const isTried = this.#connection !== undefined;
    this.#connection = undefined;
    if (this.#closed) return;
    this.#lostText = textOf(why);
    // The earlier reason is more specific than another failure.
    this.#problem = this.#notAdmitted?.message ?? this.#lostText;
    if (isOpened) this.#sinceMs = performance.now();
    else this.#mute++;
    this.#connectAfter(reconnectMs ?? this.#delays.nextMs('connecting'));
    if (isTried && !isOpened) void this.#check();
    this.pump();
  }

  #connectAfter(ms: number): void {
    clearTimeout(this.#connectTimer);
    this.#connectTimer = setTimeout(() => this.#connect(), ms);
  }

  /** Finds out why a handshake failed, which browsers hide from pages: posts an empty body. */
  async #check(): Promise<void> {
    const sinceMs = performance.now() - this.#checkedMs;
    if (this.#checking || this.#posting || (!this.#notAdmitted && sinceMs < CHECK_MS)) return;
    this.#checking = true;
    let problem = await this.#poster.check();
    let isOrigin = false;
    // A page cannot read the rejection of its origin, nor a proxy's response. But it can read the
    // library, which the gateway serves to all origins: if that succeeds, the check is repeated.
    if (this.#isHidden(problem) && (await servesPages(this.#urls.events))) {
      problem = await this.#poster.check();
      isOrigin = this.#isHidden(problem);
    }
    this.#checking = false;
    if (isOrigin || !problem?.noAnswer) this.#checkedMs = performance.now();
    if (this.#closed || this.#connection?.open) return;
    if (problem?.notAdmitted) this.#refused(problem.notAdmitted);
    else if (isOrigin) this.#refused(forbiddenOrigin(problem!.text));
    else if (!problem) this.#admitted();
    else if (this.#notAdmitted) this.#refused(this.#notAdmitted);
    this.pump();
  }

  /** Whether a response may have arrived that this page cannot read. */
  #isHidden(problem: Problem | undefined): boolean {
    return problem?.noAnswer === true && isForeignPage(this.#urls.events);
  }

  #refused(why: NotAdmitted): void {
    this.#problem = why.message;
    const isNew = this.#notAdmitted?.message !== why.message;
    this.#notAdmitted = why;
    const delayMs = this.#delays.nextMs('refused');
    if (this.#hurried) this.#connectSoon();
    else this.#connectAfter(delayMs);
    if (isNew) this.#on.notAdmitted(why);
  }

  #admitted(): void {
    this.#delays.end('refused');
    if (!this.#notAdmitted) return;
    this.#notAdmitted = undefined;
    this.#problem = undefined;
  }

  /** The network is back: a connection from before is usually dead. */
  #online(): void {
    if (this.#connection?.unacknowledged) this.#connection.end('the network was offline');
    if (this.#connection === undefined && !this.#asking) this.#connect();
  }

  #hidden(): void {
    this.pump();
    // An open connection sends the rest when it may.
    if (!this.#connection?.open) this.#keepalive.hidden();
  }

  #back(): void {
    this.#keepalive.back();
    if (this.#connection === undefined && !this.#asking && !this.#notAdmitted) this.#connect();
    this.pump();
  }

  /** Posts a body; continues by POST, or by the WebSocket that has opened meanwhile. */
  async #post(events: 'repeats' | 'waiting'): Promise<void> {
    this.#posting = events;
    const problem = await this.#poster.post(events);
    this.#posting = undefined;
    this.#postable = problem === undefined;
    this.#problem = problem?.text;
    if (!this.#closed) {
      if (problem?.notAdmitted && !this.#connection?.open) this.#refused(problem.notAdmitted);
      else if (problem) {
        this.#rest();
        const { noAnswer, anySize, unstored } = problem;
        const isLater = unstored && !noAnswer && !anySize;
        // POST may be impossible: the next connection can declare the repeats.
        if (events === 'repeats' && !isLater) this.#connection?.leave();
      } else {
        this.#delays.end('posting');
        this.#ackMs = this.#poster.ackMs ?? this.#ackMs;
      }
    }
    this.pump();
  }

  #rest(): void {
    this.#restTimer = setTimeout(() => {
      this.#restTimer = undefined;
      this.pump();
    }, this.#delays.nextMs('posting'));
  }
}
