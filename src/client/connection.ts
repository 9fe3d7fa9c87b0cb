import { type Entry, type EntryEvents, frameText, tooLarge, utf8Bytes } from './entry.ts';
import { textOf } from './error-text.ts';
import {
  type Credit,
  type Hello,
  isCount,
  isCredit,
  isGoaway,
  isHello,
  jsonObject,
  refusalsOf,
} from './messages.ts';
import type { Outbox } from './outbox.ts';
import { resent } from './platform.ts';
import type { SizeLimit } from './size-limit.ts';

const SUBPROTOCOL = 'forebay.v1';
/** Timeout from the start of a connection to `hello`. */
const HELLO_MS = 15_000;
/** Timeout of an ack: by default the gateway settles a frame within 120 s. */
const SILENCE_MS = 150_000;
const LOOK_MS = 5_000;
/**
 * A server that sent `goaway` closes the connection itself; this is the grace period after the
 * reconnect time.
 */
const GOAWAY_GRACE_MS = 10_000;
/**
 * Close code of a recipient that rejects the size of a frame; the gateway itself never sends it.
 */
const MESSAGE_TOO_BIG = 1009;
/** `readyState` of an open socket: a closing one silently discards what it is given. */
const OPEN = 1;
/** Close codes of a connection that was cut, or lost by a proxy: the gateway has sent none. */
const CUT = new Set([1006, 1014]);
/** Shown characters of an invalid frame: enough to identify its origin. */
const SHOWN_CHARACTERS = 80;

/** A frame without an ack. */
interface Frame {
  readonly number: number;
  readonly entries: readonly Entry[];
  /** Events that no nack has named. */
  readonly left: Set<Entry>;
  readonly bytes: number;
  /** Size limit when it was sent. */
  readonly tried: number;
  readonly sentMs: number;
}

/** The used subset of a WebSocket: of a browser, Node.js, or the package `ws`. */
export interface WebSocketLike {
  readonly readyState?: number;
  onmessage: unknown;
  onclose: unknown;
  onerror: unknown;
  send(text: string): void;
  close(): void;
}
export type WebSocketClass = new (url: string, protocols: string[]) => WebSocketLike;

export interface ConnectionEvents extends EntryEvents {
  opened(): void;
  /** Any frame has arrived; more may be sent now: {@link Connection.pump}. */
  received(): void;
  acknowledged(ms: number): void;
  /** Called once, at the end. `reconnectMs`: delay requested by the server, from now on. */
  lost(reconnectMs: number | undefined, why: string): void;
}

/**
 * One WebSocket of `forebay.v1`: sends waiting events as far as credit permits, and settles them.
 * Events without an ack at its end wait again.
 *
 * It declares the possible repeats that wait at its start: the gateway marks the first
 * {@link #marks} events that it receives. No other possible repeat is ever sent here.
 */
export class Connection {
  readonly #outbox: Outbox;
  readonly #on: ConnectionEvents;
  readonly #socket: WebSocketLike;
  readonly #limit: SizeLimit;
  readonly #timer: ReturnType<typeof setInterval>;
  #frames: Frame[] = [];
  #sent: Credit = { frames: 0, bytes: 0 };
  #credit: Credit = { frames: 0, bytes: 0 };
  #hello: Hello | undefined;
  #receivedMs = performance.now();
  #againAtMs: number | undefined;
  /** Events excluded on this connection; see {@link Outbox.suspects}. */
  #suspects: ReadonlySet<Entry>;
  /** Number of next events that the gateway marks. */
  #marks: number;
  #leaving = false;
  #over = false;

