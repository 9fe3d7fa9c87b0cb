/**
 * Floor: receives the same frames as the gateway, discards them, and acknowledges each active
 * connection once per linger: `floor.ts PORT LINGER_MS`.
 */
import type { Peer } from './peer.ts';
import { reportReady, serve } from './serve.ts';

const [port, lingerMs] = process.argv.slice(2).map(Number);
let dirty: Peer[] = [];

serve(port!, {
  bounded: true,
  message(peer, bytes) {
    peer.received(bytes.byteLength);
    if (peer.dirty) return;
    peer.dirty = true;
    dirty.push(peer);
  },
});
setInterval(() => {
  const peers = dirty;
  dirty = [];
  for (const peer of peers) {
    peer.dirty = false;
    peer.ackAll();
  }
}, lingerMs);
reportReady();
