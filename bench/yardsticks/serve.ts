import { LIMITS } from '../../src/config/limits.ts';
import { SETTINGS } from '../../src/config/settings.ts';
import { loadUws } from '../../src/worker/ingress/transport/uws.ts';
import { Peer, type PeerData } from './peer.ts';

const MAX_PAYLOAD_BYTES = 128 * 1024;

export interface Service {
  /** Credit as in the gateway; otherwise unlimited. */
  readonly bounded: boolean;
  /** A frame was received; the buffer is invalid after this returns. */
  message(peer: Peer, bytes: ArrayBuffer): void;
}

/**
 * Serves `forebay.v1` on `/ws` with uWebSockets.js, configured as in the gateway.
 * @throws Error if the port is not available
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

/** Reports readiness to the parent, and exits with it. */
export function reportReady(): void {
  process.on('disconnect', () => process.exit());
  process.send!({ is: 'ready' });
}
