/**
 * The way that events take, and when: by WebSocket, or by POST where none gets through; again after
 * pauses when that fails, and seldom while the gateway does not accept this client.
 *
 *   connecting ──▶ open ──▶ lost ─▶ pause ─▶ connecting
 *       └─ no hello ─▶ checked by POST ─┬─ 401, 403 ─▶ long pause ─▶ connecting
 *                                       └─ two in a row ─▶ events go by POST meanwhile
 */
import type { ClientOptions } from './api.ts';
import { Connection, type WebSocketClass } from './connection.ts';
import type { Fates } from './entry.ts';
import { textOf } from './error-text.ts';
import { Fit } from './fit.ts';
import { Key } from './key.ts';
import { Leaving } from './leaving.ts';
import type { Outbox } from './outbox.ts';
import { Pauses } from './pauses.ts';
import { isForeignPage, listen, pageIsHidden, servesPages, urlsOf } from './platform.ts';
import { Poster, type Problem } from './poster.ts';
import { forbiddenOrigin, type NotAdmitted } from './wire.ts';

/** Consecutive connections without a frame from the gateway, and their time, until WebSockets count
 * as blocked. A worker restart takes less. */
const BLOCKED_AFTER = { connections: 2, ms: 2_000 };
/** Between two checks why connections fail, if the first was answered. */
const CHECK_MS = 10_000;
/** Between two hurried attempts. */
const HURRY_MS = 2_500;

export interface TransportEvents extends Fates {
  /** Something has changed that {@link Transport} shows. */
  changed(): void;
  /** The gateway takes nothing from this client for now. */
  notAdmitted(why: NotAdmitted): void;
}

export class Transport {
  readonly #options: ClientOptions;
  readonly #outbox: Outbox;
  readonly #on: TransportEvents;
  readonly #key: Key;
  readonly #poster: Poster;
  readonly #leaving: Leaving;
  readonly #urls: { readonly socket: string; readonly events: string };
  readonly #frames = new Fit(Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY);
  readonly #forget: () => void;
  #connection: Connection | undefined;
  /** A key is waited for. */
  #asking = false;
  #checking = false;
  /** The attempt that goes on may be too early: another follows it. */
  #hurried = false;
  #hurriedMs = Number.NEGATIVE_INFINITY;
  #posting = false;
  #opened = 0;
  /** Connections without a word, in a row. */
  #mute = 0;
  /** When the last connection that had one ended. */
  #sinceMs = performance.now();
  #checkedMs = Number.NEGATIVE_INFINITY;
  readonly #pauses = new Pauses();
  /** The last body was answered. */
  #postable = false;
  #ackMs: number | undefined;
  #problem: string | undefined;
  /** Why there is no WebSocket. */
  #lostText: string | undefined;
  #notAdmitted: NotAdmitted | undefined;
  #closed = false;
  #connectTimer: ReturnType<typeof setTimeout> | undefined;
  /** Runs after a body that was not answered: until the next one. */
  #restTimer: ReturnType<typeof setTimeout> | undefined;

  /** @throws TypeError, SyntaxError: URL, key or WebSocket class cannot be one */
  constructor(options: ClientOptions, outbox: Outbox, on: TransportEvents) {
    const { webSocket } = options;
    if (webSocket !== undefined && typeof webSocket !== 'function') {
      throw new TypeError(`webSocket must be a class, and is ${typeof webSocket}`);
    }
    this.#options = options;
    this.#outbox = outbox;
    this.#on = on;
    this.#urls = urlsOf(options);
    const { events } = this.#urls;
    this.#key = new Key(options.key);
    this.#poster = new Poster(events, this.#key, outbox, on);
    this.#leaving = new Leaving(events, this.#key, outbox, this.#poster, on);
    this.#connect(true);
    this.#forget = listen({
      pagehide: () => this.#leaving.last(),
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
    return unacknowledged + this.#poster.unacknowledged + this.#leaving.unacknowledged;
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
    return `no WebSocket gets through: ${this.#lostText}`;
  }
  get notAdmitted(): NotAdmitted | undefined {
    return this.#notAdmitted;
  }
  get maxEventBytes(): number | undefined {
    return this.#connection?.maxEventBytes;
  }

