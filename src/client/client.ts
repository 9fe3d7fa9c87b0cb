/**
 * Sends events to a Forebay gateway and says what became of each. `send()` puts an event into the
 * outbox; a transport takes it from there and tells its fate, or puts it back:
 *
 *   send() ─▶ outbox ─▶ WebSocket, or POST where WebSockets are blocked ─▶ stored
 *               ▲                          │            │
 *               └── connection lost ───────┘            └─▶ refused for good
 *               └── refused, may be sent again ─────────┘
 *
 * One invariant rules it: an event is held by the outbox from `send()` until its one end, and is
 * told that end once.
 */
import type { Client, ClientOptions, Status } from './api.ts';
import { Connection, type WebSocketClass } from './connection.ts';
import { type Entry, eventText, type Refusal, SendError, tooLarge, utf8Bytes } from './entry.ts';
import { Outbox } from './outbox.ts';
import { eventsUrl, listen } from './platform.ts';
import { Poster } from './poster.ts';

export type { Client, ClientOptions, Status } from './api.ts';
export { SendError } from './entry.ts';

const BUFFERED_BYTES = 1024 * 1024;
/** Until the gateway tells its own bound. */
const EVENT_BYTES = 65_536;
/** How long an event waits for others that go in the same frame. */
const BATCH_MS = 10;
const CLOSE_MS = 10_000;
const BACKOFF_MS = { first: 250, last: 10_000 };
/** So many connections in a row without a word from the gateway, for so long: they may be blocked.
 * A worker that is started again takes less. */
const BLOCKED_AFTER = { connections: 2, ms: 2_000 };

/** A client that connects at once, and again whenever it has to. */
export function createClient(options: ClientOptions): Client {
  return new GatewayClient(options);
}

class GatewayClient implements Client {
  readonly #options: ClientOptions;
  readonly #outbox: Outbox;
  readonly #poster: Poster;
  readonly #counts = { sent: 0, stored: 0, refused: 0, dropped: 0 };
  readonly #flushes = new Set<() => void>();
  readonly #forget: () => void;
  #connection: Connection | undefined;
  #opened = 0;
  /** Less where something in between takes no frames as long as the gateway does. */
  #frameBytes = Number.POSITIVE_INFINITY;
  /** Connections without a word, in a row. */
  #mute = 0;
  /** When the last connection that had one ended. */
  #sinceMs = performance.now();
  /** Pauses since the last ack: each doubles the next. */
  #failures = 0;
  #posting = false;
  /** Runs after a body that was not answered: until the next one. */
  #restTimer: ReturnType<typeof setTimeout> | undefined;
  /** The last body was answered. */
  #postable = false;
  #ackMs: number | undefined;
  #problem: string | undefined;
  #closing = false;
  #closed = false;
  #batchTimer: ReturnType<typeof setTimeout> | undefined;
  #connectTimer: ReturnType<typeof setTimeout> | undefined;
  /** Each until an event may be sent again. */
  readonly #retryTimers = new Set<ReturnType<typeof setTimeout>>();
  #telling = false;

