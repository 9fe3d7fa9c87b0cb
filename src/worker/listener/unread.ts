import { LIMITS } from '../../limits.ts';
import type { WebSocket } from './uws.ts';

type Socket = Pick<WebSocket<unknown>, 'getBufferedAmount'>;

/**
 * Watches connections that leave much unread, acks or pongs. One turn of the event loop may write
 * more than the network takes at once, to a client that reads too: only one that takes nothing for
 * `LIMITS.unreadMs` is stalled. What uWebSockets.js keeps for it meanwhile is bounded.
 */
export class UnreadWatch<S extends Socket> {
  readonly #stalled: (socket: S) => void;
  readonly #watched = new Map<S, NodeJS.Timeout>();

  /** @param stalled is told of each connection that takes nothing, once */
  constructor(stalled: (socket: S) => void) {
    this.#stalled = stalled;
  }

  /** Looks at a connection that something was written to. */
  look(socket: S): void {
    if (socket.getBufferedAmount() <= LIMITS.unreadBytes || this.#watched.has(socket)) return;
    const stall = () => {
      this.#watched.delete(socket);
      this.#stalled(socket);
    };
    this.#watched.set(socket, setTimeout(stall, LIMITS.unreadMs));
  }

  /** The network has taken something: its time begins anew, if much is left. */
  drained(socket: S): void {
    if (!this.#watched.has(socket)) return;
    this.forget(socket);
    this.look(socket);
  }

  /** The connection has ended. */
  forget(socket: S): void {
    clearTimeout(this.#watched.get(socket));
    this.#watched.delete(socket);
  }
}
