/**
 * The floor: receives the same frames as the gateway, does nothing with them, and acknowledges
 * each connection that sent something once per linger: `floor.ts PORT LINGER_MS`.
 */
import type { Peer } from './peer.ts';
import { serve, tellReady } from './serve.ts';

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
tellReady();
