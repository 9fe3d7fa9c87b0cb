import type { Socket } from 'node:net';
import type { Credit, NackError } from '../../testing/protocol.ts';
import { openSocket } from './handshake.ts';
import { type ConnectionReport, type LoadShape, streamName } from './messages.ts';
import type { Packet, Packets } from './packet.ts';
import { type ServerFrameListener, ServerFrames } from './server-frames.ts';
import type { Slab } from './slab.ts';

/** Callbacks shared by all connections of a run. */
export interface LoadListener {
  /** `frames` frames starting at `first` (from 0) were acknowledged. */
  acked(connection: number, first: number, frames: number, eventsPerFrame: number): void;
  /** An ack frame arrived. */
  ackFrame(): void;
  refused(code: string, events: number, sentAtMs: number): void;
  problem(text: string): void;
}

/** Packets whose write time is remembered for rejections; more than credit ever allows. */
const RING = 128;
const PONG = 0x8a;

/**
 * One connection of the load client. Frames and events are counted from 0:
 *
 *   acked ≤ sent ≤ due: frames between the last two wait for credit
 */
export class LoadConnection implements ServerFrameListener {
  readonly #index: number;
  readonly #shape: LoadShape;
  readonly #packets: Packets;
  readonly #slab: Slab;
  readonly #time: Uint8Array;
  readonly #listener: LoadListener;
  readonly #frames: ServerFrames;
  #socket: Socket | undefined;
  #credit: Credit = { frames: 0, bytes: 0 };
  #sentFrames = 0;
  #sentBytes = 0;
  #ackedFrames = 0;
  /** Due packets that were not sent yet. */
  #waiting = 0;
  #starved = 0;
  #closing = false;
  readonly #writtenMs = new Float64Array(RING);
  /** Rejected events of frames without an ack. */
  readonly #nacked = new Map<number, number>();
  readonly #refused: number[] = [];
  readonly #uncertain: number[] = [];

  /** @param time digits of the events' timestamp; its owner keeps them current */
  constructor(
    index: number,
    shape: LoadShape,
    packets: Packets,
    slab: Slab,
    time: Uint8Array,
    listener: LoadListener,
  ) {
    this.#index = index;
    this.#shape = shape;
    this.#packets = packets;
    this.#slab = slab;
    this.#time = time;
    this.#listener = listener;
    this.#frames = new ServerFrames(this);
  }

  /** Connects; sending waits for the first credit. @throws Error */
  async open(): Promise<void> {
    const { port, streams } = this.#shape;
    const path = streams === undefined ? '/ws' : `/ws/${streamName(this.#index % streams)}`;
    const socket = await openSocket(port, path, (chunk) => this.#frames.push(chunk));
    this.#socket = socket;
    socket.on('error', (error) => this.ended(error.message));
    socket.on('close', () => this.ended('closed'));
  }

  get ready(): boolean {
    return this.#credit.frames > 0;
  }

  /** A packet is due: it is sent as soon as credit allows. */
  due(): void {
    this.#waiting++;
    if (!this.#fits()) this.#starved++;
    this.#pump();
  }

  /** Sends as much as credit allows. */
  #pump(): void {
    const { framesPerPacket, eventsPerFrame } = this.#shape;
    while (this.#waiting > 0 && this.#fits()) {
      const packet = this.#next();
      const bytes = this.#slab.allocate(packet.length);
      packet.write(bytes, 0, this.#index, this.#sentFrames * eventsPerFrame, this.#time);
      this.#writtenMs[(this.#sentFrames / framesPerPacket) % RING] = performance.now();
      this.#socket!.write(bytes);
      this.#sentFrames += framesPerPacket;
      this.#sentBytes += packet.payloadBytes;
      this.#waiting--;
    }
  }

  /** Drops packets that wait for credit. */
  dropQueue(): void {
    this.#waiting = 0;
  }

  get waiting(): number {
    return this.#waiting;
  }
  get starved(): number {
    return this.#starved;
  }
  /** Everything due is sent, and acknowledged or rejected. */
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

  /** Resets the connection, which leaves no socket in TIME_WAIT. */
  close(): void {
    this.#closing = true;
    this.#socket?.resetAndDestroy();
  }

  /** Returns the packet to send next. */
  #next(): Packet {
    return this.#packets.at(this.#index, this.#sentFrames / this.#shape.framesPerPacket);
  }

  #fits(): boolean {
    const { framesPerPacket } = this.#shape;
    const bytes = this.#sentBytes + this.#next().payloadBytes;
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
      this.#listener.problem(`ack ${frame} is outside the frames in flight`);
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
