/**
 * uWebSockets.js: loads the binary for this Node.js version and declares the types in use. It comes
 * as one package per platform and Node.js version; these are for Linux x64 with glibc.
 */
import { createRequire } from 'node:module';
import { EXIT, StartError } from '../../common/errors.ts';

export type ListenSocket = object;

export interface WebSocket<T> {
  /** Bytes waiting in the send buffer. */
  getBufferedAmount(): number;
  /** 1 = sent, 0 = waiting in the send buffer, 2 = dropped because the buffer is full. */
  send(message: string, isBinary?: boolean): 0 | 1 | 2;
  end(code: number, reason: string): void;
  /** Ends the connection without a close frame. @throws Error if it has ended */
  close(): void;
  ping(message: string): 0 | 1 | 2;
  cork(write: () => void): void;
  getUserData(): T;
}

export interface HttpResponse {
  writeStatus(status: string): HttpResponse;
  writeHeader(name: string, value: string): HttpResponse;
  end(body?: string | Uint8Array, closeConnection?: boolean): HttpResponse;
  /**
   * Ends the response with `Content-Length: totalBytes`, unless earlier responses of the connection
   * are unread: then it stays open, and {@link onWritable} continues it with the rest of the body.
   * @returns whether more can be written, and whether the response is complete
   */
  tryEnd(rest: string | Uint8Array, totalBytes: number): [isWritable: boolean, isComplete: boolean];
  /** The handler is called with the written bytes of the body. @returns as `isWritable` */
  onWritable(handler: (offset: number) => boolean): HttpResponse;
  endWithoutBody(reportedLength?: number, closeConnection?: boolean): HttpResponse;
  /** Ends the connection without a response. */
  close(): HttpResponse;
  /** Address of the socket's peer: 4 or 16 bytes. */
  getRemoteAddress(): ArrayBuffer;
  /** Address in the connection's last PROXY v2 header, from any sender; 0 bytes if none. */
  getProxiedRemoteAddress(): ArrayBuffer;
  /** Replaces the previous handler. */
  onAborted(handler: () => void): HttpResponse;
  onData(handler: (chunk: ArrayBuffer, isLast: boolean) => void): HttpResponse;
  cork(write: () => void): HttpResponse;
  /** Stops reading from the socket until {@link resume}. */
  pause(): void;
  /** Resumes after {@link pause}; without a pause, reading stops. Resets the idle timeout. */
  resume(): void;
  upgrade<T>(data: T, key: string, protocol: string, extensions: string, context: object): void;
}

export interface HttpRequest {
  /** Name in lower case; '' when absent. */
  getHeader(name: string): string;
  getUrl(): string;
  /** The method as sent by the client: methods are case-sensitive. */
  getCaseSensitiveMethod(): string;
  /** Visits all headers in order, including repeated ones; names in lower case. */
  forEach(visit: (name: string, value: string) => void): void;
}

export interface WebSocketBehavior<T> {
  maxPayloadLength: number;
  maxBackpressure: number;
  idleTimeout: number;
  sendPingsAutomatically: boolean;
  upgrade(response: HttpResponse, request: HttpRequest, context: object): void;
  open(socket: WebSocket<T>): void;
  message(socket: WebSocket<T>, message: ArrayBuffer, isBinary: boolean): void;
  /** Some of the send buffer was written to the network. */
  drain?(socket: WebSocket<T>): void;
  /** Called after the automatic pong. */
  ping?(socket: WebSocket<T>, message: ArrayBuffer): void;
  pong(socket: WebSocket<T>, message: ArrayBuffer): void;
  close(socket: WebSocket<T>, code: number, reason: ArrayBuffer): void;
}

type Handler = (response: HttpResponse, request: HttpRequest) => void;

export interface App {
  /**
   * Registers a handler for accepted connections (1) and ended ones (-1), except those that became
   * WebSockets. The handler may close a new one.
   */
  filter(handler: (response: HttpResponse, change: number) => void): App;
  any(pattern: string, handler: Handler): App;
  ws<T>(pattern: string, behavior: WebSocketBehavior<T>): App;
  listen(host: string, port: number, done: (socket: ListenSocket | false) => void): App;
  close(): App;
}

export interface TlsOptions {
  cert_file_name: string;
  key_file_name: string;
  /** OpenSSL cipher list, for TLS 1.2 only. */
  ssl_ciphers: string;
}

export interface Uws {
  App(): App;
  /** TLS only. @throws Error without a reason if the files are unusable */
  SSLApp(options: TlsOptions): App;
  us_listen_socket_close(socket: ListenSocket): void;
  _cfg(key: 'silent'): void;
}

/** Node.js versions with a binary in package.json. */
const NODE_MAJORS = ['20', '22'];

/** Loads the binary. @throws StartError if the platform has none or it is not installed */
export function loadUws(): Uws {
  try {
    const uws = createRequire(import.meta.url)(packageFor(process.versions.node)) as Uws;
    // Omits the `Server` header.
    uws._cfg('silent');
    return uws;
  } catch (error) {
    const { platform, arch, versions } = process;
    const here = { platform, arch, node: versions.node, hasGlibc: hasGlibc() };
    throw new StartError(reasonOf(error as NodeJS.ErrnoException, here), EXIT.failed);
  }
}

function packageFor(node: string): string {
  return `uWebSockets.js-node${Number.parseInt(node, 10)}`;
}

/** Properties of this machine that select a binary. */
export interface Platform {
  readonly platform: string;
  readonly arch: string;
  /** Node.js version. */
  readonly node: string;
  readonly hasGlibc: boolean;
}

/** Returns the reason for a failed load, for the operator. */
export function reasonOf({ code, message }: NodeJS.ErrnoException, here: Platform): string {
  const { platform, arch, node, hasGlibc } = here;
  const major = String(Number.parseInt(node, 10));
  const hasPlatform = platform === 'linux' && arch === 'x64' && hasGlibc;
  if (!hasPlatform || !NODE_MAJORS.includes(major)) {
    const libc = platform === 'linux' && !hasGlibc ? ' without glibc' : '';
    return (
      `Forebay runs on Linux x64 with glibc and Node ${NODE_MAJORS.join(' or ')}; ` +
      `this is ${platform} ${arch}${libc}, Node ${node}`
    );
  }
  const again = 'run make setup again (npm ci)';
  if (code !== 'MODULE_NOT_FOUND') {
    return `${packageFor(node)} cannot be loaded (${message.split('\n')[0]}); ${again}`;
  }
  return (
    `node_modules lacks ${packageFor(node)}: npm installs it under Node ${major} alone, ` +
    `and another version installed the packages; ${again}`
  );
}

function hasGlibc(): boolean {
  const { header } = process.report.getReport() as { header?: { glibcVersionRuntime?: string } };
  return header?.glibcVersionRuntime !== undefined;
}
