/**
 * Sends events to a Forebay gateway and reports the result of each. `send()` puts an event into the
 * outbox; a transport takes it from there and settles it, or puts it back:
 *
 *   send() ─▶ outbox ─▶ WebSocket, or POST where WebSockets are blocked ─▶ stored
 *               ▲                          │            │
 *               └── connection lost ───────┘            └─▶ rejected permanently
 *               └── rejected, may be sent again ────────┘
 *
 * One invariant rules it: the outbox holds an event from `send()` until it is settled, and it is
 * settled exactly once.
 */
import type { Client, ClientOptions, Status } from './api.ts';
import {
  type Entry,
  eventText,
  progress,
  type Refusal,
  SendError,
  tooLarge,
  utf8Bytes,
} from './entry.ts';
import type { NotAdmitted } from './messages.ts';
import { Outbox } from './outbox.ts';
import { Transport } from './transport.ts';

export type { Client, ClientOptions, Status } from './api.ts';
export { SendError } from './entry.ts';

const BUFFERED_BYTES = 1024 * 1024;
/** Until the gateway announces its own limit. */
const EVENT_BYTES = 65_536;
/** Time for which an event waits for others of the same frame. */
const BATCH_MS = 10;
const CLOSE_MS = 10_000;
/** Delay before a stuck event is retried; multiplied by the factor each time. */
const STUCK_MS = { first: 500, factor: 8, last: 3_600_000 };

/**
 * Creates a client that connects immediately, and reconnects as needed.
 * @throws TypeError, SyntaxError: an option is not a valid URL, key or class
 */
export function createClient(options: ClientOptions): Client {
  // May be missing in scripts without types.
  return new GatewayClient(options ?? ({} as ClientOptions));
}

class GatewayClient implements Client {
  readonly #options: ClientOptions;
  readonly #outbox: Outbox;
  readonly #transport: Transport;
  readonly #counts = { sent: 0, stored: 0, refused: 0, dropped: 0 };
  readonly #flushes = new Set<() => void>();
  #closing = false;
  #batchTimer: ReturnType<typeof setTimeout> | undefined;
  /** One per event that waits to be sent again. */
  readonly #retryTimers = new Set<ReturnType<typeof setTimeout>>();
  /** Stuck events, oldest first. */
  readonly #stuck = new Set<Entry>();
  /** Reason of the gateway's rejection, until it is reported for an event. */
  #unreported: NotAdmitted | undefined;
  #notifying = false;