  /** Sends what waits, as far as it may go. */
  pump(): void {
    if (this.#closed) return;
    // A body that is on its way holds older events.
    if (!this.#posting) {
      if (this.#connection?.open) this.#connection.pump();
      else if (this.#mayPost) void this.#post();
    }
    this.#on.changed();
  }

  /** While the client is not accepted, tries again without the usual pause. */
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

  /** No WebSocket gets through, as it seems. */
  get #blocked(): boolean {
    const withoutMs = performance.now() - this.#sinceMs;
    return this.#mute >= BLOCKED_AFTER.connections && withoutMs > BLOCKED_AFTER.ms;
  }

  get #mayPost(): boolean {
    const waits = this.#outbox.waiting > 0;
    return waits && this.#blocked && !this.#restTimer && !this.#notAdmitted;
  }

  /** @throws SyntaxError the first time: URL or key cannot be one, as their giver should hear */
  #connect(isFirst = false): void {
    clearTimeout(this.#connectTimer);
    if (this.#closed || this.#asking || this.#connection) return;
    const { webSocket = globalThis.WebSocket } = this.#options;
    if (webSocket === undefined) {
      this.#mute = BLOCKED_AFTER.connections;
      this.#sinceMs = Number.NEGATIVE_INFINITY;
      this.#lostText = 'there is no WebSocket class here';
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
      heard: () => this.pump(),
      acknowledged: (ms) => {
        this.#pauses.end('connecting');
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
    // That it failed again says less than why.
    this.#problem = this.#notAdmitted?.message ?? this.#lostText;
    if (isOpened) this.#sinceMs = performance.now();
    else this.#mute++;
    this.#connectAfter(reconnectMs ?? this.#pauses.nextMs('connecting'));
    if (isTried && !isOpened) void this.#check();
    this.pump();
  }

  #connectAfter(ms: number): void {
    clearTimeout(this.#connectTimer);
    this.#connectTimer = setTimeout(() => this.#connect(), ms);
  }

  /** A page does not hear why a handshake failed; a body without events is answered. */
  async #check(): Promise<void> {
    const sinceMs = performance.now() - this.#checkedMs;
    if (this.#checking || this.#posting || (!this.#notAdmitted && sinceMs < CHECK_MS)) return;
    this.#checking = true;
    let problem = await this.#poster.check();
    let isOrigin = false;
    // A page may not read that its origin is forbidden, nor an answer of a proxy. But it may read
    // the library, which the gateway serves to all: once that is there, the check is repeated.
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

  /** An answer may have come that this page may not read. */
  #isHidden(problem: Problem | undefined): boolean {
    return problem?.noAnswer === true && isForeignPage(this.#urls.events);
  }

  #refused(why: NotAdmitted): void {
    this.#problem = why.message;
    const isNew = this.#notAdmitted?.message !== why.message;
    this.#notAdmitted = why;
    const pauseMs = this.#pauses.nextMs('refused');
    if (this.#hurried) this.#connectSoon();
    else this.#connectAfter(pauseMs);
    if (isNew) this.#on.notAdmitted(why);
  }

  #admitted(): void {
    this.#pauses.end('refused');
    if (!this.#notAdmitted) return;
    this.#notAdmitted = undefined;
    this.#problem = undefined;
  }

  /** The network is back: what had a connection before it went has a dead one, as a rule. */
  #online(): void {
    if (this.#connection?.unacknowledged) this.#connection.end('the network was away');
    if (this.#connection === undefined && !this.#asking) this.#connect();
  }

  #hidden(): void {
    this.pump();
    // Whatever an open connection may not send yet goes there when it may.
    if (!this.#connection?.open) this.#leaving.hidden();
  }

  #back(): void {
    this.#leaving.back();
    if (this.#connection === undefined && !this.#asking && !this.#notAdmitted) this.#connect();
    this.pump();
  }

  /** Posts a body; then it goes on, by POST or by the WebSocket that has opened meanwhile. */
  async #post(): Promise<void> {
    this.#posting = true;
    const problem = await this.#poster.post();
    this.#posting = false;
    this.#postable = problem === undefined;
    this.#problem = problem?.text;
    if (!this.#closed) {
      if (problem?.notAdmitted && !this.#connection?.open) this.#refused(problem.notAdmitted);
      else if (problem) this.#rest();
      else {
        this.#pauses.end('posting');
        this.#ackMs = this.#poster.ackMs ?? this.#ackMs;
      }
    }
    this.pump();
  }

  #rest(): void {
    this.#restTimer = setTimeout(() => {
      this.#restTimer = undefined;
      this.pump();
    }, this.#pauses.nextMs('posting'));
  }
}
