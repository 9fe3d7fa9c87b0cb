import { EVENT_CODES, type EventCode, eventCodes, retryCodes } from '../../common/errors.ts';
import { type Logger, SampledLog } from '../../logging/logger.ts';
import { type Counters, cell, cells, histogram } from '../../metrics/counters.ts';
import { KEY_RESULTS } from '../../metrics/labels.ts';
import { declaredStreamAt } from '../../metrics/slots.ts';
import type { Owner, OwnerIdentity, RecordBatch } from '../accumulator/batch.ts';
import type { RecordSlice } from '../accumulator/records.ts';
import { ANONYMOUS } from '../admission/identity.ts';
import type { DeliveryListener } from '../producer/delivery-listener.ts';
import type { ViolationRecorder } from '../violation-recorder.ts';
import { type AckChannel, AckStream } from './ack-stream.ts';
import type { Credit, CreditBuffer } from './credit.ts';
import type { HttpReply } from './http-reply.ts';
import type { KeyOutcomes } from './key-outcomes.ts';
import type { ArrivalRejection, OutcomeListener } from './outcome-listener.ts';

const STORED = cell('forebay_events_stored_total');
const STORED_LATE = cell('forebay_events_stored_late_total');
const REFUSED = cells('forebay_events_refused_total', eventCodes);
const DROPPED = cells('forebay_events_dropped_total', retryCodes);
const KEY_EVENTS = cells('forebay_key_events_total', KEY_RESULTS);
const ACK_DURATION = histogram('forebay_ack_duration_seconds');
const ACK_STAGE = histogram('forebay_stage_duration_seconds', 'ack');

/** Codes caused by the client. Other log lines cover Kafka and the buffer. */
const CLIENT_FAULTS: ReadonlySet<EventCode> = new Set(
  eventCodes.filter((code) => !EVENT_CODES[code].retry || code === 'rate_limited'),
);

/** Owner of events from clients without the subprotocol, which get no acknowledgements. */
export const PLAIN: Owner = {
  plain: true,
  transport: 'ws',
  identity: ANONYMOUS,
  accepted: () => {},
  settled: () => true,
  rejected: () => {},
};

/** Plain owners by identity: events of an identity's connections in a row form one run. */
const namedPlain = new WeakMap<object, Owner>();

/** Returns the owner of a plain client's events. */
export function plainOwner(identity: OwnerIdentity): Owner {
  if (identity.name === '') return PLAIN;
  const known = namedPlain.get(identity) ?? { ...PLAIN, identity };
  namedPlain.set(identity, known);
  return known;
}

/**
 * Reports results to the senders of events, and counts the end of each event once: stored, rejected
 * or dropped.
 */
export class Acknowledger implements DeliveryListener {
  /** Receives the outcome of each event; undefined = they are not observed. */
  outcomes: OutcomeListener | undefined;
  readonly #counters: Counters;
  readonly #credit: Credit;
  readonly #release: (batch: RecordBatch) => void;
  readonly #log: Logger;
  readonly #violations: Pick<ViolationRecorder, 'rejected'> | undefined;
  readonly #keyOutcomes: Pick<KeyOutcomes, 'add'> | undefined;
  readonly #sampled = new SampledLog();
  readonly #sampledAcknowledged = new SampledLog();
  #dirty: AckStream[] = [];
  /** Time of the first result in this turn of the event loop; undefined = none. */
  #turnSinceMs: number | undefined;
  /** Replies that timed out with unsettled events, which may still be stored. */
  readonly #late = new Set<HttpReply>();

  /**
   * @param release frees the memory of a batch
   * @param violations counts records that Kafka rejects
   * @param keyOutcomes counts events of API keys by stream and outcome
   */
  constructor(
    counters: Counters,
    credit: Credit,
    release: (batch: RecordBatch) => void,
    log: Logger,
    violations?: Pick<ViolationRecorder, 'rejected'>,
    keyOutcomes?: Pick<KeyOutcomes, 'add'>,
  ) {
    this.#counters = counters;
    this.#credit = credit;
    this.#release = release;
    this.#log = log;
    this.#violations = violations;
    this.#keyOutcomes = keyOutcomes;
  }

