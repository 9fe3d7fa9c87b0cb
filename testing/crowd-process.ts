/**
 * Many connections from a separate process: their cost does not affect measurements, they have
 * their own descriptors, and all fall silent when the process is suspended.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import { until } from './wait.ts';

export interface Crowd {
  readonly port: number;
  readonly count: number;
  /** First bytes of each connection, in Latin-1; '' = nothing. */
  readonly text: string;
  /** Sent after the first response. */
  readonly reply?: string;
  /** Sent periodically after `text`. */
  readonly drip?: { readonly text: string; readonly everyMs: number };
}

/** State of the connections. */
export interface CrowdStatus {
  readonly open: number;
  /** Connections answered with `HTTP/1.1 101`. */
  readonly upgraded: number;
}

type Order = ({ readonly type: 'open' } & Crowd) | { readonly type: 'status' };

/** Connections opened at once. */
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

  status(): Promise<CrowdStatus> {
    return this.#ask({ type: 'status' });
  }

  /** Suspends the process; its connections stay open. */
  freeze(): void {
    this.#child.kill('SIGSTOP');
  }

  end(): void {
    this.#child.kill('SIGKILL');
  }

  async #ask(order: Order): Promise<CrowdStatus> {
    this.#child.send(order);
    const [answer] = await once(this.#child, 'message', { signal: AbortSignal.timeout(60_000) });
    return answer as CrowdStatus;
  }
}

class Sockets {
  #open = 0;
  #upgraded = 0;

  get standing(): CrowdStatus {
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
  // The parent has exited, possibly without a message.
  process.on('disconnect', () => process.exit());
  process.on('message', async (order: Order) => {
    if (order.type === 'open') await sockets.open(order);
    process.send?.(sockets.standing);
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) serve();
