/** WebSocket handshakes that WebSocket libraries would reject. */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { type Agent, type IncomingMessage, request } from 'node:http';
import { connect, type IncomingHttpHeaders, type IncomingHttpStatusHeader } from 'node:http2';
import type { Duplex } from 'node:stream';
import type { Trust } from '../../testing/socket.ts';

export interface Upgraded {
  /** Subprotocol chosen by the server. */
  readonly protocol: string | undefined;
  readonly socket: Duplex;
  /** Bytes received after the handshake. */
  received(): number;
  /** Sends one short text frame. */
  write(text: string): void;
  end(): void;
}

export interface UpgradeOptions {
  /** Agent whose connection is used. */
  readonly agent?: Agent;
  /** Path of the WebSocket; `/ws` by default. */
  readonly path?: string;
  /** Receives every byte after the handshake. */
  readonly data?: (chunk: Buffer) => void;
}

/**
 * Requests a WebSocket with exactly these headers.
 * @throws IncomingMessage on any other response
 */
export function upgrade(
  url: string,
  headers: Record<string, string>,
  { agent, data, path = '/ws' }: UpgradeOptions = {},
): Promise<Upgraded> {
  return new Promise((resolve, reject) => {
    const asked = request(`${url}${path}`, {
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
      // Bytes that arrive with the response are data.
      socket.unshift(head);
      let bytes = 0;
      socket.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
        data?.(chunk);
      });
      resolve({
        protocol: response.headers['sec-websocket-protocol'],
        socket,
        received: () => bytes,
        write: (text) => socket.write(textFrame(text)),
        end: () => socket.destroy(),
      });
    });
    asked.end();
  });
}

/**
 * A WebSocket as one stream of an HTTP/2 connection (RFC 8441), as browsers open it on the
 * connection of the page.
 * @throws Error if the server does not support it
 */
export async function upgradeOverHttp2(
  url: string,
  headers: Record<string, string>,
  { ca, data }: Trust & Pick<UpgradeOptions, 'data'> = {},
): Promise<Upgraded> {
  const session = connect(url, { ca });
  await once(session, 'remoteSettings');
  // Browsers check both; Node.js does not.
  const offered = session.alpnProtocol === 'h2' && session.remoteSettings.enableConnectProtocol;
  if (!offered) {
    session.destroy();
    throw new Error(`no WebSockets over HTTP/2 are offered, but ${session.alpnProtocol}`);
  }
  const socket = session.request(
    {
      ':method': 'CONNECT',
      ':protocol': 'websocket',
      ':scheme': 'https',
      ':path': '/ws',
      ':authority': new URL(url).host,
      'sec-websocket-version': '13',
      ...headers,
    },
    { endStream: false },
  );
  let bytes = 0;
  socket.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    data?.(chunk);
  });
  const [answer] = (await once(socket, 'response')) as [
    IncomingHttpHeaders & IncomingHttpStatusHeader,
  ];
  if (answer[':status'] !== 200) throw new Error(`the answer was ${answer[':status']}`);
  return {
    protocol: String(answer['sec-websocket-protocol']),
    socket,
    received: () => bytes,
    write: (text) => socket.write(textFrame(text)),
    end: () => session.destroy(),
  };
}

/** Returns a masked text frame of less than 126 bytes; its mask is 0, which changes nothing. */
function textFrame(text: string): Buffer {
  const payload = Buffer.from(text);
  const head = Buffer.from([0x81, 0x80 | payload.length]);
  return Buffer.concat([head, Buffer.alloc(4), payload]);
}
