import { EVENT_CODES } from '../../../common/errors.ts';
import { LIMITS } from '../../../config/limits.ts';
import type { Logger } from '../../../logging/logger.ts';
import { type Counters, cells, histogram } from '../../../metrics/counters.ts';
import type { Budget } from '../../accumulator/budget.ts';
import type { Acknowledger } from '../../acknowledger/acknowledger.ts';
import { HttpReply } from '../../acknowledger/http-reply.ts';
import { type Buckets, charge, isInDebt } from '../../admission/token-bucket.ts';
import type { DecodeBounds } from '../../decoder/event-sink.ts';
import type { Intake, SoFar } from '../../intake/intake.ts';
import type { Allocation, InputMemory } from '../../overload/input-memory.ts';
import type { TurnBudget } from '../../overload/turn-budget.ts';
import { rethrowAssertion } from '../fault-containment.ts';
import { Fifo, type Slicer } from '../slicer.ts';
import { BodySlots } from './body-slots.ts';
import type { MediaType } from './content-types.ts';
import { type Encoding, type InflateResult, Inflater } from './inflate.ts';
import type { PendingResponse } from './pending-response.ts';
import { countRejected, type ResponseContent } from './responses.ts';

const RECEIVED = cells('forebay_events_received_total', ['http']).http;
const RECEIVED_BYTES = cells('forebay_received_bytes_total', ['http']).http;
const DECODE = histogram('forebay_stage_duration_seconds', 'decode');
const TOO_LARGE = 413;
const NO_BYTES = Buffer.alloc(0);
/** An HTTP body is one frame. */
const FRAME = 0;

export interface BodyDecoderOptions {
  readonly maxEventBytes: number;
  /** See DecodeBounds. */
  readonly maxEventDepth: number;
  /** Time from a body's last byte to its answer. */
  readonly timeoutMs: number;
  readonly intake: Intake;
  readonly turn: TurnBudget;
  readonly slicer: Slicer;
  /** Charged for bodies that are not handed on yet. */
  readonly inputMemory: InputMemory;
  readonly acknowledger: Acknowledger;
  readonly budget: Budget;
  readonly counters: Counters;
  readonly log: Logger;
}

/** A body as it came. */
export interface ReceivedBody {
  /** May be gone when who is given it returns. */
  readonly bytes: Buffer;
  readonly media: MediaType;
  readonly encoding: Encoding | 'identity';
  /** What bounds its sender's rate of events, if anything does. */
  readonly buckets: Buckets | undefined;
  /** The name of its sender's key or token; empty where nobody has to say who he is. */
  readonly identity: string;
  /** What places for waiting bodies are shared by: its sender's key, or else its address. */
  readonly sender: string;
}

/** That, and whom to tell what becomes of it. */
interface PendingBody extends ReceivedBody {
  /** Bytes as received, before decompression. */
  readonly receivedBytes: number;
  readonly response: PendingResponse;
  /** By the monotonic clock. */
  readonly completeAtMs: number;
}

/** A body that waits to be decompressed or decoded. */
interface QueuedBody extends Omit<PendingBody, 'bytes'> {
  bytes: Buffer;
  /** Charged for its bytes, and for what they decompress to. */
  readonly allocation: Allocation;
  /** Gives its place to another one. */
  readonly onLeave: () => void;
  /** Ends its decompression; nothing comes of it then. */
  cancel: (() => void) | undefined;
  evicted: boolean;
}

/**
 * Decodes bodies: short ones at once, the others a slice at a time. Those that wait for that, or
 * for decompression, are outside the budget: their number has a bound, and {@link InputMemory} is
 * charged for them. One that is evicted is `buffer_full`: its sender has done all that it should.
 */
export class BodyDecoder {
  readonly #options: BodyDecoderOptions;
  readonly #bounds: DecodeBounds;
  readonly #inflater = new Inflater();
  readonly #slots = new BodySlots();
  /** Short bodies that wait for time. */
  #deferred = 0;
  /** Bodies whose rejection waits for time. */
  readonly #rejected = new Fifo<PendingBody>();

  constructor(options: BodyDecoderOptions) {
    this.#options = options;
    const { maxEventBytes, maxEventDepth: maxDepth } = options;
    this.#bounds = { maxEvents: LIMITS.bodyEvents, maxEventBytes, maxDepth };
  }

  /** A body is there that is not taken apart. */
  get busy(): boolean {
    return this.#slots.used + this.#deferred + this.#rejected.length > 0;
  }

