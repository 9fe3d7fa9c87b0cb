/** Shared code of the test clients: opening a WebSocket, and events with an identity. */
import { WebSocket } from 'ws';

/** Event of tests and benches; `attempt` is added when it is sent. */
export interface TestEvent {
  readonly id: string;
  readonly [field: string]: unknown;
}

export interface Closed {
  readonly code: number;
  readonly reason: string;
}

/** The gateway answered the handshake with a status other than 101. */
export class HandshakeRefused extends Error {
  readonly status: number;
  readonly body: string;
  constructor(status: number, body: string) {
    super(`the handshake was answered with ${status}: ${body.slice(0, 200)}`);
    this.status = status;
    this.body = body;
  }
}

/** Trusted certificates of a `wss:` client. */
export interface Trust {
  readonly ca?: Buffer;
}

/**
 * Opens a WebSocket; `prepare` adds listeners before anything can arrive.
 * @throws HandshakeRefused, or the connection's error
 */
export function openSocket(
  url: string,
  protocols: string[],
  headers: Record<string, string>,
  prepare: (socket: WebSocket) => void,
  { ca }: Trust = {},
): Promise<WebSocket> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url, protocols, { perMessageDeflate: false, headers, ca });
    prepare(socket);
    socket.once('open', () => resolve(socket));
    socket.on('error', reject);
    socket.once('unexpected-response', (request, response) => {
      let body = '';
      response.setEncoding('utf8');
      response.on('data', (text: string) => {
        body += text;
      });
      response.on('end', () => {
        request.destroy();
        reject(new HandshakeRefused(response.statusCode ?? 0, body));
      });
    });
  });
}

/** Text of an event as it is sent. */
export function eventText(event: TestEvent, attempt: number): string {
  return JSON.stringify({ ...event, attempt });
}

/** Key that the gateway reads from an event with the default key field. */
export function keyOf(event: TestEvent): string | null {
  return typeof event.clientId === 'string' ? event.clientId : null;
}

/** Resolves when the server has read everything sent before: a pong arrives in order. */
export function ponged(socket: WebSocket): Promise<void> {
  return new Promise((resolve) => {
    socket.once('pong', () => resolve());
    socket.ping();
  });
}

/** Closes and waits for the end; a server that does not respond is disconnected after 2 s. */
export async function closeSocket(socket: WebSocket): Promise<void> {
  if (socket.readyState === WebSocket.CLOSED) return;
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  const cut = setTimeout(() => socket.terminate(), 2_000);
  socket.close(1000);
  await closed;
  clearTimeout(cut);
}
