import { SETTINGS } from '../../src/config/config.ts';
import { LIMITS } from '../../src/config/limits.ts';
import { loadUws } from '../../src/worker/ingress/uws.ts';
import { Peer, type PeerData } from './peer.ts';

const MAX_PAYLOAD_BYTES = 128 * 1024;

export interface Service {
  /** Credit as the gateway grants it; else all of it at once. */
  readonly bounded: boolean;
  /** A frame has come; the buffer is gone when this returns. */
  message(peer: Peer, bytes: ArrayBuffer): void;
}

/**
 * Serves `forebay.v1` on `/ws` with uWebSockets.js, set as in the gateway.
 * @throws Error when the port cannot be had
 */
export function serve(port: number, service: Service): void {
  const app = loadUws().App();
  app.ws<PeerData>('/ws', {
    maxPayloadLength: MAX_PAYLOAD_BYTES,
    maxBackpressure: 4 * LIMITS.unreadBytes,
    idleTimeout: SETTINGS.idleTimeoutMs.defaultValue() / 1000,
    sendPingsAutomatically: true,
    upgrade: (response, request, context) => {
      const key = request.getHeader('sec-websocket-key');
      response.upgrade<PeerData>({ peer: undefined }, key, 'forebay.v1', '', context);
    },
    open: (socket) => {
      socket.getUserData().peer = new Peer(socket, service.bounded);
    },
    message: (socket, message) => service.message(socket.getUserData().peer!, message),
    pong: () => {},
    close: (socket) => {
      socket.getUserData().peer!.closed = true;
    },
  });
  app.listen('127.0.0.1', port, (listening) => {
    if (listening === false) throw new Error(`cannot listen on port ${port}`);
  });
}

/** Tells who started this process that it serves, and ends with it. */
export function tellReady(): void {
  process.on('disconnect', () => process.exit());
  process.send!({ is: 'ready' });
}
