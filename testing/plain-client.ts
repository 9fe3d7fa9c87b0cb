/** Client like the tutorial's: no subprotocol, sends and receives no results. */
import type { WebSocket } from 'ws';
import type { Ledger } from './ledger.ts';
import {
  type Closed,
  closeSocket,
  eventText,
  keyOf,
  openSocket,
  type TestEvent,
  type Trust,
} from './socket.ts';

export interface PlainClientOptions extends Trust {
  /** `ws://127.0.0.1:9000/ws` */
  readonly url: string;
  /** Name of the connection in the ledger. */
  readonly name?: string;
  readonly ledger?: Ledger;
  readonly headers?: Record<string, string>;
}

export class PlainClient {
  readonly #options: PlainClientOptions;
  #socket: WebSocket | undefined;
  /** Messages of the server; there must be none. */
  readonly received: string[] = [];
  /** End of the connection. */
  readonly closed: Promise<Closed>;
  #onClosed!: (closed: Closed) => void;

  constructor(options: PlainClientOptions) {
    this.#options = options;
    this.closed = new Promise((resolve) => {
      this.#onClosed = resolve;
    });
  }

  /** @throws HandshakeRefused, or the connection's error */
  async open(): Promise<this> {
    const { url, headers = {} } = this.#options;
    const prepare = (socket: WebSocket) => {
      socket.on('message', (data) => this.received.push(String(data)));
      socket.on('close', (code, reason) => this.#onClosed({ code, reason: String(reason) }));
    };
    this.#socket = await openSocket(url, [], headers, prepare, this.#options);
    return this;
  }

  get socket(): WebSocket {
    if (this.#socket === undefined) throw new Error('not open');
    return this.#socket;
  }

  /** Sends events in one frame: one as an object, several as an array. */
  send(...events: TestEvent[]): void {
    const { ledger, name: connection = 'plain' } = this.#options;
    for (const event of events) {
      ledger?.sent(event.id, 1, { key: keyOf(event), connection, isRepeat: false });
    }
    const texts = events.map((event) => eventText(event, 1));
    this.socket.send(texts.length === 1 ? texts[0]! : `[${texts.join(',')}]`);
  }

  async close(): Promise<void> {
    if (this.#socket !== undefined) await closeSocket(this.#socket);
  }
}
