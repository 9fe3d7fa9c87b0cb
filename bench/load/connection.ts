import type { Socket } from 'node:net';
import type { Credit, NackError } from '../../testing/protocol.ts';
import { openSocket } from './handshake.ts';
import type { ConnectionReport, LoadShape } from './messages.ts';
import { Packet } from './packet.ts';
import { type Hearer, ServerFrames } from './server-frames.ts';
import type { Slab } from './slab.ts';

/** What all connections of a run tell. */
export interface Listener {
  /** So many frames, the first of them `first` (from 0), were acknowledged: so many events each. */
  acked(connection: number, first: number, frames: number, eventsPerFrame: number): void;
  /** One ack frame has come. */
  ackFrame(): void;
  refused(code: string, events: number, sentAtMs: number): void;
  problem(text: string): void;
}

/** Packets whose time of writing is remembered, for refusals; more than credit ever allows. */
const RING = 128;
const PONG = 0x8a;

/**
 * One connection of the load client. Frames are counted from 0 here, as are events:
 *
 *   acked ≤ sent ≤ due: what waits for credit is between the last two
 */
export class LoadConnection implements Hearer {
  readonly #index: number;
  readonly #shape: LoadShape;
  readonly #packet: Packet;
  readonly #slab: Slab;
  readonly #time: Uint8Array;
  readonly #listener: Listener;
  readonly #frames: ServerFrames;
  #socket: Socket | undefined;
  #credit: Credit = { frames: 0, bytes: 0 };
  #sentFrames = 0;
  #sentBytes = 0;
  #ackedFrames = 0;
  /** Packets whose time has come and that were not sent yet. */
  #waiting = 0;
  #starved = 0;
  #closing = false;
  readonly #writtenMs = new Float64Array(RING);
  /** Refused events of frames without an ack. */
  readonly #nacked = new Map<number, number>();
  readonly #refused: number[] = [];
  readonly #uncertain: number[] = [];

  /** @param time the digits of the time that events bear; whoever owns them keeps them right */
  constructor(index: number, shape: LoadShape, slab: Slab, time: Uint8Array, listener: Listener) {
    this.#index = index;
    this.#shape = shape;
    this.#packet = new Packet(shape, index);
    this.#slab = slab;
    this.#time = time;
    this.#listener = listener;
    this.#frames = new ServerFrames(this);
  }

  /** Connects; sending waits for the first credit by itself. @throws Error */
  async open(): Promise<void> {
    const socket = await openSocket(this.#shape.port, (chunk) => this.#frames.take(chunk));
    this.#socket = socket;
    socket.on('error', (error) => this.ended(error.message));
    socket.on('close', () => this.ended('closed'));
  }

  get ready(): boolean {
    return this.#credit.frames > 0;
  }

  /** A packet's time has come: it goes out as soon as credit allows. */
  due(): void {
    this.#waiting++;
    if (!this.#fits()) this.#starved++;
    this.#pump();
  }

  /** Sends what credit allows. */
  #pump(): void {
    const { framesPerPacket, eventsPerFrame } = this.#shape;
    while (this.#waiting > 0 && this.#fits()) {
      const bytes = this.#slab.take(this.#packet.length);
      this.#packet.write(bytes, 0, this.#sentFrames * eventsPerFrame, this.#time);
      this.#writtenMs[(this.#sentFrames / framesPerPacket) % RING] = performance.now();
      this.#socket!.write(bytes);
      this.#sentFrames += framesPerPacket;
      this.#sentBytes += framesPerPacket * this.#packet.frameBytes;
      this.#waiting--;
    }
  }

  /** What waits is not sent any more. */
  dropWaiting(): void {
    this.#waiting = 0;
  }

  get waiting(): number {
    return this.#waiting;
  }
  get starved(): number {
    return this.#starved;
  }
  /** Everything that was due is sent, and acknowledged or refused. */
  get settled(): boolean {
    return this.#waiting === 0 && this.#ackedFrames === this.#sentFrames;
  }
  get sentEvents(): number {
    return this.#sentFrames * this.#shape.eventsPerFrame;
  }

  report(): ConnectionReport {
    const { eventsPerFrame } = this.#shape;
    const settledEvents = this.#ackedFrames * eventsPerFrame;
    const [refused, uncertain] = [this.#refused, this.#uncertain];
    return { sentEvents: this.sentEvents, settledEvents, refused, uncertain };
  }

  /** Ends the connection without a word, and leaves no socket in TIME_WAIT. */
  close(): void {
    this.#closing = true;
    this.#socket?.resetAndDestroy();
  }

  #fits(): boolean {
    const { framesPerPacket } = this.#shape;
    const bytes = this.#sentBytes + framesPerPacket * this.#packet.frameBytes;
    return this.#sentFrames + framesPerPacket <= this.#credit.frames && bytes <= this.#credit.bytes;
  }

  hello(credit: Credit): void {
    this.#credit = credit;
  }

  credit(credit: Credit): void {
    this.#credit = credit;
    this.#pump();
  }

  ack(frame: number): void {
    this.#listener.ackFrame();
    if (frame <= this.#ackedFrames || frame > this.#sentFrames) {
      this.#listener.problem(`ack ${frame} is not between ${this.#ackedFrames} and what was sent`);
      return;
    }
    const first = this.#ackedFrames;
    this.#ackedFrames = frame;
    const { eventsPerFrame } = this.#shape;
    if (this.#nacked.size === 0) {
      this.#listener.acked(this.#index, first, frame - first, eventsPerFrame);
      return;
    }
    for (let number = first; number < frame; number++) {
      const events = eventsPerFrame - (this.#nacked.get(number) ?? 0);
      this.#nacked.delete(number);
      if (events > 0) this.#listener.acked(this.#index, number, 1, events);
    }
  }

  nack(frame: number, errors: readonly NackError[]): void {
    const { framesPerPacket, eventsPerFrame } = this.#shape;
    const number = frame - 1;
    const writtenMs = this.#writtenMs[Math.floor(number / framesPerPacket) % RING]!;
    const base = number * eventsPerFrame;
    let refused = 0;
    for (const { code, events = [[0, eventsPerFrame - 1] as const] } of errors) {
      const ranges = code === 'timeout' ? this.#uncertain : this.#refused;
      for (const [first, last] of events) {
        ranges.push(base + first, base + last);
        refused += last - first + 1;
        this.#listener.refused(code, last - first + 1, writtenMs);
      }
    }
    this.#nacked.set(number, refused);
  }

  ping(payload: Buffer): void {
    const head = Buffer.from([PONG, 0x80 | payload.length, 0, 0, 0, 0]);
    this.#socket!.write(Buffer.concat([head, payload]));
  }

  ended(why: string): void {
    if (this.#closing) return;
    this.#closing = true;
    this.#listener.problem(`connection ${this.#index} ended: ${why}`);
  }
}
