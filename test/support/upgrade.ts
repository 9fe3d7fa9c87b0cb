/** A WebSocket handshake written by hand, for what WebSocket libraries do not let through. */
import { randomBytes } from 'node:crypto';
import { type Agent, type IncomingMessage, request } from 'node:http';
import type { Duplex } from 'node:stream';

export interface Upgraded {
  /** The subprotocol that the server chose. */
  readonly protocol: string | undefined;
  readonly socket: Duplex;
  /** Bytes that came after the handshake. */
  heard(): number;
  /** Sends one short text frame. */
  write(text: string): void;
  end(): void;
}

export interface UpgradeOptions {
  /** Whose connection is used. */
  readonly agent?: Agent;
  /** Hears every byte behind the handshake. */
  readonly data?: (chunk: Buffer) => void;
}

/**
 * Asks for a WebSocket with exactly these headers.
 * @throws IncomingMessage on any other answer
 */
export function upgrade(
  url: string,
  headers: Record<string, string>,
  { agent, data }: UpgradeOptions = {},
): Promise<Upgraded> {
  return new Promise((resolve, reject) => {
    const asked = request(`${url}/ws`, {
      agent,
      headers: {
        Connection: 'Upgrade',
        Upgrade: 'websocket',
        'Sec-WebSocket-Version': '13',
        'Sec-WebSocket-Key': randomBytes(16).toString('base64'),
        ...headers,
      },
    });
    asked.on('error', reject);
    asked.on('response', (response: IncomingMessage) => reject(response));
    asked.on('upgrade', (response, socket, head) => {
      // What came along with the answer is data like any other.
      socket.unshift(head);
      let bytes = 0;
      socket.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
        data?.(chunk);
      });
      resolve({
        protocol: response.headers['sec-websocket-protocol'],
        socket,
        heard: () => bytes,
        write: (text) => socket.write(textFrame(text)),
        end: () => socket.destroy(),
      });
    });
    asked.end();
  });
}

/** A masked text frame of less than 126 bytes; the mask is 0, which changes nothing. */
function textFrame(text: string): Buffer {
  const payload = Buffer.from(text);
  const head = Buffer.from([0x81, 0x80 | payload.length]);
  return Buffer.concat([head, Buffer.alloc(4), payload]);
}
