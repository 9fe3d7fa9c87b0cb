/**
 * WebSocket frames on arrival: decoded at once while the turn of the event loop has time left, else
 * queued and decoded in later turns, in order.
 */
import { LIMITS } from '../../../config/limits.ts';
import type { Logger } from '../../../logging/logger.ts';
import { type Counters, cell, cells, histogram } from '../../../metrics/counters.ts';
import type { Owner } from '../../accumulator/batch.ts';
import type { AckStream } from '../../acknowledger/ack-stream.ts';
import type { Buckets } from '../../admission/token-bucket.ts';
import type { DecodeBounds } from '../../decoder/decode-bounds.ts';
import { countEvents } from '../../decoder/json/count-events.ts';
import { decodeText } from '../../decoder/json/text.ts';
import { countMsgpackEvents, decodeMsgpack } from '../../decoder/msgpack/msgpack.ts';
import type { Intake } from '../../intake/intake.ts';
import type { Inflow } from '../../overload/flood.ts';
import type { InputMemory } from '../../overload/input-memory.ts';
import type { TurnBudget } from '../../overload/turn-budget.ts';
import type { Provenance } from '../../streams/provenance.ts';
import type { Route } from '../../streams/route.ts';
import { rethrowAssertion } from '../fault-containment.ts';
import type { Slicer } from '../slicer.ts';
import { type Frame, FrameQueue } from './frame-queue.ts';
import type { Goaway } from './goaway.ts';

const PLAIN_FRAME = 0;

const RECEIVED_BYTES = cells('forebay_received_bytes_total', ['ws']).ws;
const KEY_BYTES = cell('forebay_key_bytes_total');
const DECODE = histogram('forebay_stage_duration_seconds', 'decode');

export interface FramesOptions {
  readonly maxFrameBytes: number;
  /** See DecodeBounds. */
  readonly maxEventDepth: number;
  readonly intake: Intake;
  readonly turn: TurnBudget;
  readonly slicer: Slicer;
  readonly inputMemory: InputMemory;
  readonly counters: Counters;
  readonly log: Logger;
}

/** The part of a connection that frames use. */
export interface FrameSource {
  readonly ackStream: AckStream | undefined;
  readonly owner: Owner;
  readonly route: Route;
  readonly provenance: Provenance;
  readonly buckets: Buckets | undefined;
  readonly goaway: Goaway | undefined;
  readonly inflow: Inflow;
  /** Undefined until a frame is queued. */
  queue: FrameQueue | undefined;
  /** Ends it without a close frame after an internal error. */
  terminate(): void;
  /** Ends it because it floods the worker. */
  endFlooding(): void;
}

export class Frames {
  readonly #options: FramesOptions;
  readonly #bounds: DecodeBounds;
  /** Bytes that a connection may always send while the worker only queues input. */
  readonly #minBytes: number;
  /** Queues that are not empty. */
  readonly #waiting = new Set<FrameQueue>();
  /** Frames since the last observed decode time. */
  #uncounted = 0;

  constructor(options: FramesOptions) {
    this.#options = options;
    const { maxFrameBytes, maxEventDepth: maxDepth } = options;
    this.#bounds = { maxEvents: LIMITS.frameEvents, maxEventBytes: maxFrameBytes, maxDepth };
    this.#minBytes = Math.max(LIMITS.creditBytes, 2 * maxFrameBytes);
  }

  /** A received frame is not decoded yet. */
  get busy(): boolean {
    return this.#waiting.size > 0;
  }

