import { type Entry, type Fates, frameText, tooLarge, utf8Bytes } from './entry.ts';
import { textOf } from './error-text.ts';
import type { Fit } from './fit.ts';
import type { Outbox } from './outbox.ts';
import {
  type Credit,
  type Hello,
  isCount,
  isCredit,
  isGoaway,
  isHello,
  jsonObject,
  refusalsOf,
} from './wire.ts';

const SUBPROTOCOL = 'forebay.v1';
/** From the start of a connection to `hello`. */
const HELLO_MS = 15_000;
/** The gateway settles a frame within 120 s unless it is set otherwise: beyond that it is gone. */
const SILENCE_MS = 150_000;
const LOOK_MS = 5_000;
/** A server that said `goaway` closes by itself; this long after its clients were to be back. */
const GOAWAY_GRACE_MS = 10_000;
/** The close code of who takes no frame so long; the gateway itself has no use for it. */
const MESSAGE_TOO_BIG = 1009;
/** `readyState` of an open socket: one that is closing discards in silence what it is given. */
const OPEN = 1;
/** Close codes of a connection that was cut, or that a proxy lost: the gateway has said none. */
const CUT = new Set([1006, 1014]);
/** Of what is no frame: enough to see whose words they are. */
const SHOWN_CHARACTERS = 80;

/** A frame without an ack. */
interface Frame {
  readonly number: number;
  readonly entries: readonly Entry[];
  /** Those that no nack has named. */
  readonly left: Set<Entry>;
  readonly bytes: number;
  /** The size that fitted then. */
  readonly tried: number;
  readonly sentMs: number;
}

/** As much of a WebSocket as is used: a browser's, Node's own, and that of the package `ws`. */
export interface WebSocketLike {
  readonly readyState?: number;
  onmessage: unknown;
  onclose: unknown;
  onerror: unknown;
  send(text: string): void;
  close(): void;
}
export type WebSocketClass = new (url: string, protocols: string[]) => WebSocketLike;

export interface ConnectionEvents extends Fates {
  opened(): void;
  /** Whatever it was, more may go out now: {@link Connection.pump}. */
  heard(): void;
  acknowledged(ms: number): void;
  /** Once, at the end. `reconnectMs`: as the server asked, from now on. */
  lost(reconnectMs: number | undefined, why: string): void;
}

/**
 * One WebSocket of `forebay.v1`: sends what waits as far as credit reaches, and tells the fate of
 * each event. What has no ack at its end waits again.
 */
export class Connection {
  readonly #outbox: Outbox;
  readonly #on: ConnectionEvents;
  readonly #socket: WebSocketLike;
  readonly #fit: Fit;
  readonly #timer: ReturnType<typeof setInterval>;
  #frames: Frame[] = [];
  #sent: Credit = { frames: 0, bytes: 0 };
  #credit: Credit = { frames: 0, bytes: 0 };
  #hello: Hello | undefined;
  #heardMs = performance.now();
  #againAtMs: number | undefined;
  /** Events left out on this connection; see {@link Outbox.suspects}. */
  #suspects: ReadonlySet<Entry> = new Set();
  #over = false;