  constructor(options: ClientOptions) {
    this.#options = options;
    this.#outbox = new Outbox(options.maxBufferedBytes ?? BUFFERED_BYTES);
    this.#transport = new Transport(options, this.#outbox, {
      ...this.#events,
      changed: () => this.#notify(),
      notAdmitted: (why) => {
        this.#unreported = why;
        this.#reportNotAdmitted();
      },
    });
  }

  get status(): Status {
    const { state, unacknowledged, reconnects, credit, ackMs, problem } = this.#transport;
    const [stuck] = this.#stuck;
    return {
      state,
      ...this.#counts,
      waiting: this.#outbox.waiting,
      unacknowledged,
      bufferedBytes: this.#outbox.bytes,
      reconnects,
      credit,
      ackMs,
      problem: [problem, stuck && stuckText(stuck)].filter(Boolean).join('; ') || undefined,
    };
  }

  send(event: object): Promise<void> {
    const sent = new Promise<void>((stored, failed) => {
      const { text, bytes } = this.#encoded(event);
      this.#counts.sent++;
      const dropped = this.#outbox.add({ event, text, bytes, ...progress(), stored, failed });
      const why = this.#transport.problem;
      for (const entry of dropped) this.#drop(entry, 'dropped', 'the buffer is full', why);
    });
    sent.catch(() => {});
    this.#reportNotAdmitted();
    this.#pumpSoon();
    this.#notify();
    return sent;
  }

  async flush(): Promise<void> {
    this.#transport.hurry();
    this.#pump();
    const open = new Set(this.#outbox.held);
    await new Promise<void>((done) => {
      const settle = () => {
        for (const entry of open) if (!this.#outbox.held.has(entry)) open.delete(entry);
        if (open.size > 0) return;
        this.#flushes.delete(settle);
        done();
      };
      this.#flushes.add(settle);
      settle();
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
    const why = this.#transport.problem;
    this.#transport.end();
    clearTimeout(this.#batchTimer);
    // Timers far ahead would keep a process alive.
    for (const retry of this.#retryTimers) clearTimeout(retry);
    for (const entry of this.#outbox.clear()) {
      this.#drop(entry, 'closed', 'the client was closed', why);
    }
    this.#notify();
  }

  /** @throws SendError if the event cannot be sent */
  #encoded(event: object): { text: string; bytes: number } {
    if (this.#closing) throw new SendError('closed', 'the client is closed');
    const text = eventText(event, this.#options.idField ?? 'id');
    const bytes = utf8Bytes(text);
    const most = this.#transport.maxEventBytes ?? EVENT_BYTES;
    if (bytes <= most) return { text, bytes };
    const { code, message } = tooLarge(bytes, most);
    throw new SendError(code, message);
  }

  #pumpSoon(): void {
    this.#batchTimer ??= setTimeout(() => this.#pump(), BATCH_MS);
  }

  #pump(): void {
    clearTimeout(this.#batchTimer);
    this.#batchTimer = undefined;
    this.#transport.pump();
  }

  readonly #events = {
    sent: (entry: Entry) => call(this.#options.onSent, entry.event, ++entry.attempts),
    stored: (entry: Entry) => {
      if (!this.#done(entry)) return;
      this.#counts.stored++;
      entry.stored();
      this.#notify();
    },
    refused: (entry: Entry, { code, retry, retryAfterMs, message }: Refusal) => {
      if (retry) {
        entry.alone = 0;
        entry.why = message;
        // After a timeout, Kafka may have stored it.
        if (code !== 'timeout') entry.unsure--;
        this.#stuck.delete(entry);
        return this.#againAfter(retryAfterMs ?? 0, entry);
      }
      if (!this.#done(entry)) return;
      this.#counts.refused++;
      const error = new SendError(code, message);
      entry.failed(error);
      call(this.#options.onRefused, entry.event, error);
      this.#notify();
    },
    stuck: (entry: Entry) => {
      if (!this.#outbox.setAside(entry)) return;
      this.#stuck.add(entry);
      const { first, factor, last } = STUCK_MS;
      const ms = Math.min(last, first * factor ** entry.stuck++);
      this.#againAfter(ms, entry);
    },
    left: () => this.#pump(),
  };

  #done(entry: Entry): boolean {
    this.#stuck.delete(entry);
    return this.#outbox.done(entry);
  }

  #againAfter(ms: number, entry: Entry): void {
    const timer = setTimeout(() => {
      this.#retryTimers.delete(timer);
      this.#outbox.again(entry);
      this.#pumpSoon();
    }, ms);
    this.#retryTimers.add(timer);
  }

  /** Reports the rejection of this client for one event, the oldest, once there is one. */
  #reportNotAdmitted(): void {
    const why = this.#transport?.notAdmitted && this.#unreported;
    const [oldest] = this.#outbox.held;
    if (!why || !oldest) return;
    this.#unreported = undefined;
    call(this.#options.onRefused, oldest.event, new SendError(why.code, why.message, true));
  }

  /** @param problem why it could not be sent, unless it was rejected */
  #drop(entry: Entry, code: string, what: string, problem: string | undefined): void {
    this.#counts.dropped++;
    this.#stuck.delete(entry);
    const why = entry.why ?? problem;
    const end = entry.unsure > 0 ? 'may have been' : 'was not';
    const error = new SendError(code, `${what}${why ? `: ${why}` : ''}; the event ${end} stored`);
    entry.failed(error);
    call(this.#options.onDropped, entry.event, error);
  }

  #notify(): void {
    if (this.#notifying) return;
    this.#notifying = true;
    queueMicrotask(() => {
      this.#notifying = false;
      for (const settle of [...this.#flushes]) settle();
      this.#options.onStatus?.(this.status);
    });
  }
}

function stuckText({ bytes, stuck }: Entry): string {
  return `other events get through, but one of ${bytes} bytes got no response in ${stuck + 1} or more attempts`;
}

/** Calls a handler of the user: reports its exceptions without disturbing the client. */
function call<T extends unknown[]>(handler: ((...args: T) => void) | undefined, ...args: T): void {
  try {
    handler?.(...args);
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
  }
}