  /**
   * @param limit size limit of a frame; a single event may be longer
   * @throws SyntaxError if the URL or the key is invalid
   */
  constructor(
    socketClass: WebSocketClass,
    url: string,
    key: string | undefined,
    limit: SizeLimit,
    outbox: Outbox,
    on: ConnectionEvents,
  ) {
    this.#limit = limit;
    this.#outbox = outbox;
    this.#on = on;
    const protocols = [SUBPROTOCOL, ...(key ? [`forebay.key.${key}`] : [])];
    this.#suspects = outbox.suspects;
    this.#marks = outbox.repeats(this.#suspects);
    this.#socket = new socketClass(this.#marks > 0 ? resent(url, this.#marks) : url, protocols);
    let failure = '';
    this.#socket.onmessage = ({ data }: { data: unknown }) => this.#receive(data);
    this.#socket.onclose = ({ code, reason }: { code: number; reason: string }) => {
      if (code === MESSAGE_TOO_BIG) this.#shrink();
      else if (CUT.has(code)) this.#cut();
      const cut = CUT.has(code) ? `connection ${this.#hello ? 'lost' : 'failed'}` : '';
      this.#lose(`${code} ${reason || failure || cut}`.trim());
    };
    // A close follows. Only Node.js provides the reason: browsers hide it from pages.
    this.#socket.onerror = ({ error, message = '' }: Partial<ErrorEvent>) => {
      failure = textOf(error ?? message);
    };
    this.#timer = setInterval(() => this.#check(), LOOK_MS);
  }

  get open(): boolean {
    return this.#hello !== undefined && !this.#over;
  }
  /** Waiting repeats cannot be declared here any longer. */
  get leavesRepeats(): boolean {
    const isSending = this.open && this.#againAtMs === undefined;
    return isSending && this.#marks === 0 && this.#suspects.size === 0;
  }
  get maxEventBytes(): number | undefined {
    return this.#hello?.maxFrameBytes;
  }
  get unacknowledged(): number {
    return this.#frames.reduce((sum, { left }) => sum + left.size, 0);
  }
  get credit(): Credit {
    const { frames, bytes } = this.#credit;
    return { frames: frames - this.#sent.frames, bytes: bytes - this.#sent.bytes };
  }

  /** Sends waiting events. */
  pump(): void {
    if (!this.#hello || this.#over || this.#againAtMs !== undefined) return;
    if ((this.#socket.readyState ?? OPEN) !== OPEN) return;
    const { maxFrameEvents, maxFrameBytes } = this.#hello;
    // After a cut without an ack, sends one frame at a time, to identify the one that is cut.
    while (this.credit.frames > 0 && (!this.#limit.careful || this.#frames.length === 0)) {
      // After the declared events only originals follow; until then, originals may be marked too.
      const kind = this.#marks === 0 ? 'originals' : 'waiting';
      const long = this.#outbox.takeLonger(maxFrameBytes, this.#suspects, kind);
      if (long) {
        this.#on.refused(long, tooLarge(long.bytes, maxFrameBytes));
        continue;
      }
      const most = Math.min(maxFrameBytes, this.credit.bytes);
      const { bytes: tried } = this.#limit;
      const events = Math.min(maxFrameEvents, this.#marks || maxFrameEvents);
      let entries = this.#outbox.take(events, Math.min(most, tried), this.#suspects, kind);
      if (entries.length === 0) entries = this.#outbox.take(1, most, this.#suspects, kind);
      if (entries.length === 0) break;
      this.#marks = Math.max(0, this.#marks - entries.length);
      const text = frameText(entries);
      const number = this.#sent.frames + 1;
      const bytes = utf8Bytes(text);
      this.#sent = { frames: number, bytes: this.#sent.bytes + bytes };
      const sentMs = performance.now();
      this.#frames.push({ number, entries, left: new Set(entries), bytes, tried, sentMs });
      this.#socket.send(text);
      for (const entry of entries) this.#on.sent(entry);
    }
    // With nothing else to send, the hello proves that the connection works without the suspects.
    if (this.#frames.length === 0 && this.credit.frames > 0) this.#passed();
  }

  /** Others got through without the suspects. */
  #passed(): void {
    for (const suspect of this.#suspects) this.#on.stuck(suspect);
    this.#suspects = new Set();
  }

  /** Sends nothing more, and ends when all is acknowledged: the next one can declare repeats. */
  leave(): void {
    this.#leaving = true;
    this.#againAtMs ??= performance.now();
    this.#endIfLeft();
  }

  #endIfLeft(): void {
    if (this.#leaving && this.#frames.length === 0) this.end('repeats wait');
  }

  /** Closes the connection; unacknowledged events return to the outbox. */
  end(why: string): void {
    this.#lose(why);
    this.#socket.close();
  }

  #receive(data: unknown): void {
    if (this.#over) return;
    this.#receivedMs = performance.now();
    const frame = jsonObject(data);
    if (frame && this.#handle(frame)) this.#on.received();
    else this.end(`not a gateway frame: ${String(data).slice(0, SHOWN_CHARACTERS)}`);
  }

  /** @returns whether a gateway may send this frame here; if not, it had no effect */
  #handle(frame: Readonly<Record<string, unknown>>): boolean {
    const [name, said] = Object.entries(frame)[0] ?? [];
    switch (name) {
      case 'hello':
        if (this.#hello || !isHello(said)) return false;
        this.#hello = said;
        this.#raise(said.credit);
        this.#on.opened();
        return true;
      case 'ack':
        if (!isCount(said) || said > this.#sent.frames) return false;
        this.#settle(said);
        return true;
      case 'nack':
        return this.#refuse(said, frame.errors);
      case 'credit':
        if (!isCredit(said)) return false;
        this.#raise(said);
        return true;
      case 'goaway':
        if (!isGoaway(said)) return false;
        this.#againAtMs = this.#receivedMs + said.reconnectMs;
        return true;
      default:
        // Later gateways may send other frames.
        return true;
    }
  }

  #raise(credit: Credit): void {
    const { frames, bytes } = this.#credit;
    this.#credit = {
      frames: Math.max(frames, credit.frames),
      bytes: Math.max(bytes, credit.bytes),
    };
  }

  #refuse(nack: unknown, errors: unknown): boolean {
    const frame = this.#frames.find(({ number }) => number === nack);
    const refusals = frame && refusalsOf(errors, frame.entries);
    if (!refusals) return false;
    for (const [entry, refusal] of refusals) {
      if (frame.left.delete(entry)) this.#on.refused(entry, refusal);
    }
    return true;
  }

  #settle(upTo: number): void {
    const settled = this.#frames.filter(({ number }) => number <= upTo);
    this.#frames = this.#frames.filter(({ number }) => number > upTo);
    for (const { bytes, tried, left } of settled) {
      this.#limit.passed(bytes, tried);
      for (const entry of left) this.#on.stored(entry);
    }
    const first = settled[0];
    if (!first) return;
    this.#passed();
    this.#on.acknowledged(performance.now() - first.sentMs);
    this.#endIfLeft();
  }

  /** Detects a connection that died silently. */
  #check(): void {
    const now = performance.now();
    const sinceMs = now - Math.max(this.#receivedMs, this.#frames[0]?.sentMs ?? 0);
    const silent = this.#frames.length > 0 && sinceMs > SILENCE_MS;
    const mute = !this.#hello && sinceMs > HELLO_MS;
    const overdue = now > (this.#againAtMs ?? now) + GOAWAY_GRACE_MS;
    if (silent) this.#cut();
    if (silent || mute || overdue) this.end('no response');
  }

  get #longest(): Frame | undefined {
    return [...this.#frames].sort((a, b) => b.bytes - a.bytes)[0];
  }

  /** Handles a cut: the last frame, or an event, may be too long for the network. */
  #cut(): void {
    const longest = this.#longest;
    if (!longest) return;
    this.#limit.failed(longest.bytes, true);
    // Of several frames, the one that failed is unknown.
    if (this.#frames.length === 1) this.#outbox.noAnswer(longest.entries, this.#suspects);
  }

  /** Handles a size rejection by an intermediary: the longest unacknowledged frame was too long. */
  #shrink(): void {
    const longest = this.#longest;
    if (!longest) return;
    const { entries, bytes, left } = longest;
    if (entries.length > 1) return this.#limit.failed(bytes);
    const message = `close 1009 for an event of ${bytes} bytes`;
    for (const entry of left) {
      this.#on.refused(entry, { code: 'too_large', retry: false, message });
    }
  }

  #lose(why: string): void {
    if (this.#over) return;
    this.#over = true;
    clearInterval(this.#timer);
    this.#outbox.putBack(this.#frames.flatMap(({ left }) => [...left]));
    this.#frames = [];
    this.#on.lost(this.#againAtMs && Math.max(0, this.#againAtMs - performance.now()), why);
  }
}
