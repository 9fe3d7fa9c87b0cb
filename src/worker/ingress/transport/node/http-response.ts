import type { IncomingMessage, ServerResponse } from 'node:http';
import type { HttpResponse } from '../transport.ts';
import type { Connection, PendingRequest } from './connection.ts';
import { type Rejection, rejectionBody } from './rejections.ts';
import { arrayBufferOf } from './sockets.ts';

const EMPTY = new ArrayBuffer(0);
/** Start of a header name that carries the final status; see the contract of `writeStatus`. */
const STATUS_IN_NAME = /^HTTP\/1\.1 (.*)\r\n(.*)$/;

type DataHandler = (chunk: ArrayBuffer, isLast: boolean) => void;
/** Makes the connection of a handshake a WebSocket. */
export type Upgrade = (data: unknown, key: string, protocol: string) => void;

/** The response to a request of node:http. */
export class NodeResponse implements HttpResponse, PendingRequest {
  readonly #connection: Connection;
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  /** Set for a handshake. */
  readonly #upgrade: Upgrade | undefined;
  readonly #headers: string[] = [];
  #status = '200 OK';
  #aborted: (() => void) | undefined;
  #data: DataHandler | undefined;
  /** Ended, aborted or upgraded. */
  #over = false;
  #closes = false;
  #paused = false;

  constructor(
    connection: Connection,
    request: IncomingMessage,
    response: ServerResponse,
    upgrade?: Upgrade,
  ) {
    this.#connection = connection;
    this.#request = request;
    this.#response = response;
    this.#upgrade = upgrade;
  }

  /** Begins to read the body, after the request handler has returned. */
  readBody(): void {
    const request = this.#request;
    if (this.#over || this.#data === undefined) {
      request.resume();
      return;
    }
    const length = request.headers['content-length'];
    let leftBytes = length === undefined ? Number.NaN : Number(length);
    let isComplete = false;
    this.#connection.expectInput();
    request.on('data', (chunk: Buffer) => {
      leftBytes -= chunk.length;
      isComplete = leftBytes === 0;
      this.#received(arrayBufferOf(chunk), isComplete);
    });
    request.on('end', () => {
      if (!isComplete) this.#received(EMPTY, true);
    });
  }

  #received(chunk: ArrayBuffer, isLast: boolean): void {
    if (this.#over) return;
    if (isLast) this.#connection.expectNothing();
    else if (this.#paused) this.#pauseSocket();
    else this.#connection.expectInput();
    this.#data?.(chunk, isLast);
  }

  writeStatus(status: string): this {
    if (status.startsWith('100 ')) this.#response.writeContinue();
    else this.#status = status;
    return this;
  }

  writeHeader(name: string, value: string): this {
    const [, status, first] = STATUS_IN_NAME.exec(name) ?? [];
    if (status !== undefined) this.#status = status;
    this.#headers.push(first ?? name, value);
    return this;
  }

  end(body: string | Uint8Array = '', closeConnection = false): this {
    const length = Buffer.byteLength(body);
    return this.#end(body, length, closeConnection);
  }

  tryEnd(rest: string | Uint8Array, totalBytes: number): [boolean, boolean] {
    if (!this.#connection.canSend(this)) return [false, false];
    this.#end(rest, totalBytes, false);
    return [true, true];
  }

  onWritable(handler: (offset: number) => boolean): this {
    this.#connection.sendLater(this, () => handler(0));
    return this;
  }

  endWithoutBody(reportedLength?: number, closeConnection = false): this {
    return this.#end('', reportedLength, closeConnection);
  }

  #end(body: string | Uint8Array, length: number | undefined, closeConnection: boolean): this {
    if (this.#over) return this;
    this.#over = true;
    const response = this.#response;
    const headers = this.#headers;
    if (closeConnection || !response.shouldKeepAlive) announceClose(headers);
    this.#closes = announcesClose(headers);
    if (length !== undefined) headers.push('Content-Length', String(length));
    const [code = '', ...reason] = this.#status.split(' ');
    response.writeHead(Number(code), reason.join(' '), headers);
    response.end(body);
    // The rest of the body is read and dropped.
    this.#resumeSocket();
    this.#request.resume();
    this.#connection.responded(this, this.#closes);
    return this;
  }

  get complete(): boolean {
    return this.#request.complete;
  }

  /** The connection is closed after this response. */
  get closes(): boolean {
    return this.#closes;
  }

  /** Responds to a request that ingress does not see. */
  reject([status, text]: Rejection): void {
    this.writeStatus(status).writeHeader('Content-Type', 'application/json');
    this.end(rejectionBody(text), true);
  }

  close(): this {
    this.#connection.close();
    return this;
  }

  closeAfterwards(): void {
    this.#response.shouldKeepAlive = false;
  }

  abort(): void {
    if (this.#over) return;
    this.#over = true;
    this.#resumeSocket();
    this.#aborted?.();
  }

  getRemoteAddress(): ArrayBuffer {
    return this.#connection.getRemoteAddress();
  }

  getProxiedRemoteAddress(): ArrayBuffer {
    return this.#connection.getProxiedRemoteAddress();
  }

  onAborted(handler: () => void): this {
    this.#aborted = handler;
    return this;
  }

  onData(handler: DataHandler): this {
    this.#data = handler;
    return this;
  }

  cork(write: () => void): this {
    write();
    return this;
  }

  pause(): void {
    this.#paused = true;
    this.#connection.expectNothing();
    this.#pauseSocket();
  }

  resume(): void {
    this.#resumeSocket();
    if (!this.#over && !this.#request.complete) this.#connection.expectInput();
  }

  /**
   * Pauses the socket, not the request: that would keep chunks that have been read, which ingress
   * neither counts nor bounds. node:http resumes the socket in the second tick after a chunk.
   */
  #pauseSocket(): void {
    process.nextTick(() =>
      process.nextTick(() => {
        if (this.#paused) this.#request.socket.pause();
      }),
    );
  }

  #resumeSocket(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.#request.socket.resume();
  }

  upgrade<T>(data: T, key: string, protocol: string): void {
    if (this.#over || this.#upgrade === undefined) return;
    this.#over = true;
    this.#upgrade(data, key, protocol);
  }
}

/** Replaces the headers that keep the connection; `Connection: Upgrade` stays. */
function announceClose(headers: string[]): void {
  for (let index = headers.length - 2; index >= 0; index -= 2) {
    const header = `${headers[index]}: ${headers[index + 1]}`;
    if (/^(keep-alive: |connection: (keep-alive|close)$)/i.test(header)) headers.splice(index, 2);
  }
  headers.push('Connection', 'close');
}

function announcesClose(headers: readonly string[]): boolean {
  return headers.some((text, index) => {
    return index % 2 === 0 && /^connection: close$/i.test(`${text}: ${headers[index + 1]}`);
  });
}