  constructor(options: ClientOptions) {
    this.#options = options;
    const { url, fallbackUrl, maxBufferedBytes = BUFFERED_BYTES } = options;
    this.#outbox = new Outbox(maxBufferedBytes);
    this.#poster = new Poster(
      fallbackUrl ?? eventsUrl(url),
      () => this.#key,
      this.#outbox,
      this.#fates,
    );
    this.#connect();
    this.#forget = listen({
      pagehide: () => this.#poster.last(),
      online: () => this.#online(),
    });
  }

  get status(): Status {
    const connection = this.#connection;
    const open = connection?.open ?? false;
    const without = this.#blocked && this.#postable ? 'fallback' : 'connecting';
    return {
      state: this.#closed ? 'closed' : open ? 'open' : without,
      ...this.#counts,
      waiting: this.#outbox.waiting,
      unacknowledged: (connection?.unacknowledged ?? 0) + this.#poster.unacknowledged,
      bufferedBytes: this.#outbox.bytes,
      reconnects: Math.max(0, this.#opened - 1),
      credit: open && connection ? connection.credit : { frames: 0, bytes: 0 },
      ackMs: this.#ackMs,
      problem: open ? undefined : this.#problem,
    };
  }

  send(event: object): Promise<void> {
    const sent = new Promise<void>((stored, failed) => {
      const { text, bytes } = this.#encoded(event);
      this.#counts.sent++;
      const dropped = this.#outbox.add({ event, text, bytes, attempts: 0, stored, failed });
      for (const entry of dropped) this.#drop(entry, 'dropped', 'the buffer is full');
    });
    sent.catch(() => {});
    this.#pumpSoon();
    this.#tell();
    return sent;
  }

  async flush(): Promise<void> {
    this.#pump();
    const open = new Set(this.#outbox.held);
    await new Promise<void>((done) => {
      const look = () => {
        for (const entry of open) if (!this.#outbox.held.has(entry)) open.delete(entry);
        if (open.size > 0) return;
        this.#flushes.delete(look);
        done();
      };
      this.#flushes.add(look);
      look();
    });
  }

  async close(): Promise<void> {
    this.#closing = true;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise((done) => {
      timer = setTimeout(done, CLOSE_MS);
    });
    await Promise.race([this.flush(), late]);
    clearTimeout(timer);
    this.#closed = true;
    this.#forget();
    clearTimeout(this.#batchTimer);
    clearTimeout(this.#connectTimer);
    clearTimeout(this.#restTimer);
    // Minutes ahead they would keep a process from its end.
    for (const retry of this.#retryTimers) clearTimeout(retry);
    this.#connection?.end('closed');
    for (const entry of this.#outbox.clear()) {
      this.#drop(entry, 'closed', 'the client was closed; it may have been stored');
    }
    this.#tell();
  }

  /** @throws SendError for what cannot be sent */
  #encoded(event: object): { text: string; bytes: number } {
    if (this.#closing) throw new SendError('closed', 'the client is closed');
    const text = eventText(event, this.#options.idField ?? 'id');
    const bytes = utf8Bytes(text);
    const most = this.#connection?.maxEventBytes ?? EVENT_BYTES;
    if (bytes <= most) return { text, bytes };
    const { code, message } = tooLarge(bytes, most);
    throw new SendError(code, message);
  }

  get #key(): string | undefined {
    const { key } = this.#options;
    return typeof key === 'function' ? key() : key;
  }

  /** How long there has been no connection. */
  get #withoutMs(): number {
    return performance.now() - this.#sinceMs;
  }

  /** No WebSocket gets through, as it seems. */
  get #blocked(): boolean {
    return this.#mute >= BLOCKED_AFTER.connections && this.#withoutMs > BLOCKED_AFTER.ms;
  }

  #connect(): void {
    clearTimeout(this.#connectTimer);
    const { webSocket = globalThis.WebSocket } = this.#options;
    if (webSocket === undefined) {
      this.#mute = BLOCKED_AFTER.connections;
      this.#sinceMs = Number.NEGATIVE_INFINITY;
      return this.#pump();
    }
    try {
      this.#connection = this.#connectBy(webSocket);
    } catch (error) {
      // The first time its maker hears of it; later the key may be a wrong one for now.
      if (this.#connectTimer === undefined) throw error;
      this.#lost(undefined, String(error));
    }
    this.#tell();
  }

  /** @throws SyntaxError: URL or key cannot be one; and what the key's function throws */
  #connectBy(socketClass: WebSocketClass): Connection {
    const { url } = this.#options;
    return new Connection(socketClass, url, this.#key, this.#frameBytes, this.#outbox, {
      ...this.#fates,
      opened: () => {
        this.#opened++;
        this.#mute = 0;
        // The next network may take more; if it is this one, that costs a connection.
        this.#frameBytes *= 2;
      },
      heard: () => this.#pump(),
      acknowledged: (ms) => {
        this.#failures = 0;
        this.#ackMs = ms;
      },
      shrunk: (frameBytes) => {
        this.#frameBytes = frameBytes;
      },
      lost: (reconnectMs, why) => this.#lost(reconnectMs, why),
    });
  }

  #lost(reconnectMs: number | undefined, why: string): void {
    const opened = this.#connection?.maxEventBytes !== undefined;
    this.#connection = undefined;
    this.#problem = why;
    if (this.#closed) return;
    if (opened) this.#sinceMs = performance.now();
    else this.#mute++;
    this.#connectTimer = setTimeout(() => this.#connect(), reconnectMs ?? this.#pauseMs());
    this.#pump();
  }

  /** Any part of what doubles with each failure in a row: clients must not come all at once. */
  #pauseMs(): number {
    return Math.random() * Math.min(BACKOFF_MS.last, BACKOFF_MS.first * 2 ** this.#failures++);
  }

  /** The network is back: what had a connection before it went has a dead one, as a rule. */
  #online(): void {
    if (this.#connection?.unacknowledged) this.#connection.end('the network was away');
    if (this.#connection === undefined) this.#connect();
  }

  #pumpSoon(): void {
    this.#batchTimer ??= setTimeout(() => this.#pump(), BATCH_MS);
  }

  #pump(): void {
    clearTimeout(this.#batchTimer);
    this.#batchTimer = undefined;
    if (this.#closed) return;
    // A body that is on its way holds older events.
    if (!this.#posting) {
      if (this.#connection?.open) this.#connection.pump();
      else if (this.#blocked && !this.#restTimer && this.#outbox.waiting > 0) void this.#post();
    }
    this.#tell();
  }

  /** Posts a body; then it goes on, by POST or by the WebSocket that has opened meanwhile. */
  async #post(): Promise<void> {
    this.#posting = true;
    const begunMs = performance.now();
    const { stored } = this.#counts;
    const problem = await this.#poster.post();
    this.#posting = false;
    this.#postable = problem === undefined;
    this.#problem = problem;
    if (this.#counts.stored > stored) this.#ackMs = performance.now() - begunMs;
    if (!this.#postable && !this.#closed) {
      this.#restTimer = setTimeout(() => {
        this.#restTimer = undefined;
        this.#pump();
      }, this.#pauseMs());
    }
    this.#pump();
  }

  readonly #fates = {
    sent: (entry: Entry) => call(this.#options.onSent, entry.event, ++entry.attempts),
    stored: (entry: Entry) => {
      if (!this.#outbox.done(entry)) return;
      this.#counts.stored++;
      entry.stored();
      this.#tell();
    },
    refused: (entry: Entry, { code, retry, retryAfterMs, message }: Refusal) => {
      if (retry) {
        const timer = setTimeout(() => {
          this.#retryTimers.delete(timer);
          this.#outbox.again(entry);
          this.#pumpSoon();
        }, retryAfterMs);
        this.#retryTimers.add(timer);
        return;
      }
      if (!this.#outbox.done(entry)) return;
      this.#counts.refused++;
      const error = new SendError(code, message);
      entry.failed(error);
      call(this.#options.onRefused, entry.event, error);
      this.#tell();
    },
  };

  #drop(entry: Entry, code: string, message: string): void {
    this.#counts.dropped++;
    const error = new SendError(code, message);
    entry.failed(error);
    call(this.#options.onDropped, entry.event, error);
  }

  #tell(): void {
    if (this.#telling) return;
    this.#telling = true;
    queueMicrotask(() => {
      this.#telling = false;
      for (const look of [...this.#flushes]) look();
      this.#options.onStatus?.(this.status);
    });
  }
}

/** Calls a function of the user's: what it throws is reported, but keeps nobody from hearing. */
function call<T extends unknown[]>(theirs: ((...told: T) => void) | undefined, ...told: T): void {
  try {
    theirs?.(...told);
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
  }
}
