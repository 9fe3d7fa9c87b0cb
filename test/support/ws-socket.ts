/** A TCP connection for arbitrary WebSocket bytes, and the frames of the server. */
import { connect, type Socket } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import type { NackError } from '../../testing/protocol.ts';
import { until } from '../../testing/wait.ts';
import { OPCODE, wsFrame } from '../../testing/ws-frame.ts';

const HEAD_END = '\r\n\r\n';
const ALIVE = 'alive';

/** Returns the lines of a handshake; a given line replaces the one of the same name. */
export function handshake(lines: readonly string[] = [], first = 'GET /ws HTTP/1.1'): Buffer {
  const usual = [
    'Host: gateway',
    'Connection: Upgrade',
    'Upgrade: websocket',
    'Sec-WebSocket-Version: 13',
    'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
    'Sec-WebSocket-Protocol: forebay.v1',
  ];
  const nameOf = (line: string) => line.split(':')[0]!.toLowerCase();
  const given = new Set(lines.map(nameOf));
  // A name alone removes the default line.
  const kept = lines.filter((line) => line.includes(':'));
  const head = [first, ...usual.filter((line) => !given.has(nameOf(line))), ...kept];
  return Buffer.from(head.join('\r\n') + HEAD_END, 'latin1');
}

export class WsSocket {
  readonly #socket: Socket;
  #bytes = Buffer.alloc(0);
  /** Head of the handshake response. */
  head = '';
  readonly texts: string[] = [];
  readonly pongs: Buffer[] = [];
  /** Code of the server's close frame; 1005 = frame without a code, undefined = no frame. */
  closeCode: number | undefined;
  /** Frames of the server after its close frame, and frames that no server may send. */
  readonly violations: string[] = [];

  constructor(port: number) {
    this.#socket = connect({ port, host: '127.0.0.1', noDelay: true });
    this.#socket.on('data', (data) => this.#take(data));
    this.#socket.on('error', () => {});
  }

  /** Connects and waits for the first frame of `forebay.v1`. */
  static async open(port: number): Promise<WsSocket> {
    const socket = new WsSocket(port);
    socket.send(handshake());
    await socket.until(() => socket.texts.length > 0 || socket.closed, 'hello');
    return socket;
  }

  get status(): number {
    return Number(this.head.split(' ')[1] ?? Number.NaN);
  }
  get closed(): boolean {
    return this.#socket.closed;
  }
  /** Number of the last acknowledged frame. */
  get acknowledged(): number {
    const acks = this.texts.flatMap((text) => (JSON.parse(text) as { ack?: number }).ack ?? []);
    return acks.at(-1) ?? 0;
  }
  /** Codes of all rejections. */
  get refused(): string[] {
    const errors = this.texts.flatMap(
      (text) => (JSON.parse(text) as { errors?: NackError[] }).errors ?? [],
    );
    return errors.map(({ code }) => code);
  }

  send(bytes: Buffer): void {
    this.#socket.write(bytes);
  }

  /** Writes the bytes one by one. */
  async sendSplit(bytes: Buffer): Promise<void> {
    for (let at = 0; at < bytes.length && !this.closed; at++) {
      this.#socket.write(bytes.subarray(at, at + 1));
      await turn();
    }
  }

  /** Sends these bytes repeatedly until the connection ends. */
  pour(bytes: Buffer): void {
    const pump = () => {
      while (!this.#socket.destroyed && this.#socket.write(bytes));
    };
    this.#socket.on('drain', pump);
    pump();
  }

  async until(holds: () => boolean, what: string): Promise<void> {
    const received = () => `${what}; closed: ${this.closed}, received: ${this.texts.join(' ')}`;
    await until(holds, { everyMs: 2, what: received });
  }

  /** Returns whether the connection still works as a WebSocket. */
  async lives(): Promise<boolean> {
    const last = () => String(this.pongs.at(-1)) === ALIVE;
    this.send(wsFrame(OPCODE.ping, ALIVE));
    await this.until(() => last() || this.closed, 'a pong');
    return !this.closed;
  }

  async ended(): Promise<void> {
    await this.until(() => this.closed, 'the end of the connection');
  }

  /** Sends FIN. */
  half(): void {
    this.#socket.end();
  }

  /** Sends FIN and waits until the server has read everything and closed. */
  async end(): Promise<void> {
    this.half();
    await this.ended();
  }

  #take(data: Buffer): void {
    this.#bytes = Buffer.concat([this.#bytes, data]);
    if (this.head === '') {
      const end = this.#bytes.indexOf(HEAD_END);
      if (end < 0) return;
      this.head = this.#bytes.toString('latin1', 0, end);
      this.#bytes = this.#bytes.subarray(end + HEAD_END.length);
    }
    if (this.status === 101) while (this.#takeFrame());
  }

  #takeFrame(): boolean {
    const bytes = this.#bytes;
    if (bytes.length < 2) return false;
    const short = bytes[1]! & 0x7f;
    const start = short < 126 ? 2 : 4;
    if (bytes.length < start) return false;
    // Frames of the gateway have at most 65,535 bytes.
    const length = short < 126 ? short : bytes.readUInt16BE(2);
    if (bytes.length < start + length) return false;
    this.#bytes = bytes.subarray(start + length);
    this.#receive(bytes[0]!, bytes[1]!, bytes.subarray(start, start + length));
    return true;
  }

  #receive(first: number, second: number, payload: Buffer): void {
    if (this.closeCode !== undefined) this.violations.push('a frame behind the close frame');
    if ((second & 0x80) !== 0 || (first & 0xf0) !== 0x80) this.violations.push('a wrong frame');
    const opcode = first & 0x0f;
    if (opcode === OPCODE.text) this.texts.push(String(payload));
    else if (opcode === OPCODE.pong) this.pongs.push(payload);
    else if (opcode !== OPCODE.close) this.violations.push(`opcode ${opcode}`);
    else this.closeCode = payload.length < 2 ? 1005 : payload.readUInt16BE(0);
  }
}
