import { once } from 'node:events';
import net, { type AddressInfo } from 'node:net';
import type { FakeCluster } from './cluster.ts';
import { Connection } from './connection.ts';

/** One broker of a fake cluster: a port of its own, which it keeps over restarts. */
export class FakeBroker {
  readonly id: number;
  readonly #cluster: FakeCluster;
  readonly #sockets = new Set<net.Socket>();
  #server: net.Server | undefined;
  #port = 0;
  /** Advertised address, in place of `address`. */
  advertised: { host: string; port: number } | undefined;
  /** Connections accepted so far. */
  connections = 0;

  constructor(id: number, cluster: FakeCluster) {
    this.id = id;
    this.#cluster = cluster;
  }

  get address(): { host: string; port: number } {
    return { host: '127.0.0.1', port: this.#port };
  }
  get running(): boolean {
    return this.#server !== undefined;
  }

  async start(): Promise<void> {
    const server = net.createServer((socket) => {
      this.connections++;
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
      new Connection(this.#cluster, this.id, socket);
    });
    server.listen(this.#port, '127.0.0.1');
    await once(server, 'listening');
    this.#port = (server.address() as AddressInfo).port;
    this.#server = server;
  }

  /** Stops listening and resets all connections. */
  async stop(): Promise<void> {
    const server = this.#server;
    if (server === undefined) return;
    this.#server = undefined;
    server.close();
    for (const socket of this.#sockets) socket.resetAndDestroy();
    await once(server, 'close');
  }
}
