import { EVENT_CODES } from '../../../common/errors.ts';
import { LIMITS } from '../../../config/limits.ts';
import type { Logger } from '../../../logging/logger.ts';
import { type Counters, cell, cells, histogram } from '../../../metrics/counters.ts';
import type { Budget } from '../../accumulator/budget.ts';
import type { Acknowledger } from '../../acknowledger/acknowledger.ts';
import { type EventsResponse, HttpReply } from '../../acknowledger/http-reply.ts';
import { charge, isInDebt } from '../../admission/token-bucket.ts';
import type { DecodeBounds } from '../../decoder/decode-bounds.ts';
import type { DryRuns } from '../../dry-run/dry-run.ts';
import type { Explanations } from '../../explain/explanation.ts';
import type { FrameProgress } from '../../intake/frame-progress.ts';
import type { Intake } from '../../intake/intake.ts';
import type { Allocation, InputMemory } from '../../overload/input-memory.ts';
import type { TurnBudget } from '../../overload/turn-budget.ts';
import { rethrowAssertion } from '../fault-containment.ts';
import { Fifo, type Slicer } from '../slicer.ts';
import { BodySlots } from './body-slots.ts';
import { type InflateResult, Inflater } from './inflate.ts';
import { type PendingBody, pendingBody, type ReceivedBody } from './pending-body.ts';
import type { PendingResponse } from './pending-response.ts';
import { countRejected, type ResponseContent } from './responses.ts';

const RECEIVED_BYTES = cells('forebay_received_bytes_total', ['http']).http;
const KEY_BYTES = cell('forebay_key_bytes_total');
const DECODE = histogram('forebay_stage_duration_seconds', 'decode');
const TOO_LARGE = 413;
export const NO_BYTES = Buffer.alloc(0);
/** An HTTP body is one frame. */
const FRAME = 0;

export interface BodyDecoderOptions {
  readonly maxEventBytes: number;
  /** See DecodeBounds. */
  readonly maxEventDepth: number;
  /** Time from a body's last byte to its response. */
  readonly timeoutMs: number;
  readonly intake: Intake;
  readonly turn: TurnBudget;
  readonly slicer: Slicer;
  /** Charged for bodies that are not fully decoded. */
  readonly inputMemory: InputMemory;
  readonly acknowledger: Acknowledger;
  readonly explanations: Explanations;
  readonly dryRuns: DryRuns;
  readonly budget: Budget;
  readonly counters: Counters;
  readonly log: Logger;
}

/** A body that waits for decompression or decoding. */
interface QueuedBody extends Omit<PendingBody, 'bytes'> {
  bytes: Buffer;
  /** Charged for its bytes and their decompressed size. */
  readonly allocation: Allocation;
  /** Frees its slot. */
  readonly onLeave: () => void;
  /** Cancels its decompression, which then reports no result. */
  cancel: (() => void) | undefined;
  evicted: boolean;
}

/**
 * Decodes bodies: short ones at once, others in slices. Bodies that wait for a slice or for
 * decompression are outside the budget: their number is bounded, and {@link InputMemory} is charged
 * for them. An evicted body is rejected as `buffer_full`: its sender is not at fault.
 */
export class BodyDecoder {
  readonly #options: BodyDecoderOptions;
  readonly #bounds: DecodeBounds;
  readonly #inflater = new Inflater();
  readonly #slots = new BodySlots();
  /** Short bodies that wait for a turn with time left. */
  #deferred = 0;
  /** Bodies that wait for their rejection. */
  readonly #rejected = new Fifo<PendingBody>();

  constructor(options: BodyDecoderOptions) {
    this.#options = options;
    const { maxEventBytes, maxEventDepth: maxDepth } = options;
    this.#bounds = { maxEvents: LIMITS.bodyEvents, maxEventBytes, maxDepth };
  }

  /** A complete body is not fully decoded. */
  get busy(): boolean {
    return this.#slots.used + this.#deferred + this.#rejected.length > 0;
  }

  /** Rejects a body of `receivedBytes` that was not kept as `buffer_full`. */
  reject(received: ReceivedBody, receivedBytes: number, response: PendingResponse): void {
    this.#rejectInTurn(pendingBody(received, receivedBytes, response));
  }

