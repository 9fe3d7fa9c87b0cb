/** WebSocket side of yardsticks that store events: parses frames, acknowledges stored ones. */
import type { OpenFrame } from './open-frames.ts';
import type { Peer } from './peer.ts';
import { serve } from './serve.ts';

export interface PeerFrame extends OpenFrame {
  readonly peer: Peer;
}

/** Passes an event to a Kafka client, which calls `stored` with the frame after the response. */
export type Produce = (key: string, value: string, frame: PeerFrame) => void;

let dirty: Peer[] = [];

/**
 * Serves with the gateway's credit. Each event is parsed for its key; nothing is validated.
 * @throws Error if the port is not available
 */
export function serveStoring(port: number, produce: Produce): void {
  serve(port, {
    bounded: true,
    message(peer, bytes) {
      const number = peer.received(bytes.byteLength);
      const text = Buffer.from(bytes).toString();
      const parsed = JSON.parse(text) as { clientId: string } | { clientId: string }[];
      const events = Array.isArray(parsed) ? parsed : [parsed];
      const frame: PeerFrame = { peer, number, missing: events.length };
      peer.openFrames.add(frame);
      if (!Array.isArray(parsed)) return produce(parsed.clientId, text, frame);
      for (const event of parsed) produce(event.clientId, JSON.stringify(event), frame);
    },
  });
}

/** Counts a stored event. Each connection gets one ack per turn of the event loop. */
export function stored(frame: PeerFrame): void {
  const { peer } = frame;
  const last = peer.openFrames.stored(frame);
  if (last === undefined) return;
  peer.storedFrame = last;
  if (peer.dirty) return;
  peer.dirty = true;
  if (dirty.push(peer) === 1) setImmediate(acknowledge);
}

function acknowledge(): void {
  const peers = dirty;
  dirty = [];
  for (const peer of peers) {
    peer.dirty = false;
    peer.ack(peer.storedFrame);
  }
}
