/**
 * TCP proxy that disturbs connections regardless of their protocol:
 *
 *   client ──▶ upward pipe ───▶ server      each pipe keeps its bytes in order, and can delay
 *   client ◀── downward pipe ◀─ server      them: for a time, or until the link has capacity
 */
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

/** A pipe stops reading at this many queued bytes. */
const WAITING_BYTES_MAX = 256 * 1024;

/** Bandwidth shared by several connections, in one direction. */
export class Link {
  readonly bytesPerSecond: number;
  #freeMs = 0;

  constructor(bytesPerSecond: number) {
    this.bytesPerSecond = bytesPerSecond;
  }

  /** Returns the time at which bytes that arrive now have passed. */
  passedMs(bytes: number): number {
    const ms = (bytes / this.bytesPerSecond) * 1000;
    this.#freeMs = Math.max(this.#freeMs, performance.now()) + ms;
    return this.#freeMs;
  }
}

export interface Faults {
  /** Delay of each byte in each direction: half of the added round trip. */
  delayMs?: number;
  /** Links shared by all bytes to the server, and by all bytes to clients. */
  links?: { readonly up: Link; readonly down: Link };
  /** Bytes, in both directions together, after which a new connection is reset. */
  resetAfterBytes?: () => number;
  /** Nothing passes in either direction; connections are accepted. */
  blackHole?: boolean;
}

/** Counters of the proxy. */
export interface ProxyCounts {
  connections: number;
  resets: number;
  /** Bytes that never arrived. */
  discardedBytes: number;
  passedBytes: number;
}

export class FaultProxy {
  /** Effective from the next byte on; `resetAfterBytes` from the next connection on. */
  faults: Faults = {};
  readonly counts: ProxyCounts = { connections: 0, resets: 0, discardedBytes: 0, passedBytes: 0 };
  readonly #server: Server;
  readonly #targetPort: number;
  readonly #pairs = new Set<Pair>();

  private constructor(targetPort: number) {
    this.#targetPort = targetPort;
    this.#server = createServer({ allowHalfOpen: true }, (client) => this.#accept(client));
  }

  /** Starts a proxy from a port of 127.0.0.1 (0 = any) to another port. */
  static async start(targetPort: number, port = 0): Promise<FaultProxy> {
    const proxy = new FaultProxy(targetPort);
    await new Promise<void>((resolve, reject) => {
      proxy.#server.once('error', reject).listen(port, '127.0.0.1', resolve);
    });
    return proxy;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Number of open connections. */
  get open(): number {
    return this.#pairs.size;
  }

  /**
   * Discards all responses on open connections from now on, although the server still reads and
   * answers requests; new connections are not affected.
   */
  discardResponses(): void {
    for (const pair of this.#pairs) pair.down.discards = true;
  }

  /** Resets all connections. */
  resetAll(): void {
    for (const pair of this.#pairs) pair.reset();
  }

  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.resetAll();
    await closed;
  }

  #accept(client: Socket): void {
    this.counts.connections++;
    const server = connect({ port: this.#targetPort, host: '127.0.0.1', allowHalfOpen: true });
    const pair = new Pair(client, server, this);
    this.#pairs.add(pair);
    pair.ended.then(() => this.#pairs.delete(pair));
  }
}

/** A client connection and its connection to the server. */
class Pair {
  readonly up: Pipe;
  readonly down: Pipe;
  readonly ended: Promise<unknown>;
  /** Bytes until the reset. */
  #left: number;
  readonly #counts: ProxyCounts;

  constructor(client: Socket, server: Socket, proxy: FaultProxy) {
    this.#counts = proxy.counts;
    this.#left = proxy.faults.resetAfterBytes?.() ?? Number.POSITIVE_INFINITY;
    this.up = new Pipe(client, server, this, 'up', proxy);
    this.down = new Pipe(server, client, this, 'down', proxy);
    const sockets = [client, server];
    this.ended = Promise.all(
      sockets.map((socket) => new Promise((resolve) => socket.once('close', resolve))),
    );
    for (const socket of sockets) {
      socket.setNoDelay(true);
      // An error on one side resets the other side.
      socket.on('error', () => this.reset());
    }
  }

  reset(): void {
    this.up.reset();
    this.down.reset();
  }

  /** Returns how many of these bytes may pass; the connection is reset after them. */
  allowed(bytes: number): number {
    const allowed = Math.min(bytes, this.#left);
    this.#left -= allowed;
    return allowed;
  }

  limitReached(): void {
    this.#counts.resets++;
    this.reset();
  }
}

/** A delayed action and its due time. */
interface Delayed {
  readonly dueMs: number;
  readonly act: () => void;
}

/** One direction. */
class Pipe {
  /** Received data is discarded from now on. */
  discards = false;
  readonly #from: Socket;
  readonly #to: Socket;
  readonly #pair: Pair;
  readonly #direction: 'up' | 'down';
  readonly #proxy: FaultProxy;
  readonly #queue: Delayed[] = [];
  #timer: NodeJS.Timeout | undefined;
  #waitingBytes = 0;

  constructor(from: Socket, to: Socket, pair: Pair, direction: 'up' | 'down', proxy: FaultProxy) {
    this.#from = from;
    this.#to = to;
    this.#pair = pair;
    this.#direction = direction;
    this.#proxy = proxy;
    from.on('data', (chunk: Buffer) => this.#receive(chunk));
    from.on('end', () => this.#schedule(0, () => to.end()));
    to.on('drain', () => this.#resume());
  }

  reset(): void {
    clearTimeout(this.#timer);
    this.#queue.length = 0;
    this.#from.resetAndDestroy();
  }

  #receive(chunk: Buffer): void {
    const { faults, counts } = this.#proxy;
    if (this.discards || faults.blackHole) {
      counts.discardedBytes += chunk.length;
      return;
    }
    this.#waitingBytes += chunk.length;
    if (this.#waitingBytes > WAITING_BYTES_MAX) this.#from.pause();
    this.#schedule(chunk.length, () => this.#pass(chunk));
  }

  #pass(chunk: Buffer): void {
    this.#waitingBytes -= chunk.length;
    const allowed = this.#pair.allowed(chunk.length);
    this.#proxy.counts.passedBytes += allowed;
    if (!this.#to.write(chunk.subarray(0, allowed))) this.#from.pause();
    if (allowed < chunk.length) this.#pair.limitReached();
    else this.#resume();
  }

  #resume(): void {
    if (this.#waitingBytes <= WAITING_BYTES_MAX && !this.#to.writableNeedDrain) this.#from.resume();
  }

  /** Runs `act` after the delay of the faults, in order. */
  #schedule(bytes: number, act: () => void): void {
    const { delayMs = 0, links } = this.#proxy.faults;
    const nowMs = performance.now();
    const passedMs = links?.[this.#direction].passedMs(bytes) ?? nowMs;
    const dueMs = Math.max(this.#queue.at(-1)?.dueMs ?? 0, passedMs + delayMs);
    this.#queue.push({ dueMs, act });
    if (this.#queue.length === 1) this.#drain();
  }

  #drain(): void {
    for (let head = this.#queue[0]; head !== undefined; head = this.#queue[0]) {
      const waitMs = head.dueMs - performance.now();
      if (waitMs > 0) {
        this.#timer = setTimeout(() => this.#drain(), Math.ceil(waitMs));
        return;
      }
      this.#queue.shift();
      head.act();
    }
  }
}
