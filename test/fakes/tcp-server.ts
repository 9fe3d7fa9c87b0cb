import { once } from 'node:events';
import net, { type AddressInfo } from 'node:net';

const started: TcpServer[] = [];

/** Closes servers that failed tests left open; for the end of a file. */
export function destroyServers(): void {
  for (const server of started) server.destroy();
}

/** A local TCP server for one test. */
export class TcpServer {
  readonly sockets: net.Socket[] = [];
  readonly #server: net.Server;

  private constructor(onSocket: (socket: net.Socket) => void) {
    this.#server = net.createServer((socket) => {
      this.sockets.push(socket);
      socket.on('error', () => {});
      onSocket(socket);
    });
  }

  /** Listens on a free port; `onSocket` is called for each connection. */
  static async start(onSocket: (socket: net.Socket) => void): Promise<TcpServer> {
    const server = new TcpServer(onSocket);
    started.push(server);
    server.#server.listen(0, '127.0.0.1');
    await once(server.#server, 'listening');
    return server;
  }

  get address(): { host: string; port: number } {
    const { address, port } = this.#server.address() as AddressInfo;
    return { host: address, port };
  }

  destroy(): void {
    this.#server.close();
    for (const socket of this.sockets) socket.destroy();
  }

  /** Stops listening and waits until the other side has closed every connection. */
  async closed(): Promise<void> {
    this.#server.close();
    await once(this.#server, 'close');
  }
}
