/** What uWebSockets.js gives to the listener, without a network: sockets, requests, responses. */
import assert from 'node:assert/strict';
import type {
  HttpRequest,
  HttpResponse,
  WebSocket,
  WebSocketBehavior,
} from '../../src/worker/ingress/uws.ts';

/** What the listener keeps for a connection is its own affair. */
type Connection = never;
type Behavior = WebSocketBehavior<Connection>;

/** A client's end of a WebSocket. */
export interface Peer {
  hear(text: string): void;
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
    this.#peer.hear(message);
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

  /** A message has arrived. */
  deliver(text: string): void {
    if (!this.#open) return;
    const copy = bytesOf(text);
    this.#behavior.message(this, copy.buffer, false);
    // Its memory belongs to the socket again: who kept a view of it would see this.
    copy.fill(0);
  }

  pong(message: string): void {
    if (this.#open) this.#behavior.pong(this, bytesOf(message).buffer);
  }

  /** The connection is gone, whoever ended it. */
  lost(code = 1006, reason = ''): void {
    if (!this.#open) return;
    this.#open = false;
    this.#peer.gone(code, reason);
    this.#behavior.close(this, code, bytesOf(reason).buffer);
  }
}

/** A request that has just its method, path and headers. */
export function fakeRequest(
  method: string,
  path: string,
  headers: Readonly<Record<string, string>>,
): HttpRequest {
  return {
    getCaseSensitiveMethod: () => method,
    getUrl: () => path,
    getHeader: (name) => headers[name] ?? '',
    forEach: (visit) => {
      for (const [name, value] of Object.entries(headers)) visit(name, value);
    },
  };
}

/** Opens a WebSocket, as far as the listener agrees. */
export function openSocket(
  behavior: Behavior,
  protocol: string,
  peer: Peer,
): FakeSocket | undefined {
  let socket: FakeSocket | undefined;
  const request = fakeRequest('GET', '/ws', {
    upgrade: 'websocket',
    connection: 'Upgrade',
    'sec-websocket-version': '13',
    'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
    'sec-websocket-protocol': protocol,
  });
  const response = new FakeResponse(() => {});
  response.onUpgrade = (data) => {
    socket = new FakeSocket(behavior, data as Connection, peer);
    behavior.open(socket);
  };
  behavior.upgrade(response, request, {});
  return socket;
}

export class FakeResponse implements HttpResponse {
  onUpgrade: (data: unknown) => void = () => {};
  readonly #answered: (status: number, body: string) => void;
  #status = 200;
  #over = false;
  #aborted = () => {};
  #data: ((chunk: ArrayBuffer, isLast: boolean) => void) | undefined;
  #paused = false;
  #waiting: { text: Buffer; isLast: boolean }[] = [];

  constructor(answered: (status: number, body: string) => void) {
    this.#answered = answered;
  }

  writeStatus(status: string): this {
    this.#status = Number.parseInt(status, 10);
    return this;
  }
  writeHeader(): this {
    return this;
  }
  end(body: string | Uint8Array = ''): this {
    assert(!this.#over, 'a response is ended once, unless it was aborted');
    this.#over = true;
    this.#answered(this.#status, String(body));
    return this;
  }
  endWithoutBody(): this {
    return this.end();
  }
  close(): this {
    this.abort();
    return this;
  }
  getRemoteAddress(): ArrayBuffer {
    return new Uint8Array([127, 0, 0, 1]).buffer;
  }
  getProxiedRemoteAddress(): ArrayBuffer {
    return new ArrayBuffer(0);
  }
  onAborted(handler: () => void): this {
    this.#aborted = handler;
    return this;
  }
  onData(handler: (chunk: ArrayBuffer, isLast: boolean) => void): this {
    this.#data = handler;
    return this;
  }
  cork(write: () => void): this {
    write();
    return this;
  }
  pause(): void {
    this.#paused = true;
  }
  resume(): void {
    this.#paused = false;
    for (const { text, isLast } of this.#waiting.splice(0)) this.deliver(text, isLast);
  }
  upgrade<T>(data: T): void {
    this.onUpgrade(data);
  }

  /** A piece of the body has arrived. */
  deliver(text: Buffer, isLast: boolean): void {
    if (this.#over) return;
    if (this.#paused) {
      this.#waiting.push({ text, isLast });
      return;
    }
    const copy = new Uint8Array(text.length);
    copy.set(text);
    this.#data?.(copy.buffer, isLast);
    copy.fill(0);
  }

  /** The client goes away. */
  abort(): void {
    if (this.#over) return;
    this.#over = true;
    this.#aborted();
  }
}

/** A copy with memory of its own. */
function bytesOf(text: string): Uint8Array<ArrayBuffer> {
  const bytes = Buffer.from(text);
  const copy = new Uint8Array(bytes.length);
  copy.set(bytes);
  return copy;
}
