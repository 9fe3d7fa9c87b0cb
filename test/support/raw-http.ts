/** HTTP written by hand: any bytes, and what was answered. */
import { connect, type Socket } from 'node:net';
import { until } from './wait.ts';

export class RawHttp {
  readonly #socket: Socket;
  #text = '';

  constructor(port: number) {
    this.#socket = connect({ port, host: '127.0.0.1', noDelay: true });
    this.#socket.setEncoding('latin1');
    this.#socket.on('data', (text: string) => {
      this.#text += text;
    });
    this.#socket.on('error', () => {});
  }

  /** The statuses of the answers that have come. */
  get statuses(): number[] {
    return [...this.#text.matchAll(/HTTP\/1\.1 (\d{3})/g)].map(([, status]) => Number(status));
  }
  get closed(): boolean {
    return this.#socket.closed;
  }
  get text(): string {
    return this.#text;
  }

  send(bytes: Buffer): void {
    this.#socket.write(bytes);
  }

  /** Waits for so many answers, or for the end of the connection. */
  async answers(count: number): Promise<void> {
    const what = () => `${count} answers, closed: ${this.closed}, got: ${this.#text}`;
    await until(() => this.closed || this.statuses.length >= count, { everyMs: 1, what });
  }

  /** Waits until the other side ends the connection. */
  async ended(): Promise<void> {
    const what = () => `the end of the connection; got: ${this.#text}`;
    await until(() => this.closed, { everyMs: 1, what });
  }

  /** Sends nothing more and waits for the end: what was sent is read until then. */
  async end(): Promise<void> {
    this.#socket.end();
    await this.ended();
  }
}
