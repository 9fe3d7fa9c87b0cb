import { EVENT_CODES } from '../../../common/errors.ts';
import { LIMITS } from '../../../config/limits.ts';
import type { Logger } from '../../../logging/logger.ts';
import { type Counters, cells, histogram } from '../../../metrics/counters.ts';
import type { Budget } from '../../accumulator/budget.ts';
import type { Acknowledger } from '../../acknowledger/acknowledger.ts';
import { HttpReply } from '../../acknowledger/http-reply.ts';
import { type Buckets, isInDebt, owe } from '../../admission/token-bucket.ts';
import type { DecodeBounds } from '../../decoder/event-sink.ts';
import type { Intake, SoFar } from '../../intake/intake.ts';
import type { Holding, InputMemory } from '../../overload/input-memory.ts';
import type { TurnBudget } from '../../overload/turn-budget.ts';
import { throwIfBroken } from '../fault-containment.ts';
import { Fifo, type Slicer } from '../slicer.ts';
import { BodyPlaces } from './body-places.ts';
import type { Media } from './content-types.ts';
import { type Encoding, type Inflated, Inflater } from './inflate.ts';
import type { Exchange } from './pending-response.ts';
import { type Answer, countRefused } from './responses.ts';

const RECEIVED = cells('forebay_events_received_total', ['http']).http;
const RECEIVED_BYTES = cells('forebay_received_bytes_total', ['http']).http;
const DECODE = histogram('forebay_stage_duration_seconds', 'decode');
const TOO_LARGE = 413;
const NO_BYTES = Buffer.alloc(0);
/** An HTTP body is one frame. */
const FRAME = 0;

export interface BodyOptions {
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
export interface WholeBody {
  /** May be gone when who is given it returns. */
  readonly bytes: Buffer;
  readonly media: Media;
  readonly encoding: Encoding | 'identity';
  /** What bounds its sender's rate of events, if anything does. */
  readonly buckets: Buckets | undefined;
  /** The name of its sender's key or token; empty where nobody has to say who he is. */
  readonly identity: string;
  /** What places for waiting bodies are shared by: its sender's key, or else its address. */
  readonly sender: string;
}

/** That, and whom to tell what becomes of it. */
interface Body extends WholeBody {
  /** Bytes as received, before decompression. */
  readonly receivedBytes: number;
  readonly exchange: Exchange;
  /** By the monotonic clock. */
  readonly wholeAtMs: number;
}

/** A body that waits to be decompressed or decoded. */
interface Waiting extends Omit<Body, 'bytes'> {
  bytes: Buffer;
  /** Charged for its bytes, and for what they decompress to. */
  readonly holding: Holding;
  /** Gives its place to another one. */
  readonly left: () => void;
  /** Ends its decompression; nothing comes of it then. */
  cancel: (() => void) | undefined;
  evicted: boolean;
}

/**
 * Decodes bodies: short ones at once, the others a slice at a time. Those that wait for that, or
 * for decompression, are outside the budget: their number has a bound, and {@link InputMemory} is
 * charged for them. One that is evicted is `buffer_full`: its sender has done all that it should.
 */
export class WholeBodies {
  readonly #options: BodyOptions;
  readonly #bounds: DecodeBounds;
  readonly #inflater = new Inflater();
  readonly #places = new BodyPlaces();
  /** Short bodies that wait for time. */
  #later = 0;
  /** Bodies whose rejection waits for time. */
  readonly #refused = new Fifo<Body>();

  constructor(options: BodyOptions) {
    this.#options = options;
    const { maxEventBytes, maxEventDepth: maxDepth } = options;
    this.#bounds = { maxEvents: LIMITS.bodyEvents, maxEventBytes, maxDepth };
  }

  /** A body is there that is not taken apart. */
  get busy(): boolean {
    return this.#places.taken + this.#later + this.#refused.length > 0;
  }

  /** Takes a body, and answers when its events are settled. */
  take(whole: WholeBody, exchange: Exchange): void {
    const { bytes, media, encoding, buckets, identity, sender } = whole;
    const wholeAtMs = performance.now();
    const receivedBytes = bytes.length;
    // Field by field: when this and the answers were spread, all of a request stayed in memory
    // until a full collection.
    const named = { identity, sender };
    const body = { bytes, media, encoding, buckets, ...named, receivedBytes, exchange, wholeAtMs };
    if (buckets !== undefined && isInDebt(buckets, wholeAtMs)) return this.#refuseInTurn(body);
    const isPlain = encoding === 'identity';
    const hasTime = this.#options.turn.take(bytes.length) && !this.#options.slicer.isBehind;
    if (isPlain && bytes.length <= LIMITS.atOnceBytes) {
      return hasTime ? this.#takeAtOnce(body) : this.#takeLater(body);
    }
    if (!this.#places.take(sender)) return this.#refuseInTurn(body);
    const waiting = this.#wait(body, 0, () => this.#places.leave(sender));
    if (waiting.evicted) return;
    if (isPlain) return this.#takeInSlices(waiting, false);
    const { holding } = waiting;
    waiting.cancel = this.#inflater.inflate(sender, encoding, waiting.bytes, {
      grown: (outputBytes) => holding.set(receivedBytes + outputBytes),
      done: (inflated) => this.#inflated(waiting, inflated),
    });
  }

