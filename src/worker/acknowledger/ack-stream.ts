import assert from 'node:assert/strict';
import type { EventCode } from '../../common/errors.ts';
import { LIMITS } from '../../config/limits.ts';
import type { Owner, OwnerIdentity } from '../accumulator/batch.ts';
import type { Credit, CreditBuffer, CreditWaiter } from './credit.ts';
import { NackDebt } from './nack-debt.ts';
import { Rejections } from './rejections.ts';

/** Channel to the client of a stream. */
export interface AckChannel {
  /** Sends text frames, in order; closes a client that does not read them. */
  send(texts: readonly string[]): void;
  /** Bytes not read by the client, in addition to the kernel's buffers. */
  unreadBytes(): number;
}

/** Initial capacity of the ring of open frames. */
const FIRST_RING = 16;
const NONE: readonly number[] = [];

/**
 * The acknowledgements of one `forebay.v1` connection. Frames are numbered from 1.
 *
 *            settled            open                 not sent yet
 *   1 ............ acked | acked+1 ...... received | ...... granted credit
 *                          ring: unsettled events, and payload bytes up to here
 */
export class AckStream implements Owner, CreditWaiter {
  readonly plain = false;
  readonly transport = 'ws';
  readonly identity: OwnerIdentity;
  readonly requestId: string | undefined;
  #closed = false;
  /** The stream is in the list of streams to flush. */
  #dirty = false;
  readonly #onDirty: (stream: AckStream) => void;
  readonly #channel: AckChannel;
  readonly #credit: Credit;
  #buffer: CreditBuffer;
  /** By frame number & mask: unsettled events, plus one while the frame is decoded. */
  #open = new Uint32Array(FIRST_RING);
  /** By frame number & mask: payload bytes from the connection's start up to this frame. */
  #bytes = new Float64Array(FIRST_RING);
  #acked = 0;
  #received = 0;
  #receivedBytes = 0;
  #ackedBytes = 0;
  #grantedFrames: number = LIMITS.creditFrames;
  #grantedBytes: number;
  /** Rejections by frame; undefined for most connections. */
  #rejections: Map<number, Rejections> | undefined;
  /** Frames whose nack is due. */
  #nackable: readonly number[] = NONE;
  /** Debt of nacks sent; undefined = no nack was sent. */
  #debt: NackDebt | undefined;

  /**
   * @param buffer that its events use
   * @param onDirty called when the stream has something to send, once until {@link flush}
   * @param requestId see Owner
   */
  constructor(
    channel: AckChannel,
    identity: OwnerIdentity,
    credit: Credit,
    buffer: CreditBuffer,
    onDirty: (stream: AckStream) => void,
    requestId?: string,
  ) {
    this.requestId = requestId;
    this.#channel = channel;
    this.identity = identity;
    this.#onDirty = onDirty;
    this.#credit = credit;
    this.#buffer = buffer;
    this.#grantedBytes = credit.join(buffer);
  }

