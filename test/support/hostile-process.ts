/**
 * A hostile client in a process of its own, so that its work costs the measuring process nothing:
 * started by `HostileProcess`, controlled by messages.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { WebSocket } from 'ws';
import type { Credit, Hello, NackError } from '../../testing/protocol.ts';
import { closeSocket, openSocket } from '../../testing/socket.ts';
import { PATIENCE_MS, until } from '../../testing/wait.ts';

/** Results of its frames. */
export interface Flood {
  readonly frames: number;
  /**
   * Average time of the gateway for as many frames as the credit allows at once; without the time
   * that the client waited for credit.
   */
  readonly windowMs: number;
  /** Distinct nacks. */
  readonly nacks: readonly (readonly NackError[])[];
  /** Its connection was open at the end, and a valid event on another one was accepted. */
  readonly served: boolean;
}

type Order =
  | { readonly type: 'flood'; readonly url: string; readonly frame: string }
  | { readonly type: 'stop'; readonly good: string };

export class HostileProcess {
  readonly #child = fork(fileURLToPath(import.meta.url));

  /** Connects and sends this frame as fast as its credit allows until {@link stop}. */
  async flood(url: string, frame: string): Promise<void> {
    await this.#ask({ type: 'flood', url, frame });
  }

  /** Waits for the fate of all frames, closes the connection and sends a valid event on another. */
  stop(good: string): Promise<Flood> {
    return this.#ask({ type: 'stop', good }) as Promise<Flood>;
  }

  end(): void {
    this.#child.kill();
  }

  async #ask(order: Order): Promise<unknown> {
    this.#child.send(order);
    const [answer] = await once(this.#child, 'message', {
      signal: AbortSignal.timeout(PATIENCE_MS),
    });
    return answer;
  }
}

/** Parses as little as possible: a process that checks everything attacks slowly. */
class HostileClient {
  readonly #frame: string;
  readonly #bytes: number;
  readonly #nacks = new Set<string>();
  #socket!: WebSocket;
  #credit: Credit = { frames: 0, bytes: 0 };
  #windowFrames = 0;
  /** Time with unacknowledged frames, and start of the current such period. */
  #busyMs = 0;
  #busySinceMs = 0;
  #sent = 0;
  #acknowledged = 0;
  #flooding = true;
  /** Maximum number of frames. */
  #most = Number.POSITIVE_INFINITY;

  constructor(frame: string) {
    this.#frame = frame;
    this.#bytes = Buffer.byteLength(frame);
  }

  async flood(url: string): Promise<void> {
    await openSocket(url, ['forebay.v1'], {}, (socket) => {
      this.#socket = socket;
      socket.on('message', (data) => this.#receive(String(data)));
    });
    await until(() => this.#sent > 0, { everyMs: 1 });
  }

  async stop(good: string): Promise<Flood> {
    this.#flooding = false;
    await this.#settled();
    const windowMs = (this.#busyMs / this.#sent) * this.#windowFrames;
    const nacks = [...this.#nacks].map((text) => JSON.parse(text).errors as NackError[]);
    const { readyState, OPEN } = this.#socket;
    await closeSocket(this.#socket);
    const other = new HostileClient(good);
    await other.once(this.#socket.url);
    const served = readyState === OPEN && other.#nacks.size === 0;
    return { frames: this.#sent, windowMs, nacks, served };
  }

  /** Sends its frame once on a separate connection. */
  async once(url: string): Promise<void> {
    this.#most = 1;
    await this.flood(url);
    await this.#settled();
    await closeSocket(this.#socket);
  }

  async #settled(): Promise<void> {
    await until(() => this.#acknowledged === this.#sent, { everyMs: 1 });
  }

  #spend(): void {
    const { frames, bytes } = this.#credit;
    const most = Math.min(this.#most, frames, Math.floor(bytes / this.#bytes));
    if (this.#windowFrames === 0) this.#windowFrames = most;
    if (this.#sent >= most) return;
    if (this.#acknowledged === this.#sent) this.#busySinceMs = performance.now();
    for (; this.#sent < most; this.#sent++) this.#socket.send(this.#frame);
  }

  #acked(frame: number): void {
    this.#acknowledged = frame;
    if (frame === this.#sent) this.#busyMs += performance.now() - this.#busySinceMs;
  }

  #receive(text: string): void {
    if (text.startsWith('{"nack":')) {
      this.#nacks.add(`{${text.slice(text.indexOf(',') + 1)}`);
      return;
    }
    const { ack, credit, hello } = JSON.parse(text) as {
      ack?: number;
      credit?: Credit;
      hello?: Hello;
    };
    if (ack !== undefined) this.#acked(ack);
    this.#credit = credit ?? hello?.credit ?? this.#credit;
    if (this.#flooding) this.#spend();
  }
}

async function serve(): Promise<void> {
  let client: HostileClient | undefined;
  // Its parent has ended, perhaps by a signal.
  process.on('disconnect', () => process.exit());
  process.on('message', async (order: Order) => {
    let answer: unknown = 'done';
    if (order.type === 'flood') {
      client = new HostileClient(order.frame);
      await client.flood(order.url);
    } else answer = await client?.stop(order.good);
    process.send?.(answer);
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await serve();
