/** Serves the page, and speaks `forebay.v1` to it as a test wants it: nothing by itself. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type WebSocket, WebSocketServer } from 'ws';
import { PAGE_HEADERS, pageFile } from '../../src/page/page.ts';
import { until } from '../support/wait.ts';

/** One connection of the page. */
export class FakeConnection {
  readonly openedMs = performance.now();
  /** The texts that the page has sent. */
  readonly frames: string[] = [];
  readonly #socket: WebSocket;

  constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.on('message', (data) => this.frames.push(String(data)));
  }

  /** Ids of the events that came, in order. */
  get ids(): string[] {
    return this.frames.map((text) => (JSON.parse(text) as { id: string }).id);
  }

  say(frame: object): void {
    this.#socket.send(JSON.stringify(frame));
  }

  hello(frames: number, bytes: number): void {
    this.say({
      hello: { maxFrameBytes: 65_536, maxFrameEvents: 1_000, credit: { frames, bytes } },
    });
  }

  close(code: number, reason: string): void {
    this.#socket.close(code, reason);
  }

  /** Ends it without a close frame. */
  cut(): void {
    this.#socket.terminate();
  }
}

export class FakeGateway {
  readonly #http: Server;
  readonly #connections: FakeConnection[] = [];

  constructor() {
    this.#http = createServer((request, response) => {
      const file = pageFile(request.url ?? '');
      const type = file === undefined ? {} : { 'Content-Type': file.type };
      response.writeHead(file ? 200 : 404, { ...Object.fromEntries(PAGE_HEADERS), ...type });
      response.end(file?.body);
    });
    const sockets = new WebSocketServer({ server: this.#http, path: '/ws' });
    sockets.on('connection', (socket) => this.#connections.push(new FakeConnection(socket)));
  }

  async listen(): Promise<this> {
    await new Promise<void>((done) => this.#http.listen(0, '127.0.0.1', done));
    return this;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#http.address() as AddressInfo).port}/`;
  }

  /** Waits for the page's connection of this number, from 1. */
  connection(number: number): Promise<FakeConnection> {
    const what = `connection ${number}`;
    return until(() => this.#connections[number - 1], { deadlineMs: 20_000, what });
  }

  get connections(): number {
    return this.#connections.length;
  }

  close(): void {
    this.#http.closeAllConnections();
    this.#http.close();
  }
}
