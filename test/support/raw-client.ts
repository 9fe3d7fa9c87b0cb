/** A client of `forebay.v1` that does nothing by itself, not even answer a ping. */
import type { Closed } from '../../testing/socket.ts';
import { until } from '../../testing/wait.ts';
import { type Upgraded, type UpgradeOptions, upgrade } from './upgrade.ts';

const OPCODE = { text: 1, close: 8 } as const;

export class RawClient {
  #upgraded!: Upgraded;
  #bytes = Buffer.alloc(0);
  /** Text frames of the server, in order. */
  readonly texts: string[] = [];
  /** The server's close frame. */
  readonly closed: Promise<Closed>;
  #onClosed!: (closed: Closed) => void;

  constructor() {
    this.closed = new Promise((resolve) => {
      this.#onClosed = resolve;
    });
  }

  /**
   * @param url `http://127.0.0.1:9000`
   * @param options agent whose connection is used
   */
  static async open(url: string, options: Pick<UpgradeOptions, 'agent'> = {}): Promise<RawClient> {
    const client = new RawClient();
    const data = (chunk: Buffer) => client.#take(chunk);
    const headers = { 'Sec-WebSocket-Protocol': 'forebay.v1' };
    client.#upgraded = await upgrade(url, headers, { ...options, data });
    client.#upgraded.socket.on('error', () => {});
    return client;
  }

  /** Sends a short text frame. */
  send(text: string): void {
    this.#upgraded.write(text);
  }

  /** Waits for a text frame that starts with `start`. */
  received(start: string): Promise<string> {
    const what = () => `${start} in ${this.texts.join('\n')}`;
    return until(() => this.texts.find((text) => text.startsWith(start)), { what });
  }

  #take(chunk: Buffer): void {
    this.#bytes = Buffer.concat([this.#bytes, chunk]);
    for (;;) {
      const [first = 0, length7 = 0] = this.#bytes;
      if (this.#bytes.length < 4 && this.#bytes.length < 2 + length7) return;
      // Frames of these tests have at most 65,535 bytes.
      const start = length7 < 126 ? 2 : 4;
      const length = length7 < 126 ? length7 : this.#bytes.readUInt16BE(2);
      if (this.#bytes.length < Math.max(2, start + length)) return;
      const payload = this.#bytes.subarray(start, start + length);
      const opcode = first & 0x0f;
      if (opcode === OPCODE.text) this.texts.push(String(payload));
      if (opcode === OPCODE.close) {
        this.#onClosed({ code: payload.readUInt16BE(0), reason: String(payload.subarray(2)) });
      }
      this.#bytes = this.#bytes.subarray(start + length);
    }
  }
}
