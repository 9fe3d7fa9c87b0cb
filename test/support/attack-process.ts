/**
 * Many hostile connections in a process of their own, which send as much as the gateway reads:
 * started by `AttackProcess`, told by messages. One that is ended connects again.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { HANDSHAKE } from './crowd-process.ts';
import { OPCODE, wsFrame } from './ws-frame.ts';

const FRAME_BYTES = 65_536;
const BODY_BYTES = 1_048_576;
/** Bytes that a connection has written at a time. */
const PIECE_BYTES = 262_144;
/** Pause before a connection that was ended comes again. */
const AGAIN_MS = 20;

/** So many of a piece as fit, and its head and tail. */
function filled(head: string, piece: string, tail: string, bytes: number): string {
  const count = Math.floor((bytes - head.length - tail.length) / piece.length);
  return `${head}${piece.repeat(count)}${tail}`;
}

/** As deep as an event may be by default, in an array of many. */
const NEST = `${'['.repeat(60)}${']'.repeat(60)},`;
const DEEP_EVENT = `{"a":${'['.repeat(62)}${']'.repeat(62)}}`;
const NUMBERS = filled('{"a":[', '1,', '1]}', FRAME_BYTES);

function frames(opcode: number, payload: string | Buffer): Buffer {
  const frame = wsFrame(opcode, payload, { mask: [0, 0, 0, 0] });
  return Buffer.concat(new Array(Math.ceil(PIECE_BYTES / frame.length)).fill(frame));
}

function body(payload: string | Buffer, headers: Readonly<Record<string, string>>): Buffer {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  const head = `POST /events HTTP/1.1\r\nHost: a\r\nContent-Length: ${payload.length}\r\n`;
  return Buffer.concat([Buffer.from(`${head}${lines.join('')}\r\n`), Buffer.from(payload)]);
}

const JSON_TYPE = { 'Content-Type': 'application/json' };
const LINES_TYPE = { 'Content-Type': 'application/x-ndjson' };
const DEEP_LINES = filled('', `${DEEP_EVENT}\n`, '', BODY_BYTES);

/** What a connection sends: frames again and again, requests when the last one is answered. */
const PIECES = {
  deep: () => ({ frames: frames(OPCODE.text, filled('{"a":[', NEST, '1]}', FRAME_BYTES)) }),
  tooDeep: () => ({
    frames: frames(OPCODE.text, `{"a":${'['.repeat(32_000)}${']'.repeat(32_000)}}`),
  }),
  tiny: () => ({ frames: frames(OPCODE.text, '{}') }),
  pings: () => ({ frames: frames(OPCODE.ping, '') }),
  numbers: () => ({ frames: frames(OPCODE.text, NUMBERS) }),
  events: () => ({ frames: frames(OPCODE.text, filled('[', '{},', '{}]', 3_000)) }),
  packed: () => ({
    frames: frames(
      OPCODE.binary,
      Buffer.concat([
        Buffer.from([0xdc, 0x03, 0xe8]),
        ...new Array<Buffer>(1_000).fill(
          Buffer.concat([Buffer.from([0x81, 0xa0]), Buffer.alloc(62, 0x91), Buffer.from([0xc0])]),
        ),
      ]),
    ),
  }),
  lines: () => ({ request: body(DEEP_LINES, LINES_TYPE) }),
  array: () => ({ request: body(filled('[', '{},', '{}]', 30_000), JSON_TYPE) }),
  short: () => ({ request: body(filled('{"a":[', NEST, '1]}', 16_000), JSON_TYPE) }),
  gzip: () => ({
    request: body(gzipSync(DEEP_LINES), { ...LINES_TYPE, 'Content-Encoding': 'gzip' }),
  }),
} satisfies Readonly<Record<string, () => Attack>>;

export type AttackKind = keyof typeof PIECES;
interface Attack {
  readonly frames?: Buffer;
  readonly request?: Buffer;
}

interface Order {
  readonly port: number;
  readonly kinds: readonly AttackKind[];
  readonly connections: number;
}

/** What the connections have done. */
export interface Attacked {
  readonly bytes: number;
  readonly connects: number;
}

export class AttackProcess {
  readonly #child = fork(fileURLToPath(import.meta.url));

  /** Attacks until {@link stop}; connections have the kinds in turn. */
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

function serve(): void {
  const sockets = new Set<Socket>();
  let attacking = false;
  let [bytes, connects] = [0, 0];
  const attack = async (port: number, { frames: pieces, request }: Attack) => {
    while (attacking) {
      const socket = connect(port, '127.0.0.1');
      sockets.add(socket);
      connects++;
      const pour = () => {
        while (attacking && pieces !== undefined && socket.writable)
          if (!socket.write(pieces)) return;
      };
      const ask = () => request !== undefined && socket.write(request);
      let isOpen = false;
      socket.once('connect', () => (request === undefined ? socket.write(HANDSHAKE) : ask()));
      socket.on('data', () => {
        if (request !== undefined) ask();
        else if (!isOpen) pour();
        isOpen = true;
      });
      socket.on('drain', () => isOpen && pour());
      socket.on('error', () => {});
      socket.once('end', () => socket.destroy());
      await once(socket, 'close').catch(() => {});
      bytes += socket.bytesWritten;
      sockets.delete(socket);
      await sleep(AGAIN_MS);
    }
  };
  let running: Promise<void>[] = [];
  process.on('message', async (order: Order | 'stop') => {
    if (order !== 'stop') {
      attacking = true;
      [bytes, connects] = [0, 0];
      const made = order.kinds.map((kind) => PIECES[kind]());
      running = Array.from({ length: order.connections }, (_, index) =>
        attack(order.port, made[index % made.length]!),
      );
      process.send?.('done');
      return;
    }
    attacking = false;
    for (const socket of sockets) socket.destroy();
    await Promise.all(running);
    process.send?.({ bytes, connects } satisfies Attacked);
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) serve();
