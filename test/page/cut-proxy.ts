/** A proxy between page and gateway that loses, delays and blocks data on demand. */
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

export class CutProxy {
  readonly #server: Server;
  readonly #pairs = new Set<{ client: Socket; server: Socket }>();
  #deaf = false;
  /** Delay of data in both directions. */
  delayMs = 0;
  /** Closes new connections immediately, as if there were no gateway. */
  down = false;
  /** Answers handshakes with 403, like a proxy without WebSocket support. */
  blocksWebSockets = false;

  /** @param port of the gateway, on 127.0.0.1 */
  constructor(port: number) {
    this.#server = createServer((client) => {
      if (this.down) return void client.destroy();
      const server = connect(port, '127.0.0.1');
      const pair = { client, server };
      this.#pairs.add(pair);
      const end = () => {
        this.#pairs.delete(pair);
        client.destroy();
        server.destroy();
      };
      for (const socket of [client, server]) socket.on('error', end).on('close', end);
      client.on('data', (bytes: Buffer) => {
        if (this.blocksWebSockets && bytes.toString('latin1').startsWith('GET /ws')) {
          client.end('HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n');
        } else this.#later(() => server.write(bytes));
      });
      server.on('data', (bytes) => {
        if (!this.#deaf) this.#later(() => client.write(bytes));
      });
    });
  }

  #later(write: () => void): void {
    if (this.delayMs === 0) write();
    else setTimeout(write, this.delayMs);
  }

  async listen(): Promise<this> {
    await new Promise<void>((done) => this.#server.listen(0, '127.0.0.1', done));
    return this;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Discards everything from the gateway from now on. */
  loseAnswers(): void {
    this.#deaf = true;
  }

  /** Cuts every connection; new ones receive again. */
  cut(): void {
    this.#deaf = false;
    for (const { client, server } of this.#pairs) {
      client.destroy();
      server.destroy();
    }
  }

  close(): void {
    this.#server.close();
    this.cut();
  }
}
