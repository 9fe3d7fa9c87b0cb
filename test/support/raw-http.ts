/** An HTTP connection for arbitrary bytes, which HTTP libraries would reject. */
import { connect, type Socket } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { PATIENCE_MS, until } from '../../testing/wait.ts';

export interface RawAnswer {
  readonly status: number;
  /** Header names in lower case. */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string;
}

export class RawHttp {
  /** Received bytes that no call has consumed. */
  rest = '';
  /** All received bytes. */
  text = '';
  /** The server has closed. */
  closed = false;
  readonly #socket: Socket;

  constructor(port: number) {
    this.#socket = connect({ port, host: '127.0.0.1', noDelay: true });
    this.#socket.setEncoding('latin1');
    this.#socket.on('data', (text: string) => {
      this.rest += text;
      this.text += text;
    });
    this.#socket.on('error', () => {});
    this.#socket.on('close', () => {
      this.closed = true;
    });
  }

  /** Statuses of the responses received so far. */
  get statuses(): number[] {
    return [...this.text.matchAll(/HTTP\/1\.1 (\d{3})/g)].map(([, status]) => Number(status));
  }

  write(bytes: string | Buffer): void {
    this.#socket.write(bytes);
  }

  /** Writes a request; a body sets Content-Length. */
  request(
    line: string,
    headers: Readonly<Record<string, string>> = {},
    body?: string | Buffer,
  ): void {
    const length = body === undefined ? {} : { 'Content-Length': String(Buffer.byteLength(body)) };
    const fields = Object.entries({ Host: 'a', ...length, ...headers });
    const head = fields.map(([name, value]) => `${name}: ${value}\r\n`).join('');
    this.write(`${line} HTTP/1.1\r\n${head}\r\n`);
    if (body !== undefined) this.write(body);
  }

  /** Waits for the next response. @param bare has no body, like a response to HEAD */
  async answer(bare = false): Promise<RawAnswer> {
    const what = () => `an answer in ${JSON.stringify(this.rest.slice(0, 300))}`;
    const head = await until(
      () => /^HTTP\/1\.1 (\d+) [^\r]*\r\n((?:[^\r\n]+\r\n)*)\r\n/.exec(this.rest),
      {
        what,
      },
    );
    const status = Number(head[1]);
    const fields = (head[2] ?? '').split('\r\n').filter(Boolean);
    const headers = new Map(
      fields.map((field) => {
        const [, name = '', value = ''] = /^([^:]+): (.*)$/.exec(field) ?? [];
        return [name.toLowerCase(), value];
      }),
    );
    const length = bare ? 0 : Number(headers.get('content-length') ?? 0);
    const end = head[0].length + length;
    await until(() => this.rest.length >= end, { what: 'the body of an answer' });
    const body = Buffer.from(this.rest.slice(head[0].length, end), 'latin1').toString();
    this.rest = this.rest.slice(end);
    return { status, headers, body };
  }

  /** Waits for `count` responses, or for the end of the connection. */
  async answers(count: number): Promise<void> {
    const what = () => `${count} answers, closed: ${this.closed}, got: ${this.text}`;
    await until(() => this.closed || this.statuses.length >= count, { everyMs: 1, what });
  }

  /** Waits until the server has closed. */
  async ended(deadlineMs = PATIENCE_MS): Promise<void> {
    const what = () => `the end of the connection; got: ${this.text}`;
    await until(() => this.closed, { deadlineMs, everyMs: 1, what });
  }

  /** Sends FIN and waits until the server has read everything and closed. */
  async end(): Promise<void> {
    this.#socket.end();
    await this.ended();
  }

  /** Waits until all writes are flushed, or the server has closed. */
  async flushed(): Promise<void> {
    // A failed socket reports it in a later turn, which a loop of writes would starve.
    await nextTurn();
    const sent = () => !this.#socket.connecting && this.#socket.writableLength === 0;
    await until(() => this.closed || sent(), { everyMs: 1 });
  }

  /** Destroys the connection. */
  destroy(): void {
    this.#socket.destroy();
  }
}
