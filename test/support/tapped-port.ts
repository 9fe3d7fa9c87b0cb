/** A TCP proxy in front of a gateway that records its responses by connection. */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server } from 'node:net';
import type { Lifetime } from '../../testing/lifetime.ts';

export class TappedPort {
  readonly #server: Server;
  readonly #connections: { asked: string; answered: string }[] = [];

  /** Ends with the test. */
  static async open(lifetime: Lifetime, port: number): Promise<TappedPort> {
    const tapped = new TappedPort(lifetime, port);
    tapped.#server.listen(0, '127.0.0.1');
    await once(tapped.#server, 'listening');
    return tapped;
  }

  private constructor(lifetime: Lifetime, port: number) {
    this.#server = createServer((client) => {
      const gateway = connect({ port, host: '127.0.0.1', noDelay: true });
      lifetime.after(() => [client, gateway].map((socket) => socket.destroy()));
      const connection = { asked: '', answered: '' };
      this.#connections.push(connection);
      client.on('data', (data) => {
        connection.asked += data.toString('latin1');
      });
      gateway.on('data', (data) => {
        connection.answered += data.toString('latin1');
      });
      client.on('error', () => gateway.destroy()).pipe(gateway);
      gateway.on('error', () => client.destroy()).pipe(client);
    });
    lifetime.after(() => this.#server.close());
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Number of connections without `excluded` in their responses. */
  connections(excluded: string) {
    return this.#connections.filter(({ asked }) => !asked.includes(excluded));
  }

  /** Number of responses on those connections. */
  answers(excluded: string): number {
    const texts = this.connections(excluded).map(({ answered }) => answered);
    return texts.join('\n').split(/HTTP\/1\.1 \d{3}/).length - 1;
  }
}
