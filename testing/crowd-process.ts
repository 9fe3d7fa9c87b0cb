/**
 * Many connections from a process of its own: what they cost there is not felt by who measures,
 * they have files of their own, and all of them fall silent when it is stopped.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import { until } from './wait.ts';

export interface Crowd {
  readonly port: number;
  readonly count: number;
  /** What each sends first, a byte for each character; '' = nothing. */
  readonly text: string;
  /** What each sends when it is answered. */
  readonly reply?: string;
  /** What each sends again and again behind `text`. */
  readonly drip?: { readonly text: string; readonly everyMs: number };
}

/** Where the connections are. */
export interface Standing {
  readonly open: number;
  /** Were answered `HTTP/1.1 101`. */
  readonly upgraded: number;
}

type Order = ({ readonly type: 'open' } & Crowd) | { readonly type: 'stand' };

/** How many connect at a time. */
const AT_ONCE = 200;

export const HANDSHAKE =
  'GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
  'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n';

export class CrowdProcess {
  readonly #child = fork(fileURLToPath(import.meta.url));

  /** Opens more connections. */
  async open(crowd: Crowd): Promise<void> {
    await this.#ask({ type: 'open', ...crowd });
  }

  stand(): Promise<Standing> {
    return this.#ask({ type: 'stand' });
  }

  /** The process does nothing any more; its connections stay. */
  freeze(): void {
    this.#child.kill('SIGSTOP');
  }

  end(): void {
    this.#child.kill('SIGKILL');
  }

  async #ask(order: Order): Promise<Standing> {
    this.#child.send(order);
    const [answer] = await once(this.#child, 'message', { signal: AbortSignal.timeout(60_000) });
    return answer as Standing;
  }
}

class Sockets {
  #open = 0;
  #upgraded = 0;

  get standing(): Standing {
    return { open: this.#open, upgraded: this.#upgraded };
  }

  async open(crowd: Crowd): Promise<void> {
    const { count, text } = crowd;
    for (let opened = 0; opened < count; opened += AT_ONCE) {
      const atOnce = Math.min(AT_ONCE, count - opened);
      const before = this.#upgraded;
      await Promise.all(Array.from({ length: atOnce }, () => this.#connect(crowd)));
      if (text === HANDSHAKE) await until(() => this.#upgraded === before + atOnce);
    }
  }

  async #connect({ port, text, reply = '', drip }: Crowd): Promise<void> {
    const socket: Socket = connect(port, '127.0.0.1').on('error', () => {});
    socket.on('data', (data) => {
      if (data.toString('latin1').startsWith('HTTP/1.1 101')) this.#upgraded++;
    });
    socket.once('data', () => socket.write(reply, 'latin1'));
    await once(socket, 'connect');
    this.#open++;
    if (text !== '') socket.write(text, 'latin1');
    const timer = drip && setInterval(() => socket.write(drip.text), drip.everyMs);
    socket.on('close', () => {
      clearInterval(timer);
      this.#open--;
    });
  }
}

function serve(): void {
  const sockets = new Sockets();
  // Its parent has ended, maybe without a word.
  process.on('disconnect', () => process.exit());
  process.on('message', async (order: Order) => {
    if (order.type === 'open') await sockets.open(order);
    process.send?.(sockets.standing);
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) serve();
