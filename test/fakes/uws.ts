/** Sockets, requests and responses of uWebSockets.js without a network. */
import assert from 'node:assert/strict';
import type {
  HttpRequest,
  HttpResponse,
  WebSocket,
  WebSocketBehavior,
} from '../../src/worker/ingress/transport/transport.ts';

/** Connection state of the listener, opaque here. */
type Connection = never;
type Behavior = WebSocketBehavior<Connection>;

/** A client's end of a WebSocket. */
export interface Peer {
  receive(text: string): void;
  pinged(message: string): void;
  gone(code: number, reason: string): void;
}

/** The server's end of one WebSocket. */
export class FakeSocket implements WebSocket<Connection> {
  readonly #data: Connection;
  readonly #behavior: Behavior;
  readonly #peer: Peer;
  #open = true;

  constructor(behavior: Behavior, data: Connection, peer: Peer) {
    this.#behavior = behavior;
    this.#data = data;
    this.#peer = peer;
  }

  getUserData(): Connection {
    return this.#data;
  }
  cork(write: () => void): void {
    write();
  }
  send(message: string): 0 | 1 | 2 {
    assert(this.#open, 'only an open socket is written to');
    this.#peer.receive(message);
    return 1;
  }
  getBufferedAmount(): number {
    return 0;
  }
  ping(message: string): 0 | 1 | 2 {
    if (this.#open) this.#peer.pinged(message);
    return 1;
  }
  end(code: number, reason: string): void {
    this.lost(code, reason);
  }
  close(): void {
    this.lost();
  }

  /** A message arrives. */
  deliver(text: string): void {
    if (!this.#open) return;
    const copy = bytesOf(text);
    this.#behavior.message(this, copy.buffer, false);
    // The socket reuses the memory: a view that was kept sees this.
    copy.fill(0);
  }

  /** The memory of an incomplete message changes. */
  partial(bytes: number): void {
    if (this.#open) this.#behavior.partial?.(this, bytes);
  }

  pong(message: string): void {
    if (this.#open) this.#behavior.pong(this, bytesOf(message).buffer);
  }

  /** The connection ends, closed by either side. */
  lost(code = 1006, reason = ''): void {
    if (!this.#open) return;
    this.#open = false;
    this.#peer.gone(code, reason);
    this.#behavior.close(this, code, bytesOf(reason).buffer);
  }
}

/** A request that has only method, path, query and headers. */
export function fakeRequest(
  method: string,
  address: string,
  headers: Readonly<Record<string, string>>,
): HttpRequest {
  const [path = '', query = ''] = address.split('?');
  return {
    getQuery: () => query,
    getCaseSensitiveMethod: () => method,
    getUrl: () => path,
    getHeader: (name) => headers[name] ?? '',
    forEach: (visit) => {
      for (const [name, value] of Object.entries(headers)) visit(name, value);
    },
  };
}

/** A valid handshake that offers `protocol`. */
export function fakeHandshake(protocol: string, path = '/ws'): HttpRequest {
  return fakeRequest('GET', path, {
    upgrade: 'websocket',
    connection: 'Upgrade',
    'sec-websocket-version': '13',
    'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
    'sec-websocket-protocol': protocol,
  });
}

/** Opens a WebSocket, unless the listener rejects or defers it. */
export function openSocket(
  behavior: Behavior,
  protocol: string,
  peer: Peer,
  path = '/ws',
): FakeSocket | undefined {
  let socket: FakeSocket | undefined;
  const response = new FakeResponse({
    onUpgrade: (data) => {
      socket = new FakeSocket(behavior, data as Connection, peer);
      behavior.open(socket);
    },
  });
  behavior.upgrade(response, fakeHandshake(protocol, path), {});
  return socket;
}

export interface FakeResponseOptions {
  /** Bytes of the client's address. */
  readonly address?: readonly number[] | undefined;
  readonly onEnd?: (status: number, body: string) => void;
  /** Called before the handler receives the last chunk of the body. */
  readonly onLastChunk?: () => void;
  /** Without it an upgrade throws. */
  readonly onUpgrade?: (data: unknown) => void;
}

/** A response that records what is written. As in uWebSockets.js, no call may follow its end. */
export class FakeResponse implements HttpResponse {
  /** Undefined until it has ended. */
  status: number | undefined;
  readonly headers = new Map<string, string>();
  body = '';
  /** Its end closes the connection. */
  closes = false;
  /** The client has not read earlier responses. */
  unread = false;
  /** Reports that the client has read them. */
  writable: (() => boolean) | undefined;
  paused = false;
  /** Number of calls. */
  pauses = 0;
  resumes = 0;
  readonly #options: FakeResponseOptions;
  #status = 200;
  #over = false;
  #aborted: (() => void) | undefined;
  #data: ((chunk: ArrayBuffer, isLast: boolean) => void) | undefined;
  /** Chunks that the kernel holds. */
  #unread: { bytes: Buffer | string; isLast: boolean }[] = [];

  constructor(options: FakeResponseOptions = {}) {
    this.#options = options;
  }

  writeStatus(status: string): this {
    this.#demandOpen();
    this.#status = Number.parseInt(status, 10);
    return this;
  }
  writeHeader(name: string, value: string): this {
    this.#demandOpen();
    this.headers.set(name, value);
    return this;
  }
  end(body: string | Uint8Array = '', closes = false): this {
    this.#demandOpen();
    this.#over = true;
    this.status = this.#status;
    this.body = String(body);
    this.closes = closes;
    this.#options.onEnd?.(this.status, this.body);
    return this;
  }
  tryEnd(rest: string | Uint8Array, totalBytes: number): [boolean, boolean] {
    if (this.unread) return [false, false];
    this.end(this.body + Buffer.from(rest).toString());
    assert.equal(Buffer.byteLength(this.body), totalBytes);
    return [true, true];
  }
  onWritable(handler: (offset: number) => boolean): this {
    this.#demandOpen();
    this.writable = () => handler(Buffer.byteLength(this.body));
    return this;
  }
  endWithoutBody(_reportedLength?: number, closes = false): this {
    return this.end('', closes);
  }
  close(): this {
    this.abort();
    return this;
  }
  getRemoteAddress(): ArrayBuffer {
    return new Uint8Array(this.#options.address ?? [127, 0, 0, 1]).buffer;
  }
  getProxiedRemoteAddress(): ArrayBuffer {
    return new ArrayBuffer(0);
  }
  onAborted(handler: () => void): this {
    this.#demandOpen();
    this.#aborted = handler;
    return this;
  }
  onData(handler: (chunk: ArrayBuffer, isLast: boolean) => void): this {
    this.#demandOpen();
    this.#data = handler;
    return this;
  }
  cork(write: () => void): this {
    this.#demandOpen();
    write();
    return this;
  }
  pause(): void {
    this.#demandOpen();
    this.paused = true;
    this.pauses++;
  }
  resume(): void {
    this.#demandOpen();
    assert(this.paused, 'uWebSockets.js reads nothing more after a resume without a pause');
    this.paused = false;
    this.resumes++;
    for (const { bytes, isLast } of this.#unread.splice(0)) this.arrive(bytes, isLast);
  }
  upgrade(data: unknown): void {
    assert(this.#options.onUpgrade !== undefined, 'no WebSocket was requested');
    this.#options.onUpgrade(data);
  }

  /** Ended or aborted. */
  get ended(): boolean {
    return this.#over;
  }

  /** A chunk of the body arrives; while the response is paused, the kernel holds it. */
  arrive(bytes: Buffer | string, isLast: boolean): void {
    if (this.#over) return;
    if (this.paused) this.#unread.push({ bytes, isLast });
    else this.deliver(bytes, isLast);
  }

  /**
   * Calls the handler with a chunk, even after a pause or the end: uWebSockets.js delivers what it
   * has read before. The memory of the chunk is invalid when the handler returns.
   */
  deliver(bytes: Buffer | string, isLast: boolean): void {
    const copy = bytesOf(bytes);
    if (isLast) this.#options.onLastChunk?.();
    this.#data?.(copy.buffer, isLast);
    copy.fill(0);
  }

  /** The client disconnects. */
  abort(): void {
    if (this.#over) return;
    this.#over = true;
    this.#aborted?.();
  }

  #demandOpen(): void {
    assert(!this.#over, 'a response is used after its end');
  }
}

/** Returns a copy in memory of its own. */
function bytesOf(bytes: Buffer | string): Uint8Array<ArrayBuffer> {
  return new Uint8Array(Buffer.from(bytes));
}
