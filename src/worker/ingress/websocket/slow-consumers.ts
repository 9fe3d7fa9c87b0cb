import { LIMITS } from '../../../config/limits.ts';
import type { WebSocket } from '../uws.ts';

type Socket = Pick<WebSocket<unknown>, 'getBufferedAmount'>;

/** A connection with much unread. */
interface Backlog {
  /** Ends the connection when the client has taken nothing for too long. */
  stall: NodeJS.Timeout;
  /** Ends it when too much has been unread for too long, however often something is taken. */
  readonly late: NodeJS.Timeout;
}

/**
 * Watches connections that leave much unread, acks or pongs. One turn of the event loop may write
 * more than the network takes at once, even to a client that reads. A client is therefore stalled
 * only if it takes nothing for `LIMITS.unreadMs`, or has more than `LIMITS.unreadBytes` unread for
 * all of `LIMITS.backlogMs`: a byte now and then does not hold memory for longer.
 */
export class SlowConsumers<S extends Socket> {
  readonly #stalled: (socket: S) => void;
  readonly #backlogs = new Map<S, Backlog>();

  /** @param stalled is called once with each connection that is stalled */
  constructor(stalled: (socket: S) => void) {
    this.#stalled = stalled;
  }

  /** Checks a connection after a write to it, which may also have sent what was unread. */
  check(socket: S): void {
    if (socket.getBufferedAmount() <= LIMITS.unreadBytes) {
      if (this.#backlogs.size > 0) this.forget(socket);
    } else if (!this.#backlogs.has(socket)) {
      this.#backlogs.set(socket, {
        stall: this.#end(socket, LIMITS.unreadMs),
        late: this.#end(socket, LIMITS.backlogMs),
      });
    }
  }

  /** The client has taken something, maybe enough. */
  drained(socket: S): void {
    const backlog = this.#backlogs.get(socket);
    if (backlog === undefined) return;
    if (socket.getBufferedAmount() <= LIMITS.unreadBytes) return this.forget(socket);
    clearTimeout(backlog.stall);
    backlog.stall = this.#end(socket, LIMITS.unreadMs);
  }

  /** The connection has ended, or little is unread. */
  forget(socket: S): void {
    const backlog = this.#backlogs.get(socket);
    if (backlog === undefined) return;
    clearTimeout(backlog.stall);
    clearTimeout(backlog.late);
    this.#backlogs.delete(socket);
  }

  #end(socket: S, afterMs: number): NodeJS.Timeout {
    return setTimeout(() => {
      this.forget(socket);
      this.#stalled(socket);
    }, afterMs);
  }
}
