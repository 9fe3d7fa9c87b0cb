/**
 * Many hostile connections in a process of their own: started by `AttackProcess`, told by messages.
 * One that is ended connects again, unless it only holds what it has begun.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect as connectTls } from 'node:tls';
import { fileURLToPath } from 'node:url';
import { type Attack, type AttackKind, attackOf } from './attack-kinds.ts';

/** Pause before a connection that was ended comes again. */
const AGAIN_MS = 20;
/** Connections that are begun at a time, and the pause between: the backlog of a port is short. */
const AT_ONCE = 100;
const PAUSE_MS = 10;

export interface Order {
  readonly port: number;
  /** Connections have them in turn. */
  readonly kinds: readonly AttackKind[];
  readonly connections: number;
  readonly secure?: boolean;
  /** Of handshakes and requests. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Of all connections together; undefined = as much as the gateway reads. */
  readonly bytesPerSecond?: number;
}

/** What the connections have done. */
export interface Attacked {
  /** What the kernel has taken, in whole pieces. */
  readonly bytes: number;
  readonly connects: number;
}

export class AttackProcess {
  readonly #child = fork(fileURLToPath(import.meta.url));

  /** Attacks until {@link stop}. */
  async start(order: Order): Promise<void> {
    await this.#ask(order);
  }

  /** Ends all connections. */
  stop(): Promise<Attacked> {
    return this.#ask('stop') as Promise<Attacked>;
  }

  end(): void {
    this.#child.kill('SIGKILL');
  }

  async #ask(order: Order | 'stop'): Promise<unknown> {
    this.#child.send(order);
    const [answer] = await once(this.#child, 'message', { signal: AbortSignal.timeout(20_000) });
    return answer;
  }
}

/** The bytes of all connections in the time. */
class Pace {
  readonly #bytesPerMs: number;
  readonly #sinceMs = performance.now();
  #bytes = 0;

  constructor(bytesPerSecond = Number.POSITIVE_INFINITY) {
    this.#bytesPerMs = bytesPerSecond / 1_000;
  }

  /** Takes so many bytes. @returns false: later */
  takes(bytes: number): boolean {
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
    const attacks = order.kinds.map((kind) => attackOf(kind, order.headers));
    this.#running = Array.from({ length: order.connections }, (_, index) =>
      this.#attack(attacks[index % attacks.length]!, PAUSE_MS * Math.floor(index / AT_ONCE)),
    );
  }

  async stop(): Promise<Attacked> {
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
        if (!this.#pace.takes(bytes.length)) {
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
  // Its parent has ended, maybe without a word.
  process.on('disconnect', () => process.exit());
  process.on('message', async (order: Order | 'stop') => {
    if (order !== 'stop') attackers = new Attackers(order);
    const answer = order === 'stop' ? await attackers?.stop() : 'done';
    process.send?.(answer);
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) serve();
