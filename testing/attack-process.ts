/**
 * Many hostile connections in a separate process, started by `AttackProcess` and controlled by
 * messages. A closed connection reconnects, unless it only holds an incomplete message.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect as connectTls } from 'node:tls';
import { fileURLToPath } from 'node:url';
import { type Attack, type AttackKind, attackOf } from './attack-kinds.ts';
import { PATIENCE_MS } from './wait.ts';

/** Pause before a reconnect. */
const AGAIN_MS = 20;
/** Connections opened at once, and the pause between: the backlog of a port is short. */
const AT_ONCE = 100;
const PAUSE_MS = 10;

export interface Order {
  readonly port: number;
  /** Assigned to connections round-robin. */
  readonly kinds: readonly AttackKind[];
  readonly connections: number;
  readonly secure?: boolean;
  /** Headers of handshakes and requests. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Stream in the path; undefined = none. */
  readonly stream?: string;
  /** Bandwidth of all connections together; undefined = as fast as the gateway reads. */
  readonly bytesPerSecond?: number;
}

/** Totals of all connections. */
export interface AttackStats {
  /** Bytes that the kernel accepted, in whole pieces. */
  readonly bytes: number;
  readonly connects: number;
}

export class AttackProcess {
  readonly #child = fork(fileURLToPath(import.meta.url));

  /** Attacks until {@link stop}. */
  async start(order: Order): Promise<void> {
    await this.#ask(order);
  }

  /** Closes all connections. */
  stop(): Promise<AttackStats> {
    return this.#ask('stop') as Promise<AttackStats>;
  }

  end(): void {
    this.#child.kill('SIGKILL');
  }

  async #ask(order: Order | 'stop'): Promise<unknown> {
    this.#child.send(order);
    const [answer] = await once(this.#child, 'message', {
      signal: AbortSignal.timeout(PATIENCE_MS),
    });
    return answer;
  }
}

/** Rate limit over all connections. */
class Pace {
  readonly #bytesPerMs: number;
  readonly #sinceMs = performance.now();
  #bytes = 0;

  constructor(bytesPerSecond = Number.POSITIVE_INFINITY) {
    this.#bytesPerMs = bytesPerSecond / 1_000;
  }

  /** Takes `bytes` from the limit. @returns false if they have to wait */
  allows(bytes: number): boolean {
    const dueBytes = (performance.now() - this.#sinceMs) * this.#bytesPerMs;
    if (this.#bytes > 0 && this.#bytes + bytes > dueBytes) return false;
    this.#bytes += bytes;
    return true;
  }
}

class Attackers {
  readonly #order: Order;
  readonly #pace: Pace;
  readonly #sockets = new Set<Socket>();
  readonly #running: Promise<void>[];
  #attacking = true;
  #bytes = 0;
  #connects = 0;

  constructor(order: Order) {
    this.#order = order;
    this.#pace = new Pace(order.bytesPerSecond);
    const attacks = order.kinds.map((kind) => attackOf(kind, order.headers, order.stream));
    this.#running = Array.from({ length: order.connections }, (_, index) =>
      this.#attack(attacks[index % attacks.length]!, PAUSE_MS * Math.floor(index / AT_ONCE)),
    );
  }

  async stop(): Promise<AttackStats> {
    this.#attacking = false;
    for (const socket of this.#sockets) socket.destroy();
    await Promise.all(this.#running);
    return { bytes: this.#bytes, connects: this.#connects };
  }

  async #attack(attack: Attack, afterMs: number): Promise<void> {
    await sleep(afterMs);
    while (this.#attacking) {
      const socket = this.#connect();
      this.#sockets.add(socket);
      this.#connects++;
      this.#serve(socket, attack);
      await once(socket, 'close').catch(() => {});
      this.#sockets.delete(socket);
      if (attack.again === 'never') return;
      await sleep(AGAIN_MS);
    }
  }

  #connect(): Socket {
    const { port, secure } = this.#order;
    const place = { port, host: '127.0.0.1' };
    return secure ? connectTls({ ...place, rejectUnauthorized: false }) : connect(place);
  }

  #serve(socket: Socket, { handshake, bytes, again }: Attack): void {
    let isOpen = handshake === undefined;
    const send = () => {
      while (this.#attacking && socket.writable && !socket.writableNeedDrain) {
        if (!this.#pace.allows(bytes.length)) {
          setTimeout(send, PAUSE_MS);
          return;
        }
        socket.write(bytes, (error) => {
          if (!error) this.#bytes += bytes.length;
        });
        if (again !== 'at once') return;
      }
    };
    const begin = () => (handshake === undefined ? send() : socket.write(handshake));
    socket.once(this.#order.secure ? 'secureConnect' : 'connect', begin);
    socket.on('data', () => {
      if (!isOpen || again === 'answered') send();
      isOpen = true;
    });
    socket.on('drain', () => isOpen && again === 'at once' && send());
    socket.on('error', () => {});
    socket.once('end', () => socket.destroy());
  }
}

function serve(): void {
  let attackers: Attackers | undefined;
  // The parent has exited, possibly without a message.
  process.on('disconnect', () => process.exit());
  process.on('message', async (order: Order | 'stop') => {
    if (order !== 'stop') attackers = new Attackers(order);
    const answer = order === 'stop' ? await attackers?.stop() : 'done';
    process.send?.(answer);
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) serve();