  /**
   * Keeps a body, which may be evicted at once.
   * @param overheadBytes charged beside its bytes
   */
  #wait(body: Body, overheadBytes: number, left: () => void): Waiting {
    const holding = this.#options.inputMemory.hold(() => this.#evict(waiting));
    const bytes = Buffer.from(body.bytes);
    const waiting: Waiting = { ...body, bytes, holding, left, cancel: undefined, evicted: false };
    holding.set(bytes.length + overheadBytes);
    return waiting;
  }

  /** Memory is short. It may be so in the middle of another frame: the answer comes later. */
  #evict(waiting: Waiting): void {
    waiting.evicted = true;
    waiting.cancel?.();
    waiting.left();
    this.#refuseLater(waiting);
  }

  /** It waits no longer. */
  #done({ holding, left }: Waiting): void {
    holding.release();
    left();
  }

  #takeAtOnce(body: Body): void {
    const reply = this.#begin(body);
    const { intake, counters } = this.#options;
    try {
      counters.add(RECEIVED, body.media.atOnce(body.bytes, this.#bounds, intake));
    } catch (error) {
      return this.#fail(body, error, reply);
    }
    this.#end(body, reply, body.bytes.length);
  }

  /** Something of ours has failed on it: nobody is told of its events. */
  #fail({ exchange }: Body, error: unknown, reply: HttpReply | undefined): void {
    exchange.fail();
    reply?.fail();
    this.#options.log.error({ err: error }, 'internal error while processing a body');
    throwIfBroken(error);
  }

  #inflated(waiting: Waiting, inflated: Inflated): void {
    waiting.cancel = undefined;
    if (Buffer.isBuffer(inflated)) {
      waiting.bytes = inflated;
      waiting.holding.set(inflated.length);
      return this.#takeInSlices(waiting, false);
    }
    this.#done(waiting);
    this.#payDecompression(waiting, inflated);
    countRefused(this.#options.counters, inflated);
    waiting.exchange.send(inflated);
  }

  /** A rejected body takes tokens by the bytes that it was decompressed to, about. */
  #payDecompression({ buckets, receivedBytes }: Body, { status }: Answer): void {
    if (buckets === undefined) return;
    const bytes = status === TOO_LARGE ? LIMITS.bodyBytes : receivedBytes;
    owe(buckets, Math.ceil(bytes / LIMITS.rejectedBytesPerToken), performance.now());
  }

  /** Takes a short body when a turn of the loop has time for it. */
  #takeLater(body: Body): void {
    this.#later++;
    const waiting = this.#wait(body, LIMITS.requestHeadBytes, () => this.#later--);
    if (!waiting.evicted) this.#takeInSlices(waiting, true);
  }

  /** @param isInput whether what comes later waits for it */
  #takeInSlices(body: Waiting, isInput: boolean): void {
    const { intake, counters, slicer } = this.#options;
    const { bytes, media } = body;
    let reply: HttpReply | undefined;
    let soFar: SoFar | undefined;
    const slices = media.inSlices(bytes, this.#bounds, intake);
    slicer.add({
      isInput,
      next: () => {
        if (body.evicted) return false;
        // What is taken of it cannot be refused as a whole any more.
        if (reply === undefined) body.holding.pin();
        // Others were in between.
        reply ??= this.#begin(body);
        if (soFar !== undefined) intake.resume(reply, FRAME, body.buckets, soFar);
        const slice = slices.next();
        soFar = intake.soFar;
        if (!slice.done) {
          counters.add(RECEIVED, slice.value);
          return true;
        }
        this.#done(body);
        this.#end(body, reply, bytes.length);
        return false;
      },
      failed: (error) => {
        this.#done(body);
        this.#fail(body, error, reply);
      },
    });
  }

  /**
   * Rejects a body, in a later turn of the event loop if this one has no time left. A few in each
   * turn: a client that has its answer sends the next body, which is read before it can be paused.
   */
  #refuseInTurn(body: Body): void {
    if (this.#options.turn.spent || this.#refused.length > 0) this.#refuseLater(body);
    else this.#refuse(body);
  }

  #refuseLater(body: Body): void {
    // Its bytes need not wait for that.
    this.#refused.push({ ...body, bytes: NO_BYTES });
    if (this.#refused.length === 1) this.#options.turn.afterTurn(() => this.#refuseSome());
  }

  #refuseSome(): void {
    for (let left = LIMITS.resumedBodies; left > 0; left--) {
      const body = this.#refused.shift();
      if (body === undefined) return;
      this.#refuse(body);
    }
    if (this.#refused.length > 0) this.#options.turn.afterTurn(() => this.#refuseSome());
  }

  /** Refuses it undecoded: its sender owes tokens, or there is no place for it. */
  #refuse(body: Body): void {
    const reply = this.#begin(body);
    const { intake, counters } = this.#options;
    if (!intake.refusesDebtor()) intake.refuseFrame('buffer_full', EVENT_CODES.buffer_full.text);
    counters.add(RECEIVED);
    this.#end(body, reply, body.receivedBytes);
  }

  #begin({ receivedBytes, buckets, identity, exchange, wholeAtMs }: Body): HttpReply {
    const { intake, budget, counters } = this.#options;
    const reply = new HttpReply(identity, budget, (answer) => exchange.answer(answer));
    intake.begin(reply, FRAME, false, buckets, wholeAtMs);
    counters.add(RECEIVED_BYTES, receivedBytes);
    return reply;
  }

  /**
   * Every event of it was accepted or refused: an answer that is not there yet may be late.
   * @param bytes that it has decompressed
   */
  #end({ exchange, wholeAtMs }: Body, reply: HttpReply, bytes: number): void {
    const { acknowledger, counters, intake, timeoutMs } = this.#options;
    intake.end(bytes);
    const takenMs = performance.now() - wholeAtMs;
    counters.observe(DECODE, takenMs / 1000);
    reply.endBody();
    if (reply.answered) return;
    exchange.expireAfter(Math.max(0, timeoutMs - takenMs), () => acknowledger.expire(reply));
  }
}
