/** Serves the page, and speaks `forebay.v1` only as the test says. */
import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { WebSocket, WebSocketServer } from 'ws';
import { pageFile } from '../../src/page/page.ts';
import { until } from '../../testing/wait.ts';

/** One connection of the page. */
export class FakeConnection {
  readonly openedMs = performance.now();
  /** Texts sent by the page. */
  readonly frames: string[] = [];
  /** Path and query of the handshake. */
  readonly path: string;
  /** Requested subprotocols. */
  readonly protocols: string;
  readonly #socket: WebSocket;

  constructor(socket: WebSocket, path = '', protocols = '') {
    this.#socket = socket;
    this.path = path;
    this.protocols = protocols;
    socket.on('message', (data) => this.frames.push(String(data)));
  }

  /** Ids of the received events, in order. */
  get ids(): string[] {
    return this.frames.flatMap((text) => {
      const events = JSON.parse(text) as { id: string } | { id: string }[];
      return [events].flat().map(({ id }) => id);
    });
  }

  say(frame: object): void {
    this.sayRaw(JSON.stringify(frame));
  }

  /** Sends anything, as an intermediary might. */
  sayRaw(message: string | Uint8Array): void {
    this.#socket.send(message);
  }

  hello(frames: number, bytes: number): void {
    this.say({
      hello: { maxFrameBytes: 65_536, maxFrameEvents: 1_000, credit: { frames, bytes } },
    });
  }

  get closed(): boolean {
    return this.#socket.readyState === WebSocket.CLOSED;
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
  /** Answers handshakes with 403, like a proxy without WebSocket support. */
  blocked = false;
  /**
   * Bodies of `POST /events`, and the response to each; undefined = the connection is cut, a
   * Response = sent by an intermediary.
   */
  readonly bodies: {
    readonly text: string;
    readonly path: string | undefined;
    readonly headers: IncomingHttpHeaders;
  }[] = [];
  /** Empty bodies, by which a client checks whether it is accepted, and their response. */
  checks = 0;
  accepts: (key: string | undefined) => boolean = () => true;
  admission: () => object = () => ({ accepted: 0, errors: [] });
  answer: (events: readonly { id: string }[]) => object | undefined = () => undefined;

  constructor() {
    this.#http = createServer((request, response) => {
      if (request.method === 'POST') return void this.#post(request, response);
      const file = pageFile(request.url ?? '');
      const type = file === undefined ? {} : { 'Content-Type': file.type };
      response.writeHead(file ? 200 : 404, { ...file?.headers, ...type });
      response.end(file?.body);
    });
    const sockets = new WebSocketServer({
      server: this.#http,
      path: '/ws',
      verifyClient: ({ req }, done) => {
        const asked = req.headers['sec-websocket-protocol'];
        const [, key] = /forebay\.key\.([^,]*)/.exec(asked ?? '') ?? [];
        done(!this.blocked && this.accepts(key), 403);
      },
      handleProtocols: (offered) => offered.has('forebay.v1') && 'forebay.v1',
    });
    sockets.on('connection', (socket, { url, headers }) => {
      this.#connections.push(new FakeConnection(socket, url, headers['sec-websocket-protocol']));
    });
  }

  async #post(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await text(request);
    if (body === '[]') {
      this.checks++;
      const [, key] = /^Bearer (.*)$/.exec(request.headers.authorization ?? '') ?? [];
      const refusal = new Response(null, { status: 401 });
      return void this.#reply(response, this.accepts(key) ? this.admission() : refusal);
    }
    this.bodies.push({ text: body, path: request.url, headers: request.headers });
    const answer = this.answer(JSON.parse(body) as { id: string }[]);
    if (answer === undefined) return void request.socket.destroy();
    await this.#reply(response, answer);
  }

  async #reply(response: ServerResponse, answer: object): Promise<void> {
    if (answer instanceof Response) {
      response.writeHead(answer.status, Object.fromEntries(answer.headers));
      return void response.end(await answer.text());
    }
    response.writeHead(200, { 'Content-Type': 'application/json' }).end(JSON.stringify(answer));
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
    return until(() => this.#connections[number - 1], { what });
  }

  get connections(): number {
    return this.#connections.length;
  }

  isClosed = false;

  close(): void {
    this.isClosed = true;
    this.#http.closeAllConnections();
    this.#http.close();
  }
}
