/**
 * Client of `forebay.v1` that sends exactly the given frames, valid or not, whole or in fragments.
 * It waits for credit unless told otherwise, and records protocol violations of the server.
 */
import type { Socket } from 'node:net';
import { WebSocket } from 'ws';
import { Incoming, type NackError } from './protocol.ts';
import { type Closed, closeSocket, openSocket, type Trust } from './socket.ts';
import { PATIENCE_MS, until } from './wait.ts';

export type Payload = string | Buffer;

export class FrameClient {
  readonly #incoming = new Incoming();
  readonly #nacks = new Map<number, readonly NackError[]>();
  readonly #frames: string[] = [];
  #socket!: WebSocket;
  #sent = 0;
  #sentBytes = 0;
  /** End of the connection. */
  closed: Closed | undefined;
  /** Protocol violations of the server. */
  readonly violations: string[] = [];

  /** Returns a connected client; parameters as those of {@link connect}. */
  static async open(...connection: Parameters<FrameClient['connect']>): Promise<FrameClient> {
    const client = new FrameClient();
    await client.connect(...connection);
    return client;
  }

  /**
   * Connects and waits for `hello`.
   * @param protocols requested in addition to `forebay.v1`
   */
  async connect(
    url: string,
    headers: Record<string, string> = {},
    protocols: readonly string[] = [],
    trust: Trust = {},
  ): Promise<void> {
    const requested = ['forebay.v1', ...protocols];
    const prepare = (socket: WebSocket) => {
      socket.on('message', (data) => this.#onText(String(data)));
      socket.on('close', (code, reason) => {
        this.closed = { code, reason: String(reason) };
      });
    };
    this.#socket = await openSocket(url, requested, headers, prepare, trust);
    await until(() => this.#incoming.hello, { what: 'hello' });
  }

  get socket(): WebSocket {
    return this.#socket;
  }
  get incoming(): Incoming {
    return this.#incoming;
  }
  get isOpen(): boolean {
    return this.#socket.readyState === WebSocket.OPEN;
  }
  /** Every text from the server, in order. */
  get texts(): readonly string[] {
    return this.#frames;
  }

  /** Sends one frame, regardless of credit; several parts become its fragments. */
  send(...parts: readonly Payload[]): number {
    return this.#send(parts, false);
  }

  /** Sends a binary frame. @returns as {@link send} */
  sendBinary(...parts: readonly Buffer[]): number {
    return this.#send(parts, true);
  }

  /**
   * Sends text frames in one write, so that they arrive together. @returns the number of the last
   * one
   */
  sendTogether(texts: readonly string[]): number {
    const { _socket: stream } = this.#socket as unknown as { _socket: Socket };
    stream.cork();
    for (const text of texts) this.#send([text], false);
    stream.uncork();
    return this.#sent;
  }

  /** Sends one text frame when credit allows it. @returns its number */
  async sendWithin(...parts: readonly Payload[]): Promise<number> {
    const bytes = this.#sentBytes + sizeOf(parts);
    const incoming = this.#incoming;
    const allowed = () => this.#sent < incoming.credit.frames && bytes <= incoming.credit.bytes;
    if (!allowed()) await until(allowed, { everyMs: 1, what: 'credit' });
    return this.#send(parts, false);
  }

  /** Waits until the frame is settled. @returns its rejections */
  async fate(frame: number, deadlineMs = PATIENCE_MS): Promise<readonly NackError[]> {
    const settled = () => this.#incoming.acknowledged >= frame;
    const what = () => `the ack of frame ${frame}; open: ${this.isOpen}`;
    await until(() => settled() || !this.isOpen, { deadlineMs, everyMs: 1, what });
    if (!settled()) throw new Error(`the connection ended before ${what()}`);
    return this.#nacks.get(frame) ?? [];
  }

  /** Sends one text frame and waits for its result. */
  async exchange(...parts: readonly Payload[]): Promise<readonly NackError[]> {
    return this.fate(await this.sendWithin(...parts));
  }

  /** Waits for the end of the connection. */
  ended(): Promise<Closed> {
    return until(() => this.closed, { what: 'the end of the connection' });
  }

  async close(): Promise<void> {
    await closeSocket(this.#socket);
  }

  #send(parts: readonly Payload[], binary: boolean): number {
    this.#sentBytes += sizeOf(parts);
    const last = parts.length - 1;
    for (const [index, part] of parts.entries()) {
      this.#socket.send(part, { binary, fin: index === last });
    }
    return ++this.#sent;
  }

  #onText(text: string): void {
    this.#frames.push(text);
    const news = this.#incoming.take(text, this.#sent);
    this.violations.push(...news.violations);
    if (news.nack !== undefined) this.#nacks.set(news.nack.frame, news.nack.errors);
  }
}

function sizeOf(parts: readonly Payload[]): number {
  return parts.reduce((sum, part) => sum + Buffer.byteLength(part), 0);
}
