import { LIMITS } from '../../src/config/limits.ts';
import type { WebSocket } from '../../src/worker/ingress/transport/transport.ts';
import { OpenFrames } from './open-frames.ts';

/** Credit of yardsticks without limits. */
const UNBOUNDED = { frames: 2 ** 50, bytes: 2 ** 50 };
const MAX_FRAME_BYTES = 64 * 1024;

/** Connection of a yardstick: sends what the gateway sends to conforming clients. */
export class Peer {
  readonly #socket: WebSocket<PeerData>;
  readonly #bounded: boolean;
  #frames = 0;
  #bytes = 0;
  #acked = 0;
  #grantedFrames: number = LIMITS.creditFrames;
  #grantedBytes: number = LIMITS.creditBytes;
  closed = false;
  /** Queued for acknowledgement. */
  dirty = false;
  readonly openFrames = new OpenFrames();
  /** The last frame up to which everything is stored. */
  storedFrame = 0;

  /** @param bounded credit as in the gateway; otherwise unlimited */
  constructor(socket: WebSocket<PeerData>, bounded: boolean) {
    this.#socket = socket;
    this.#bounded = bounded;
    const credit = bounded ? { frames: this.#grantedFrames, bytes: this.#grantedBytes } : UNBOUNDED;
    const bounds = { maxFrameBytes: MAX_FRAME_BYTES, maxFrameEvents: LIMITS.frameEvents };
    socket.send(JSON.stringify({ hello: { ...bounds, credit } }));
  }

  /** @returns the number of the received frame */
  received(bytes: number): number {
    this.#bytes += bytes;
    return ++this.#frames;
  }

  /** Acknowledges everything received. */
  ackAll(): void {
    this.ack(this.#frames);
  }

  /** Acknowledges up to this frame, and grants credit when half of the last grant is used. */
  ack(frame: number): void {
    // If sends complete out of order, the last frame counts.
    if (this.closed || frame <= this.#acked) return;
    this.#acked = frame;
    const credit = this.#bounded ? this.#raise(frame) : undefined;
    this.#socket.cork(() => {
      this.#socket.send(`{"ack":${frame}}`);
      if (credit !== undefined) this.#socket.send(credit);
    });
  }

  #raise(frame: number): string | undefined {
    const frames = frame + LIMITS.creditFrames;
    const bytes = this.#bytes + LIMITS.creditBytes;
    const worthIt =
      frames - this.#grantedFrames >= LIMITS.creditFrames / 2 ||
      bytes - this.#grantedBytes >= LIMITS.creditBytes / 2;
    if (!worthIt) return undefined;
    this.#grantedFrames = frames;
    this.#grantedBytes = bytes;
    return `{"credit":{"frames":${frames},"bytes":${bytes}}}`;
  }
}

export interface PeerData {
  peer: Peer | undefined;
}
