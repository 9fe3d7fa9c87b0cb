import { LIMITS } from '../../../config/limits.ts';
import type { WebSocket } from '../transport/transport.ts';

type Socket = Pick<WebSocket<unknown>, 'getBufferedAmount'>;

/** A connection with many unread bytes. */
interface Backlog {
  /** Ends the connection if the client reads nothing for too long. */
  stall: NodeJS.Timeout;
  /** Ends it if too many bytes stay unread for too long, even if the client reads some. */
  readonly late: NodeJS.Timeout;
}

/**
 * Ends connections whose clients leave many acks or pongs unread. One turn of the event loop may
 * write more than the network accepts at once, even to a client that reads. A client is therefore
 * stalled only if it reads nothing for `LIMITS.unreadMs`, or has more than `LIMITS.unreadBytes`
 * unread for all of `LIMITS.backlogMs`: reading a byte now and then does not hold memory for
 * longer.
 */
export class SlowConsumers<S extends Socket> {
  readonly #stalled: (socket: S) => void;
  readonly #backlogs = new Map<S, Backlog>();

  /** @param stalled called once with each stalled connection */
  constructor(stalled: (socket: S) => void) {
    this.#stalled = stalled;
  }

  /** Checks a connection after a write, which may also have flushed unread bytes. */
  check(socket: S): void {
    if (socket.getBufferedAmount() <= LIMITS.unreadBytes) {
      if (this.#backlogs.size > 0) this.remove(socket);
    } else if (!this.#backlogs.has(socket)) {
      this.#backlogs.set(socket, {
        stall: this.#end(socket, LIMITS.unreadMs),
        late: this.#end(socket, LIMITS.backlogMs),
      });
    }
  }

  /** Handles progress: the client has read some bytes. */
  drained(socket: S): void {
    const backlog = this.#backlogs.get(socket);
    if (backlog === undefined) return;
    if (socket.getBufferedAmount() <= LIMITS.unreadBytes) return this.remove(socket);
    clearTimeout(backlog.stall);
    backlog.stall = this.#end(socket, LIMITS.unreadMs);
  }

  /** Stops the timers of a connection that has ended or has few unread bytes. */
  remove(socket: S): void {
    const backlog = this.#backlogs.get(socket);
    if (backlog === undefined) return;
    clearTimeout(backlog.stall);
    clearTimeout(backlog.late);
    this.#backlogs.delete(socket);
  }

  #end(socket: S, afterMs: number): NodeJS.Timeout {
    return setTimeout(() => {
      this.remove(socket);
      this.#stalled(socket);
    }, afterMs);
  }
}