  /** Returns whether a frame that arrived until `ms` (monotonic clock) is not decoded yet. */
  decodesUntil(ms: number): boolean {
    for (const { oldestMs } of this.#waiting) if (oldestMs <= ms) return true;
    return false;
  }

  /**
   * Decodes or queues a frame.
   * @param message valid only during the call
   * @returns the reason to end its connection, if any
   */
  receive(
    source: FrameSource,
    message: ArrayBuffer,
    isBinary: boolean,
  ): 'credit_exceeded' | 'flooding' | undefined {
    const { ackStream, route } = source;
    const { turn, slicer } = this.#options;
    const { byteLength } = message;
    const number = ackStream === undefined ? PLAIN_FRAME : ackStream.beginFrame(byteLength);
    if (number === undefined) return 'credit_exceeded';
    const tooLate = source.goaway?.isGraceOver() ?? false;
    const bytes = Buffer.from(message);
    const hasTime = turn.spend(byteLength) && !slicer.hasPendingInput;
    if (hasTime || this.#isRejectedAtOnce(source, tooLate)) {
      this.#decode(source, { bytes, isBinary, number, route, arrivedMs: undefined, tooLate });
      if (hasTime) return undefined;
    } else {
      const arrivedMs = performance.now();
      const copy = Buffer.from(bytes);
      this.#enqueue(source, { bytes: copy, isBinary, number, route, arrivedMs, tooLate });
    }
    // Credit bounds the frames of a stream.
    return ackStream === undefined && this.#isFlooded(source, byteLength) ? 'flooding' : undefined;
  }

  /** Counts a ping or pong as input. @returns whether its connection is flooding */
  countControl(source: FrameSource, bytes: number): boolean {
    if (this.#options.turn.spend(bytes)) return false;
    return this.#exceedsTurn(source, bytes) || source.inflow.messages > LIMITS.turnMessages;
  }

  /**
   * Handles the end of a connection. Queued frames of a plain client are still decoded; other
   * frames are unacknowledged, and their client sends them again.
   */
  closed({ queue, ackStream }: FrameSource): void {
    if (ackStream !== undefined) this.drop(queue);
    else queue?.finish();
  }

  /** Drops queued frames. */
  drop(queue: FrameQueue | undefined): void {
    if (queue === undefined) return;
    queue.drop();
    this.#waiting.delete(queue);
  }

  /**
   * Whether a frame that would be queued is rejected instead, since the buffer is full: it is not
   * copied. Credit bounds the time that this takes in a turn; a plain client has none. Declared
   * repeats are counted in order, behind the frames that are queued.
   */
  #isRejectedAtOnce(source: FrameSource, tooLate: boolean): boolean {
    const { turn, intake } = this.#options;
    const { ackStream, provenance, route } = source;
    if (tooLate || provenance.resent > 0 || (turn.overlong && ackStream === undefined))
      return false;
    return intake.isFullFor(route);
  }

  #isFlooded(source: FrameSource, bytes: number): boolean {
    if (this.#options.turn.spent && this.#exceedsTurn(source, bytes)) return true;
    return source.queue !== undefined && source.queue.heldBytes > LIMITS.turnBytes;
  }

  /** Counts input in a turn without time left. @returns whether it is more than allowed */
  #exceedsTurn({ inflow }: FrameSource, bytes: number): boolean {
    const { turn } = this.#options;
    inflow.add(turn.number, bytes);
    if (!turn.overlong) return false;
    return inflow.messages > LIMITS.creditFrames || inflow.bytes > this.#minBytes;
  }

  #enqueue(source: FrameSource, frame: Frame): void {
    source.queue ??= this.#createQueue(source);
    this.#waiting.add(source.queue);
    source.queue.push(frame);
  }

  #createQueue(source: FrameSource): FrameQueue {
    const { slicer, inputMemory } = this.#options;
    const evicted = () => {
      this.drop(queue);
      source.endFlooding();
    };
    const decode = (frame: Frame) => {
      if (queue.length === 0) this.#waiting.delete(queue);
      this.#decode(source, frame);
    };
    const failed = (error: unknown) => {
      this.drop(queue);
      this.failed(source, error);
    };
    const queue = new FrameQueue(slicer, inputMemory.allocate(evicted), decode, failed);
    return queue;
  }

  /**
   * Ends a connection after an internal error in one of its frames; its client sends unacknowledged
   * frames again.
   * @throws AssertionError as rethrowAssertion
   */
  failed(source: FrameSource, err: unknown): void {
    source.terminate();
    this.#options.log.error({ err }, 'internal error while processing a frame');
    rethrowAssertion(err);
  }

  #decode(source: FrameSource, frame: Frame): void {
    const { counters, intake } = this.#options;
    const { number, bytes, isBinary, route, arrivedMs, tooLate } = frame;
    const { keyCells } = source.owner.identity;
    counters.add(RECEIVED_BYTES, bytes.length);
    if (keyCells >= 0) counters.add(KEY_BYTES + keyCells, bytes.length);
    const { owner, buckets, provenance } = source;
    intake.begin(owner, number, route, tooLate, buckets, arrivedMs, provenance);
    intake.countReceived(intake.rejectIfInDebt() ? 1 : this.#decodeOrReject(bytes, isBinary));
    intake.end(bytes.length);
    if (++this.#uncounted === LIMITS.decodeSample) {
      this.#uncounted = 0;
      counters.observe(DECODE, intake.sinceArrivalSeconds);
    }
    source.ackStream?.endFrame(number);
  }

  /** Decodes or rejects a frame. @returns its number of events */
  #decodeOrReject(bytes: Buffer, isBinary: boolean): number {
    const { intake, maxFrameBytes } = this.#options;
    if (bytes.length <= maxFrameBytes) {
      const count = isBinary ? countMsgpackEvents : countEvents;
      const rejected = intake.rejectIfFull(bytes, count, this.#bounds.maxEvents);
      if (rejected > 0) return rejected;
      return (isBinary ? decodeMsgpack : decodeText)(bytes, this.#bounds, intake);
    }
    const length = `the frame has ${bytes.length} bytes`;
    intake.rejectFrame('too_large', `${length}, the limit is ${maxFrameBytes}`, bytes);
    return 1;
  }
}