  /** Decodes a body, and responds when its events are settled. */
  decode(received: ReceivedBody, response: PendingResponse): void {
    const { bytes, encoding, buckets, sender } = received;
    const body = pendingBody(received, bytes.length, response);
    const { completeAtMs, receivedBytes } = body;
    if (buckets !== undefined && isInDebt(buckets, completeAtMs)) return this.#rejectInTurn(body);
    const isPlain = encoding === 'identity';
    const hasTime = this.#options.turn.spend(bytes.length) && !this.#options.slicer.hasPendingInput;
    if (isPlain && bytes.length <= LIMITS.oneShotBytes) {
      return hasTime ? this.#decodeNow(body) : this.#decodeLater(body);
    }
    if (!this.#slots.acquire(sender)) return this.#rejectInTurn(body);
    const queued = this.#enqueue(body, 0, () => this.#slots.release(sender));
    if (queued.evicted) return;
    if (isPlain) return this.#decodeInSlices(queued, false);
    const { allocation } = queued;
    queued.cancel = this.#inflater.inflate(sender, encoding, queued.bytes, {
      progress: (outputBytes) => allocation.resize(receivedBytes + outputBytes),
      done: (inflated) => this.#inflated(queued, inflated),
    });
  }

  /**
   * Copies and queues a body, which may be evicted at once.
   * @param overheadBytes charged in addition to its bytes
   */
  #enqueue(body: PendingBody, overheadBytes: number, onLeave: () => void): QueuedBody {
    const allocation = this.#options.inputMemory.allocate(() => this.#evict(queued));
    const bytes = Buffer.from(body.bytes);
    const queued: QueuedBody = {
      ...body,
      bytes,
      allocation,
      onLeave,
      cancel: undefined,
      evicted: false,
    };
    allocation.resize(bytes.length + overheadBytes);
    return queued;
  }

  /** Evicts a body because memory is short. Responds later: another frame may be in progress. */
  #evict(queued: QueuedBody): void {
    queued.evicted = true;
    queued.cancel?.();
    queued.onLeave();
    this.#rejectLater(queued);
  }

  /** Removes a body from the queue. */
  #release({ allocation, onLeave }: QueuedBody): void {
    allocation.release();
    onLeave();
  }

  /** Returns the intake that decides on the events of a body. */
  #intakeOf({ shows }: PendingBody): Intake {
    return shows.dryRun ? this.#options.dryRuns.intake : this.#options.intake;
  }

  #decodeNow(body: PendingBody): void {
    const reply = this.#begin(body);
    const intake = this.#intakeOf(body);
    try {
      const rejected = this.#rejectIfFull(body);
      intake.countReceived(rejected || body.media.decode(body.bytes, this.#bounds, intake));
    } catch (error) {
      return this.#fail(body, error, reply);
    }
    this.#end(body, reply, body.bytes.length);
  }

  /** Closes the connection after an internal error, without a response. */
  #fail({ response }: PendingBody, error: unknown, reply: HttpReply | undefined): void {
    response.fail();
    reply?.fail();
    this.#options.log.error({ err: error }, 'internal error while processing a body');
    rethrowAssertion(error);
  }

  #inflated(queued: QueuedBody, inflated: InflateResult): void {
    queued.cancel = undefined;
    if (Buffer.isBuffer(inflated)) {
      queued.bytes = inflated;
      queued.allocation.resize(inflated.length);
      return this.#decodeInSlices(queued, false);
    }
    this.#release(queued);
    this.#chargeDecompression(queued, inflated);
    countRejected(this.#options.counters, inflated);
    queued.response.send(inflated);
  }

  /** Charges tokens for a rejected body, approximately by its decompressed bytes. */
  #chargeDecompression({ buckets, receivedBytes }: PendingBody, { status }: ResponseContent): void {
    if (buckets === undefined) return;
    const bytes = status === TOO_LARGE ? LIMITS.bodyBytes : receivedBytes;
    charge(buckets, Math.ceil(bytes / LIMITS.rejectedBytesPerToken), performance.now());
  }

  /** Decodes a short body in a turn of the event loop with time left. */
  #decodeLater(body: PendingBody): void {
    this.#deferred++;
    const queued = this.#enqueue(body, LIMITS.requestHeadBytes, () => this.#deferred--);
    if (!queued.evicted) this.#decodeInSlices(queued, true);
  }

  /** @param isInput whether later input waits for it */
  #decodeInSlices(body: QueuedBody, isInput: boolean): void {
    const { slicer } = this.#options;
    const intake = this.#intakeOf(body);
    const { bytes, media } = body;
    const finish = (reply: HttpReply) => {
      this.#release(body);
      this.#end(body, reply, bytes.length);
      return false;
    };
    let reply: HttpReply | undefined;
    let progress: FrameProgress | undefined;
    const slices = media.decodeInSlices(bytes, this.#bounds, intake);
    slicer.add({
      isInput,
      next: () => {
        if (body.evicted) return false;
        if (reply === undefined) {
          // Events already accepted prevent rejecting the body as a whole.
          body.allocation.pin();
          reply = this.#begin(body);
          const rejected = this.#rejectIfFull(body);
          if (rejected > 0) {
            intake.countReceived(rejected);
            return finish(reply);
          }
        }
        // The intake has served other frames since the last slice.
        if (progress !== undefined) this.#resume(body, reply, progress);
        const slice = slices.next();
        progress = intake.progress;
        if (!slice.done) {
          intake.countReceived(slice.value);
          return true;
        }
        return finish(reply);
      },
      failed: (error) => {
        this.#release(body);
        this.#fail(body, error, reply);
      },
    });
  }

  /**
   * Rejects a body, in a later turn of the event loop if this one has no time left. Only a few per
   * turn: a client sends its next body after a response, which is read before it can be paused.
   */
  #rejectInTurn(body: PendingBody): void {
    if (this.#options.turn.spent || this.#rejected.length > 0) this.#rejectLater(body);
    else this.#reject(body);
  }

  #rejectLater(body: PendingBody): void {
    // Frees its bytes meanwhile.
    this.#rejected.push({ ...body, bytes: NO_BYTES });
    if (this.#rejected.length === 1) this.#options.turn.afterTurn(() => this.#rejectSome());
  }

  #rejectSome(): void {
    for (let left = LIMITS.resumedBodies; left > 0; left--) {
      const body = this.#rejected.shift();
      if (body === undefined) return;
      this.#reject(body);
    }
    if (this.#rejected.length > 0) this.#options.turn.afterTurn(() => this.#rejectSome());
  }

  /** See Intake.rejectIfFull. */
  #rejectIfFull(body: PendingBody): number {
    const { bytes, media } = body;
    return this.#intakeOf(body).rejectIfFull(bytes, media.countEvents, this.#bounds.maxEvents);
  }

  /** Rejects a body undecoded: its sender's bucket is in debt, or no slot is free. */
  #reject(body: PendingBody): void {
    const reply = this.#begin(body);
    const intake = this.#intakeOf(body);
    if (!intake.rejectIfInDebt()) intake.rejectFrame('buffer_full', EVENT_CODES.buffer_full.text);
    intake.countReceived(1);
    this.#end(body, reply, body.receivedBytes);
  }

  #resume(body: PendingBody, reply: HttpReply, from: FrameProgress): void {
    const { route, buckets, provenance } = body;
    this.#intakeOf(body).resume(reply, FRAME, route, buckets, provenance, from);
  }

  #begin(body: PendingBody): HttpReply {
    const { receivedBytes, route, buckets, identity, response, completeAtMs, provenance } = body;
    const { budget, counters, dryRuns } = this.#options;
    const respond = (content: EventsResponse) => response.respond(content);
    const requestId = provenance.facts['request-id'];
    const { records, explanation, dryRun } = body.shows;
    const explained = explanation || dryRun ? this.#options.explanations.begin() : undefined;
    const reply = dryRun
      ? dryRuns.reply(identity, respond, requestId, explained)
      : new HttpReply(identity, budget, respond, requestId, records, explained);
    this.#intakeOf(body).begin(reply, FRAME, route, false, buckets, completeAtMs, provenance);
    counters.add(RECEIVED_BYTES, receivedBytes);
    if (identity.keyCells >= 0) counters.add(KEY_BYTES + identity.keyCells, receivedBytes);
    return reply;
  }

  /**
   * Ends a body whose events are all accepted or rejected, and starts the timeout of its response.
   * @param bytes decompressed size
   */
  #end(body: PendingBody, reply: HttpReply, bytes: number): void {
    const { response, completeAtMs } = body;
    const { acknowledger, counters, timeoutMs } = this.#options;
    this.#intakeOf(body).end(bytes);
    const elapsedMs = performance.now() - completeAtMs;
    counters.observe(DECODE, elapsedMs / 1000);
    reply.endBody();
    if (reply.answered) return;
    response.expireAfter(Math.max(0, timeoutMs - elapsedMs), () => acknowledger.expire(reply));
  }
}
