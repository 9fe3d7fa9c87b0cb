/** A third-party web server, with the pages of a test. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname } from 'node:path';

const TYPES = { '.js': 'text/javascript', '': 'text/html' } as Readonly<Record<string, string>>;

export class Site {
  /** By path; pages may be added at any time. */
  readonly files = new Map([['/favicon.ico', '']]);
  readonly #server: Server;

  constructor() {
    this.#server = createServer(({ url = '' }, response) => {
      const file = this.files.get(url);
      const type = TYPES[extname(url)] ?? 'text/plain';
      response.writeHead(file === undefined ? 404 : 200, { 'Content-Type': type });
      response.end(file);
    });
  }

  async listen(): Promise<this> {
    await new Promise<void>((done) => this.#server.listen(0, '127.0.0.1', done));
    return this;
  }

  /** Name for pages: browsers trust localhost like HTTPS. */
  get origin(): string {
    return `http://localhost:${(this.#server.address() as AddressInfo).port}`;
  }

  close(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }
}