  /**
   * Creates the stream of a new connection.
   * @param identity of its client
   * @param buffer that its events use; default: the whole budget
   * @param requestId see Owner
   */
  createStream(
    channel: AckChannel,
    identity: OwnerIdentity,
    buffer: CreditBuffer = this.#credit.budget,
    requestId?: string,
  ): AckStream {
    const onDirty = (stream: AckStream) => this.#markDirty(stream);
    return new AckStream(channel, identity, this.#credit, buffer, onDirty, requestId);
  }

  /**
   * Calls `visit` with unsettled events whose senders have received `timeout`.
   * @param visit receives the offset of a stream's cells in the metrics, and a number of its events
   */
  eachLate(visit: (cells: number, events: number) => void): void {
    for (const reply of this.#late) {
      if (reply.late === 0) this.#late.delete(reply);
      else reply.eachOpen(visit);
    }
  }

  /**
   * Rejects one event on arrival, or a frame that is not decoded (no `event`).
   * @param cells offset of its stream's cells in the metrics
   * @param retryAfterMs when to retry, if known
   * @param events of the frame
   * @param input the event or frame
   */
  reject(
    owner: Owner,
    frame: number,
    event: number | undefined,
    code: EventCode,
    message: string,
    cells: number,
    retryAfterMs?: number,
    events = 1,
    input?: ArrivalRejection,
  ): void {
    owner.rejected(frame, event, code, message, retryAfterMs);
    this.#count(owner, code, events, message, cells);
    if (input !== undefined) this.outcomes?.rejected(owner, event, code, cells, events, input);
  }

  /** Handles the timeout of an HTTP request. */
  expire(reply: HttpReply): void {
    if (reply.expire() === 0) return;
    reply.eachOpen((cells, events) => {
      this.outcomes?.expired(reply, cells, events);
      this.#counters.add(REFUSED.timeout + cells, events);
      this.#countOfKey(reply.identity, KEY_EVENTS.refused, cells, 'timeout', events);
    });
    this.#late.add(reply);
  }

  stored(batch: RecordBatch): void {
    const nowMs = performance.now();
    this.#beginTurn(nowMs);
    const counters = this.#counters;
    const { outcomes } = this;
    const late = (cells: number, events: number) => counters.add(STORED_LATE + cells, events);
    if (batch.answered) {
      batch.eachStream(late);
      if (outcomes) batch.eachRun((_owner, _frame, ...run) => outcomes.stored(batch, ...run, true));
    } else {
      // Parsed once at most, however many replies show records.
      let slices: RecordSlice[] | undefined;
      batch.eachRun((owner, frame, from, to) => {
        const events = to - from;
        const cells = batch.cellsOf(from);
        const { recordReader } = owner;
        if (recordReader?.reads(batch.events[from]!)) {
          slices ??= batch.slices();
          const stream = declaredStreamAt(counters.slots, cells);
          recordReader.read(batch, slices, from, to, stream);
        }
        const isInTime = owner.settled(frame, batch.events, from, to);
        outcomes?.stored(batch, from, to, !isInTime);
        if (!isInTime) return late(cells, events);
        counters.add(STORED + cells, events);
        this.#countOfKey(owner.identity, KEY_EVENTS.stored, cells, 'stored', events);
        counters.observe(ACK_DURATION, (nowMs - batch.arrivalsMs[from]!) / 1000, events, cells);
      });
    }
    this.#release(batch);
  }

  rejected(batch: RecordBatch, code: EventCode): void {
    if (!batch.answered) this.#rejectBatch(batch, code);
    this.#release(batch);
  }

  overdue(batch: RecordBatch): void {
    this.#rejectBatch(batch, 'timeout');
    batch.answered = true;
  }

  /** Flushes dirty streams now instead of at the end of the turn. */
  flush(): void {
    const streams = this.#dirty;
    const sinceMs = this.#turnSinceMs;
    // Streams marked dirty from now on start a new turn, so that they are flushed.
    this.#dirty = [];
    this.#turnSinceMs = undefined;
    for (const stream of streams) stream.flush();
    if (sinceMs === undefined) return;
    this.#counters.observe(ACK_STAGE, (performance.now() - sinceMs) / 1000);
  }

  /** Flushes the streams after this turn of the event loop. */
  #beginTurn(nowMs: number): void {
    if (this.#turnSinceMs !== undefined) return;
    this.#turnSinceMs = nowMs;
    setImmediate(() => this.flush());
  }

  #rejectBatch(batch: RecordBatch, code: EventCode): void {
    this.#beginTurn(performance.now());
    const { text } = EVENT_CODES[code];
    batch.eachRun((owner, frame, from, to) => {
      for (let index = from; index < to; index++) {
        owner.rejected(frame, batch.events[index], code, text);
      }
      if (!owner.settled(frame, batch.events, from, to)) return;
      const cells = batch.cellsOf(from);
      this.#violations?.rejected(cells, code, text, undefined, to - from);
      this.#count(owner, code, to - from, text, cells);
      this.outcomes?.failed(batch, from, to, code);
    });
  }

  #count(owner: Owner, code: EventCode, events: number, message: string, cells: number): void {
    const dropped = owner.plain ? DROPPED[code as keyof typeof DROPPED] : undefined;
    this.#counters.add((dropped ?? REFUSED[code]) + cells, events);
    const { transport, requestId } = owner;
    const result = dropped === undefined ? KEY_EVENTS.refused : KEY_EVENTS.dropped;
    this.#countOfKey(owner.identity, result, cells, code, events);
    const identity = owner.identity.name || undefined;
    if (!owner.plain) {
      if (!CLIENT_FAULTS.has(code)) return;
      const stream = declaredStreamAt(this.#counters.slots, cells);
      const key = stream === undefined ? code : `${stream} ${code}`;
      this.#sampledAcknowledged.line(key, (held) =>
        this.#log.info(
          { code, stream, reason: message, identity, requestId, transport, held },
          'event rejected',
        ),
      );
      return;
    }
    const stream = declaredStreamAt(this.#counters.slots, cells);
    const key = stream === undefined ? code : `${stream} ${code}`;
    const line =
      dropped === undefined
        ? 'invalid event of a plain client rejected'
        : 'event of a plain client dropped';
    this.#sampled.line(key, (held) =>
      this.#log.warn({ code, stream, reason: message, identity, held }, line),
    );
  }

  /** @param result first of the cells that count it for an API key */
  #countOfKey(
    { keyCells }: OwnerIdentity,
    result: number,
    cells: number,
    outcome: 'stored' | EventCode,
    events: number,
  ): void {
    if (keyCells < 0) return;
    this.#counters.add(result + keyCells, events);
    this.#keyOutcomes?.add(keyCells, cells, outcome, events);
  }

  #markDirty(stream: AckStream): void {
    if (this.#dirty.length === 0) this.#beginTurn(performance.now());
    this.#dirty.push(stream);
  }
}