  /**
   * @param fit how long a frame gets through; a single event may be longer
   * @throws SyntaxError when the URL or the key cannot be one
   */
  constructor(
    socketClass: WebSocketClass,
    url: string,
    key: string | undefined,
    fit: Fit,
    outbox: Outbox,
    on: ConnectionEvents,
  ) {
    this.#fit = fit;
    this.#outbox = outbox;
    this.#on = on;
    const protocols = [SUBPROTOCOL, ...(key ? [`forebay.key.${key}`] : [])];
    this.#socket = new socketClass(url, protocols);
    let failure = '';
    this.#socket.onmessage = ({ data }: { data: unknown }) => this.#hear(data);
    this.#socket.onclose = ({ code, reason }: { code: number; reason: string }) => {
      if (code === MESSAGE_TOO_BIG) this.#shrink();
      else if (CUT.has(code)) this.#cut();
      const cut = CUT.has(code) ? `connection ${this.#hello ? 'lost' : 'failed'}` : '';
      this.#lose(`${code} ${reason || failure || cut}`.trim());
    };
    // A close follows. Only Node.js tells here why: a page must not learn it.
    this.#socket.onerror = ({ error, message = '' }: Partial<ErrorEvent>) => {
      failure = textOf(error ?? message);
    };
    this.#timer = setInterval(() => this.#look(), LOOK_MS);
  }

  get open(): boolean {
    return this.#hello !== undefined && !this.#over;
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

  /** Sends what waits. */
  pump(): void {
    if (!this.#hello || this.#over || this.#againAtMs !== undefined) return;
    if ((this.#socket.readyState ?? OPEN) !== OPEN) return;
    const { maxFrameEvents, maxFrameBytes } = this.#hello;
    // After a cut without an ack, one at a time: then it is known which one is cut.
    while (this.credit.frames > 0 && (!this.#fit.careful || this.#frames.length === 0)) {
      const long = this.#outbox.takeLonger(maxFrameBytes);
      if (long) {
        this.#on.refused(long, tooLarge(long.bytes, maxFrameBytes));
        continue;
      }
      const most = Math.min(maxFrameBytes, this.credit.bytes);
      const { bytes: tried } = this.#fit;
      let entries = this.#outbox.take(maxFrameEvents, Math.min(most, tried), this.#suspects);
      if (entries.length === 0) entries = this.#outbox.take(1, most, this.#suspects);
      if (entries.length === 0) break;
      const text = frameText(entries);
      const number = this.#sent.frames + 1;
      const bytes = utf8Bytes(text);
      this.#sent = { frames: number, bytes: this.#sent.bytes + bytes };
      const sentMs = performance.now();
      this.#frames.push({ number, entries, left: new Set(entries), bytes, tried, sentMs });
      this.#socket.send(text);
      for (const entry of entries) this.#on.sent(entry);
    }
    // With nothing else to send, the hello is what got through without them.
    if (this.#frames.length === 0 && this.credit.frames > 0) this.#passed();
  }

  /** Others got through without the suspects. */
  #passed(): void {
    for (const suspect of this.#suspects) this.#on.stuck(suspect);
    this.#suspects = new Set();
  }

  /** Ends it: what has no ack is lost here. */
  end(why: string): void {
    this.#lose(why);
    this.#socket.close();
  }

  #hear(data: unknown): void {
    if (this.#over) return;
    this.#heardMs = performance.now();
    const frame = jsonObject(data);
    if (frame && this.#take(frame)) this.#on.heard();
    else this.end(`no frame of a gateway: ${String(data).slice(0, SHOWN_CHARACTERS)}`);
  }

  /** @returns whether a gateway may say so here; if not, nothing of it was taken */
  #take(frame: Readonly<Record<string, unknown>>): boolean {
    const [name, said] = Object.entries(frame)[0] ?? [];
    switch (name) {
      case 'hello':
        if (this.#hello || !isHello(said)) return false;
        this.#hello = said;
        this.#suspects = this.#outbox.suspects;
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
        this.#againAtMs = this.#heardMs + said.reconnectMs;
        return true;
      default:
        // Later gateways may say more.
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
      this.#fit.passed(bytes, tried);
      for (const entry of left) this.#on.stored(entry);
    }
    const first = settled[0];
    if (!first) return;
    this.#passed();
    this.#on.acknowledged(performance.now() - first.sentMs);
  }

  /** A connection can die without a word. */
  #look(): void {
    const now = performance.now();
    const sinceMs = now - Math.max(this.#heardMs, this.#frames[0]?.sentMs ?? 0);
    const silent = this.#frames.length > 0 && sinceMs > SILENCE_MS;
    const mute = !this.#hello && sinceMs > HELLO_MS;
    const overdue = now > (this.#againAtMs ?? now) + GOAWAY_GRACE_MS;
    if (silent) this.#cut();
    if (silent || mute || overdue) this.end('no answer');
  }

  get #longest(): Frame | undefined {
    return [...this.#frames].sort((a, b) => b.bytes - a.bytes)[0];
  }

  /** No answer came to what was sent: the frame, or an event, may be too long for the network. */
  #cut(): void {
    const longest = this.#longest;
    if (!longest) return;
    this.#fit.failed(longest.bytes, true);
    // Of several frames, nothing tells which one failed.
    if (this.#frames.length === 1) this.#outbox.noAnswer(longest.entries, this.#suspects);
  }

  /** Of the frames without an ack one was too long for what stands in between: the longest. */
  #shrink(): void {
    const longest = this.#longest;
    if (!longest) return;
    const { entries, bytes, left } = longest;
    if (entries.length > 1) return this.#fit.failed(bytes);
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