  /** Takes a body, and answers when its events are settled. */
  decode(received: ReceivedBody, response: PendingResponse): void {
    const { bytes, media, encoding, buckets, identity, sender } = received;
    const completeAtMs = performance.now();
    const receivedBytes = bytes.length;
    // Field by field: when this and the answers were spread, all of a request stayed in memory
    // until a full collection.
    const named = { identity, sender };
    const body = {
      bytes,
      media,
      encoding,
      buckets,
      ...named,
      receivedBytes,
      response,
      completeAtMs,
    };
    if (buckets !== undefined && isInDebt(buckets, completeAtMs)) return this.#rejectInTurn(body);
    const isPlain = encoding === 'identity';
    const hasTime = this.#options.turn.spend(bytes.length) && !this.#options.slicer.hasPendingInput;
    if (isPlain && bytes.length <= LIMITS.atOnceBytes) {
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
   * Keeps a body, which may be evicted at once.
   * @param overheadBytes charged beside its bytes
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

  /** Memory is short. It may be so in the middle of another frame: the answer comes later. */
  #evict(queued: QueuedBody): void {
    queued.evicted = true;
    queued.cancel?.();
    queued.onLeave();
    this.#rejectLater(queued);
  }

  /** It waits no longer. */
  #release({ allocation, onLeave }: QueuedBody): void {
    allocation.release();
    onLeave();
  }

  #decodeNow(body: PendingBody): void {
    const reply = this.#begin(body);
    const { intake, counters } = this.#options;
    try {
      counters.add(RECEIVED, body.media.decode(body.bytes, this.#bounds, intake));
    } catch (error) {
      return this.#fail(body, error, reply);
    }
    this.#end(body, reply, body.bytes.length);
  }

  /** Something of ours has failed on it: nobody is told of its events. */
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

  /** A rejected body takes tokens by the bytes that it was decompressed to, about. */
  #chargeDecompression({ buckets, receivedBytes }: PendingBody, { status }: ResponseContent): void {
    if (buckets === undefined) return;
    const bytes = status === TOO_LARGE ? LIMITS.bodyBytes : receivedBytes;
    charge(buckets, Math.ceil(bytes / LIMITS.rejectedBytesPerToken), performance.now());
  }

  /** Takes a short body when a turn of the loop has time for it. */
  #decodeLater(body: PendingBody): void {
    this.#deferred++;
    const queued = this.#enqueue(body, LIMITS.requestHeadBytes, () => this.#deferred--);
    if (!queued.evicted) this.#decodeInSlices(queued, true);
  }

  /** @param isInput whether what comes later waits for it */
  #decodeInSlices(body: QueuedBody, isInput: boolean): void {
    const { intake, counters, slicer } = this.#options;
    const { bytes, media } = body;
    let reply: HttpReply | undefined;
    let soFar: SoFar | undefined;
    const slices = media.decodeInSlices(bytes, this.#bounds, intake);
    slicer.add({
      isInput,
      next: () => {
        if (body.evicted) return false;
        // What is taken of it cannot be refused as a whole any more.
        if (reply === undefined) body.allocation.pin();
        // Others were in between.
        reply ??= this.#begin(body);
        if (soFar !== undefined) intake.resume(reply, FRAME, body.buckets, soFar);
        const slice = slices.next();
        soFar = intake.soFar;
        if (!slice.done) {
          counters.add(RECEIVED, slice.value);
          return true;
        }
        this.#release(body);
        this.#end(body, reply, bytes.length);
        return false;
      },
      failed: (error) => {
        this.#release(body);
        this.#fail(body, error, reply);
      },
    });
  }

  /**
   * Rejects a body, in a later turn of the event loop if this one has no time left. A few in each
   * turn: a client that has its answer sends the next body, which is read before it can be paused.
   */
  #rejectInTurn(body: PendingBody): void {
    if (this.#options.turn.spent || this.#rejected.length > 0) this.#rejectLater(body);
    else this.#reject(body);
  }

  #rejectLater(body: PendingBody): void {
    // Its bytes need not wait for that.
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

  /** Refuses it undecoded: its sender owes tokens, or there is no place for it. */
  #reject(body: PendingBody): void {
    const reply = this.#begin(body);
    const { intake, counters } = this.#options;
    if (!intake.refusesDebtor()) intake.refuseFrame('buffer_full', EVENT_CODES.buffer_full.text);
    counters.add(RECEIVED);
    this.#end(body, reply, body.receivedBytes);
  }

  #begin({ receivedBytes, buckets, identity, response, completeAtMs }: PendingBody): HttpReply {
    const { intake, budget, counters } = this.#options;
    const reply = new HttpReply(identity, budget, (content) => response.respond(content));
    intake.begin(reply, FRAME, false, buckets, completeAtMs);
    counters.add(RECEIVED_BYTES, receivedBytes);
    return reply;
  }

  /**
   * Every event of it was accepted or refused: an answer that is not there yet may be late.
   * @param bytes that it has decompressed
   */
  #end({ response, completeAtMs }: PendingBody, reply: HttpReply, bytes: number): void {
    const { acknowledger, counters, intake, timeoutMs } = this.#options;
    intake.end(bytes);
    const takenMs = performance.now() - completeAtMs;
    counters.observe(DECODE, takenMs / 1000);
    reply.endBody();
    if (reply.answered) return;
    response.expireAfter(Math.max(0, timeoutMs - takenMs), () => acknowledger.expire(reply));
  }
}
