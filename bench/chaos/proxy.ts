/**
 * A TCP proxy that spoils connections without knowing what is spoken on them:
 *
 *   client ──▶ upward pipe ───▶ server      each pipe keeps its bytes in order, and can hold them
 *   client ◀── downward pipe ◀─ server      back: for a time, or until the link has room for them
 */
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

/** A pipe takes no more in while so much waits in it. */
const WAITING_BYTES_MAX = 256 * 1024;

/** What several connections share: so many bytes per second pass in one direction. */
export class Link {
  readonly bytesPerSecond: number;
  #freeMs = 0;

  constructor(bytesPerSecond: number) {
    this.bytesPerSecond = bytesPerSecond;
  }

  /** When so many bytes that come now have passed. */
  passedMs(bytes: number): number {
    const ms = (bytes / this.bytesPerSecond) * 1000;
    this.#freeMs = Math.max(this.#freeMs, performance.now()) + ms;
    return this.#freeMs;
  }
}

export interface Faults {
  /** Each byte is held so long, in each direction: half of what a round trip takes longer. */
  delayMs?: number;
  /** What all bytes to the server, and all to the client, go through. */
  links?: { readonly up: Link; readonly down: Link };
  /** A new connection is reset after so many bytes, both directions together. */
  resetAfterBytes?: () => number;
  /** Nothing passes in either direction; connections are taken. */
  blackHole?: boolean;
}

/** What has happened in it. */
export interface ProxyCounts {
  connections: number;
  resets: number;
  /** That never arrived. */
  swallowedBytes: number;
  passedBytes: number;
}

export class FaultProxy {
  /** In force from the next byte on; `resetAfterBytes` from the next connection on. */
  faults: Faults = {};
  readonly counts: ProxyCounts = { connections: 0, resets: 0, swallowedBytes: 0, passedBytes: 0 };
  readonly #server: Server;
  readonly #targetPort: number;
  readonly #pairs = new Set<Pair>();

  private constructor(targetPort: number) {
    this.#targetPort = targetPort;
    this.#server = createServer({ allowHalfOpen: true }, (client) => this.#take(client));
  }

  /** Leads from a port of 127.0.0.1 (0: any) to another one. */
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

  /** Connections that are open now. */
  get open(): number {
    return this.#pairs.size;
  }

  /**
   * From now on no answer arrives on the connections that are open, though the server reads and
   * answers what comes; those that are made later are whole.
   */
  swallowAnswers(): void {
    for (const pair of this.#pairs) pair.down.swallows = true;
  }

  /** Ends all connections with a reset. */
  resetAll(): void {
    for (const pair of this.#pairs) pair.reset();
  }

  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.resetAll();
    await closed;
  }

  #take(client: Socket): void {
    this.counts.connections++;
    const server = connect({ port: this.#targetPort, host: '127.0.0.1', allowHalfOpen: true });
    const pair = new Pair(client, server, this);
    this.#pairs.add(pair);
    pair.ended.then(() => this.#pairs.delete(pair));
  }
}

/** A connection of a client, and the one that is made for it. */
class Pair {
  readonly up: Pipe;
  readonly down: Pipe;
  readonly ended: Promise<unknown>;
  /** Bytes until it is reset. */
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
      // What ends one side ends the other one in the same way.
      socket.on('error', () => this.reset());
    }
  }

  reset(): void {
    this.up.reset();
    this.down.reset();
  }

  /** How many of these bytes may still pass; the connection is reset behind them. */
  allowed(bytes: number): number {
    const allowed = Math.min(bytes, this.#left);
    this.#left -= allowed;
    return allowed;
  }

  spent(): void {
    this.#counts.resets++;
    this.reset();
  }
}

/** What waits in a pipe, and when it may go on. */
interface Waiting {
  readonly dueMs: number;
  readonly act: () => void;
}

/** One direction. */
class Pipe {
  /** What comes is lost from now on. */
  swallows = false;
  readonly #from: Socket;
  readonly #to: Socket;
  readonly #pair: Pair;
  readonly #direction: 'up' | 'down';
  readonly #proxy: FaultProxy;
  readonly #queue: Waiting[] = [];
  #timer: NodeJS.Timeout | undefined;
  #waitingBytes = 0;

  constructor(from: Socket, to: Socket, pair: Pair, direction: 'up' | 'down', proxy: FaultProxy) {
    this.#from = from;
    this.#to = to;
    this.#pair = pair;
    this.#direction = direction;
    this.#proxy = proxy;
    from.on('data', (chunk: Buffer) => this.#take(chunk));
    from.on('end', () => this.#later(0, () => to.end()));
    to.on('drain', () => this.#goOn());
  }

  reset(): void {
    clearTimeout(this.#timer);
    this.#queue.length = 0;
    this.#from.resetAndDestroy();
  }

  #take(chunk: Buffer): void {
    const { faults, counts } = this.#proxy;
    if (this.swallows || faults.blackHole) {
      counts.swallowedBytes += chunk.length;
      return;
    }
    this.#waitingBytes += chunk.length;
    if (this.#waitingBytes > WAITING_BYTES_MAX) this.#from.pause();
    this.#later(chunk.length, () => this.#pass(chunk));
  }

  #pass(chunk: Buffer): void {
    this.#waitingBytes -= chunk.length;
    const allowed = this.#pair.allowed(chunk.length);
    this.#proxy.counts.passedBytes += allowed;
    if (!this.#to.write(chunk.subarray(0, allowed))) this.#from.pause();
    if (allowed < chunk.length) this.#pair.spent();
    else this.#goOn();
  }

  #goOn(): void {
    if (this.#waitingBytes <= WAITING_BYTES_MAX && !this.#to.writableNeedDrain) this.#from.resume();
  }

  /** When the faults let it, and not before what came earlier. */
  #later(bytes: number, act: () => void): void {
    const { delayMs = 0, links } = this.#proxy.faults;
    const nowMs = performance.now();
    const passedMs = links?.[this.#direction].passedMs(bytes) ?? nowMs;
    const dueMs = Math.max(this.#queue.at(-1)?.dueMs ?? 0, passedMs + delayMs);
    this.#queue.push({ dueMs, act });
    if (this.#queue.length === 1) this.#work();
  }

  #work(): void {
    for (let head = this.#queue[0]; head !== undefined; head = this.#queue[0]) {
      const waitMs = head.dueMs - performance.now();
      if (waitMs > 0) {
        this.#timer = setTimeout(() => this.#work(), Math.ceil(waitMs));
        return;
      }
      this.#queue.shift();
      head.act();
    }
  }
}
