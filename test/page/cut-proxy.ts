/** Stands between page and gateway: loses, delays and blocks what it is told to. */
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

export class CutProxy {
  readonly #server: Server;
  readonly #pairs = new Set<{ client: Socket; server: Socket }>();
  #deaf = false;
  /** What comes from either side waits so long. */
  delayMs = 0;
  /** Connections are ended at once, as if no gateway were there. */
  down = false;
  /** Handshakes are answered 403, as by a proxy that knows no WebSocket. */
  blocksWebSockets = false;

  /** @param port the gateway's, on 127.0.0.1 */
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

  /** From now on nothing that the gateway says arrives. */
  loseAnswers(): void {
    this.#deaf = true;
  }

  /** Cuts every connection; new ones hear again. */
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
