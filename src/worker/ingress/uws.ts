/**
 * uWebSockets.js: picks the binary for this Node version and types what is used of it.
 * It comes as one package per platform and Node version; these are for Linux x64 with glibc.
 */
import { createRequire } from 'node:module';
import { EXIT, StartError } from '../../common/errors.ts';

export type ListenSocket = object;

export interface WebSocket<T> {
  /** Bytes that wait in the send buffer. */
  getBufferedAmount(): number;
  /** 1 = sent, 0 = waits in the send buffer, 2 = dropped since the buffer is full. */
  send(message: string, isBinary?: boolean): 0 | 1 | 2;
  end(code: number, reason: string): void;
  /** Ends the connection without a close frame. @throws Error when it has ended */
  close(): void;
  ping(message: string): 0 | 1 | 2;
  cork(write: () => void): void;
  getUserData(): T;
}

export interface HttpResponse {
  writeStatus(status: string): HttpResponse;
  writeHeader(name: string, value: string): HttpResponse;
  end(body?: string | Uint8Array, closeConnection?: boolean): HttpResponse;
  endWithoutBody(reportedLength?: number, closeConnection?: boolean): HttpResponse;
  /** Ends the connection without a word. */
  close(): HttpResponse;
  /** Of the socket's peer: 4 or 16 bytes. */
  getRemoteAddress(): ArrayBuffer;
  /** The one that the connection's last PROXY v2 header names, whoever sent it; none = 0 bytes. */
  getProxiedRemoteAddress(): ArrayBuffer;
  /** Replaces the handler that was set before. */
  onAborted(handler: () => void): HttpResponse;
  onData(handler: (chunk: ArrayBuffer, isLast: boolean) => void): HttpResponse;
  cork(write: () => void): HttpResponse;
  /** Reads nothing more from the socket until {@link resume}. */
  pause(): void;
  /** Only after {@link pause}: else nothing more is read. The request counts as not idle then. */
  resume(): void;
  upgrade<T>(data: T, key: string, protocol: string, extensions: string, context: object): void;
}

export interface HttpRequest {
  /** Name in lower case; '' when absent. */
  getHeader(name: string): string;
  getUrl(): string;
  /** As the client wrote it: methods are case-sensitive. */
  getCaseSensitiveMethod(): string;
  /** Each header, in order, also those that come twice; names in lower case. */
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
  /** The network has taken some of what waited in the send buffer. */
  drain?(socket: WebSocket<T>): void;
  /** It is answered already. */
  ping?(socket: WebSocket<T>, message: ArrayBuffer): void;
  pong(socket: WebSocket<T>, message: ArrayBuffer): void;
  close(socket: WebSocket<T>, code: number, reason: ArrayBuffer): void;
}

type Handler = (response: HttpResponse, request: HttpRequest) => void;

export interface App {
  /**
   * Hears of each connection that is accepted (1) and of each that ends (-1), but for those that
   * have become WebSockets. A new one may be closed at once.
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
  /** In OpenSSL's words; of TLS 1.2 alone. */
  ssl_ciphers: string;
}

export interface Uws {
  App(): App;
  /** Speaks TLS alone. @throws Error without a reason when the files cannot be used */
  SSLApp(options: TlsOptions): App;
  us_listen_socket_close(socket: ListenSocket): void;
  _cfg(key: 'silent'): void;
}

/** Versions of Node.js for which package.json has a binary. */
const NODE_MAJORS = ['20', '22'];

/** Loads the binary. @throws StartError on a platform that has none, or if it is not installed */
export function loadUws(): Uws {
  try {
    const uws = createRequire(import.meta.url)(packageFor(process.versions.node)) as Uws;
    // No header that tells which server this is.
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

/** Facts of this machine that decide if there is a binary for it. */
export interface Platform {
  readonly platform: string;
  readonly arch: string;
  /** Version of Node.js. */
  readonly node: string;
  readonly hasGlibc: boolean;
}

/** Reason for the operator why the binary did not load. */
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