  /**
   * Sends the limits of the connection and its first credit.
   * @param streams names of the streams that it can write to; undefined without a stream file
   */
  hello(streams?: readonly string[]): void {
    const hello = {
      maxFrameBytes: this.#credit.maxFrameBytes,
      maxFrameEvents: LIMITS.frameEvents,
      credit: { frames: this.#grantedFrames, bytes: this.#grantedBytes },
      streams,
    };
    this.#channel.send([JSON.stringify({ hello })]);
  }

  /** Sets the buffer that its events use from now on. */
  setBuffer(buffer: CreditBuffer = this.#credit.budget): void {
    this.#buffer = buffer;
    // It may have room.
    this.#markDirty();
  }

  /** Announces that the connection can now write to other streams. */
  announceStreams(streams: readonly string[]): void {
    if (!this.#closed) this.#channel.send([JSON.stringify({ streams })]);
  }

  /**
   * Opens a received frame until {@link endFrame}.
   * @returns its number, or undefined if it exceeds the credit
   */
  beginFrame(bytes: number): number | undefined {
    const frame = this.#received + 1;
    if (frame > this.#grantedFrames || this.#receivedBytes + bytes > this.#grantedBytes) {
      return undefined;
    }
    this.#received = frame;
    this.#receivedBytes += bytes;
    if (frame - this.#acked > this.#open.length) this.#growRing();
    const slot = frame & (this.#open.length - 1);
    this.#open[slot] = 1;
    this.#bytes[slot] = this.#receivedBytes;
    return frame;
  }

  /** All received frames are acknowledged to the client. */
  get allAcknowledged(): boolean {
    return this.#acked === this.#received;
  }

  /** Ends decoding of a frame: its events are all accepted or rejected. */
  endFrame(frame: number): void {
    this.#settle(frame, 1);
  }

  /** Handles the end of the connection. Batches may still refer to the stream for a long time. */
  close(): void {
    this.#closed = true;
    this.#credit.leave(this);
    const rejections = this.#rejections?.values() ?? [];
    this.#rejections = undefined;
    for (const each of rejections) each.release();
    this.#nackable = NONE;
  }

  accepted(frame: number): void {
    this.#open[frame & (this.#open.length - 1)]!++;
  }

  settled(frame: number, _events: readonly number[], from: number, to: number): boolean {
    this.#settle(frame, to - from);
    this.#debt?.accepted(to - from);
    return true;
  }

  rejected(
    frame: number,
    event: number | undefined,
    code: EventCode,
    message: string,
    retryAfterMs?: number,
  ): void {
    if (this.#closed) return;
    this.#rejections ??= new Map();
    let rejections = this.#rejections.get(frame);
    if (rejections === undefined) {
      rejections = new Rejections(this.#credit.budget);
      this.#rejections.set(frame, rejections);
    }
    rejections.add(event, code, message, retryAfterMs);
  }

  #settle(frame: number, count: number): void {
    assert(frame > this.#acked && frame <= this.#received, 'only open frames have events');
    const slot = frame & (this.#open.length - 1);
    const left = this.#open[slot]! - count;
    assert(left >= 0, 'more events were settled than accepted');
    this.#open[slot] = left;
    if (left > 0) return;
    if (this.#rejections?.has(frame)) this.#nackable = [...this.#nackable, frame];
    this.#markDirty();
  }

  /** Marks the stream dirty: its credit may rise now. */
  creditAvailable(): void {
    this.#markDirty();
  }

  #markDirty(): void {
    if (this.#dirty) return;
    this.#dirty = true;
    this.#onDirty(this);
  }

  /** Sends what is due, once per turn of the event loop: first nacks, then one ack, then credit. */
  flush(): void {
    this.#dirty = false;
    if (this.#closed) return;
    const texts: string[] = [];
    for (const frame of this.#nackable) {
      const rejections = this.#rejections?.get(frame);
      this.#rejections?.delete(frame);
      texts.push(JSON.stringify({ nack: frame, errors: rejections?.entries() }));
      rejections?.release();
    }
    if (texts.length > 0) this.#addDebt(texts);
    this.#nackable = NONE;
    if (this.#advance()) texts.push(`{"ack":${this.#acked}}`);
    const credit = this.#raiseCredit();
    if (credit !== undefined) texts.push(credit);
    if (texts.length > 0) this.#channel.send(texts);
  }

  #addDebt(nacks: readonly string[]): void {
    const bytes = nacks.reduce((sum, text) => sum + text.length, 0);
    this.#debt ??= new NackDebt();
    this.#debt.add(bytes, performance.now());
  }

  /** Returns whether the client should read before it sends more. */
  get #isBehind(): boolean {
    if (this.#channel.unreadBytes() > 0) return true;
    return this.#debt?.isHigh(performance.now()) ?? false;
  }

  /** Moves `acked` past all settled frames. @returns whether it moved */
  #advance(): boolean {
    const mask = this.#open.length - 1;
    const before = this.#acked;
    while (this.#acked < this.#received && this.#open[(this.#acked + 1) & mask] === 0) {
      this.#acked++;
    }
    if (this.#acked === before) return false;
    if (this.allAcknowledged) this.#buffer.settled?.();
    this.#ackedBytes = this.#bytes[this.#acked & mask]!;
    return true;
  }

  /**
   * Grants a full window from the settled frames once half of the last one is used, or the rest of
   * it cannot hold the largest frame. Credit never falls. It does not rise while the buffer is
   * above its high-water mark, or the client has much to read.
   */
  #raiseCredit(): string | undefined {
    const { maxFrameBytes } = this.#credit;
    const windowBytes = this.#credit.windowBytesOf(this.#buffer);
    const frames = this.#acked + LIMITS.creditFrames;
    const bytes = Math.max(this.#grantedBytes, this.#ackedBytes + windowBytes);
    const moreBytes = bytes - this.#grantedBytes;
    const leftBytes = this.#grantedBytes - this.#receivedBytes;
    const worthIt =
      frames - this.#grantedFrames >= LIMITS.creditFrames / 2 ||
      moreBytes >= windowBytes / 2 ||
      (moreBytes > 0 && leftBytes < maxFrameBytes);
    if (!worthIt || !this.#credit.mayRise(this, this.#isBehind, this.#buffer)) return undefined;
    this.#grantedFrames = frames;
    this.#grantedBytes = bytes;
    return `{"credit":{"frames":${frames},"bytes":${bytes}}}`;
  }

  #growRing(): void {
    const { length } = this.#open;
    const open = new Uint32Array(length * 2);
    const bytes = new Float64Array(length * 2);
    for (let frame = this.#acked + 1; frame < this.#received; frame++) {
      open[frame & (length * 2 - 1)] = this.#open[frame & (length - 1)]!;
      bytes[frame & (length * 2 - 1)] = this.#bytes[frame & (length - 1)]!;
    }
    this.#open = open;
    this.#bytes = bytes;
  }
}
