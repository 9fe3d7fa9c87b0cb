/** A WebSocket handshake written by hand, for what WebSocket libraries do not let through. */
import { randomBytes } from 'node:crypto';
import { type IncomingMessage, request } from 'node:http';
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

/** Asks for a WebSocket with exactly these headers. @throws IncomingMessage on any other answer */
export function upgrade(url: string, headers: Record<string, string>): Promise<Upgraded> {
  return new Promise((resolve, reject) => {
    const asked = request(`${url}/ws`, {
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
      let bytes = head.length;
      socket.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
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
