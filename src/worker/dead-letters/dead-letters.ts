/**
 * Copies of rejected events, for internal streams. Invariant: a copy changes nothing about the
 * result of its event, and never leads to another copy. Each attempted one ends once:
 *
 *   attempted = written + dropped + lost + in flight
 *
 * A copy is written only while there is room that no event needs: below its rate, within the share
 * of its topic, and not under pressure. When pressure begins, copies that wait are dropped.
 */
import {
  attempt,
  type DeadLetterCode,
  deadLetterCodes,
  EVENT_CODES,
  type EventCode,
} from '../../common/errors.ts';
import { isObject } from '../../common/json-object.ts';
import { PREFIX_BYTES, prefixedId } from '../../kafka/schema-identity.ts';
import { type Counters, cells } from '../../metrics/counters.ts';
import { cellOf } from '../../metrics/layout.ts';
import { NO_STREAM_CELLS } from '../../metrics/slots.ts';
import type { Accumulator } from '../accumulator/accumulator.ts';
import type { Owner, RecordBatch } from '../accumulator/batch.ts';
import type { Budget } from '../accumulator/budget.ts';
import { readHeaders } from '../accumulator/records.ts';
import type { Topic } from '../accumulator/topic.ts';
import { ANONYMOUS } from '../admission/identity.ts';
import type { DeliveryListener } from '../producer/delivery-listener.ts';
import { RECORD_NAMES } from '../streams/header-encoder.ts';
import type { Facts } from '../streams/provenance.ts';
import type { Stream } from '../streams/stream.ts';
import { type DeadLetterFacts, DeadLetterHeaders } from './dead-letter-headers.ts';
import type { InternalStream } from './internal-stream.ts';
import { DEAD_LETTER_LIMITS } from './limits.ts';

const ATTEMPTED = cells('forebay_dead_letters_attempted_total', deadLetterCodes);
/** Cells of the results of each code, by its index. */
const RESULTS = deadLetterCodes.map((code) => ({
  written: cellOf('forebay_dead_letters_total', code, 'written'),
  dropped: cellOf('forebay_dead_letters_total', code, 'dropped'),
  lost: cellOf('forebay_dead_letters_total', code, 'lost'),
}));

/** Owner of all copies, which ignores their results. Their frame is the index of the code. */
const NO_OWNER: Owner = {
  plain: true,
  transport: 'http',
  identity: ANONYMOUS,
  accepted: () => {},
  settled: () => true,
  rejected: () => {},
};

/** A rejected event or frame. */
export interface RejectedInput extends Omit<DeadLetterFacts, 'completeBytes'> {
  /** Arrival on the monotonic clock. */
  readonly arrivalMs: number;
  readonly key: string | undefined;
  /** As received: `bytes[start, end)`. */
  readonly bytes: Buffer;
  readonly start: number;
  readonly end: number;
}

/** Parts of a worker that copies use. */
export interface DeadLetterParts {
  readonly accumulator: Accumulator;
  readonly budget: Budget;
  readonly topics: readonly Topic[];
  readonly counters: Counters;
  /** Name of this instance. */
  readonly instance: string;
}

export class DeadLetters implements DeliveryListener {
  readonly #parts: DeadLetterParts;
  #accumulator: Accumulator | undefined;
  #headers: DeadLetterHeaders | undefined;
  #isDropping = false;
  #copies = 0;

  constructor(parts: DeadLetterParts) {
    this.#parts = parts;
    parts.budget.onPressure(() => this.#dropLater());
  }

  /** Number of copies so far: rejections of events follow theirs. */
  get copies(): number {
    return this.#copies;
  }

  /** Writes a copy of a rejected event or frame to `target`, if there is room for it. */
  write(target: InternalStream, input: RejectedInput): void {
    const { budget, counters } = this.#parts;
    const { topic } = target;
    const codeIndex = deadLetterCodes.indexOf(input.code);
    const offset = input.stream?.cells ?? NO_STREAM_CELLS;
    counters.add(ATTEMPTED[input.code] + offset);
    const { start, arrivalTime, arrivalMs } = input;
    const completeBytes = input.end - start;
    const end = start + Math.min(completeBytes, DEAD_LETTER_LIMITS.valueBytes);
    const hasRoom =
      !budget.underPressure && topic.partitions.length > 0 && topic.share?.acceptsFrames !== false;
    if (hasRoom && target.takeTokens(end - start, performance.now())) {
      this.#accumulator ??= this.#parts.accumulator.sibling();
      this.#headers ??= new DeadLetterHeaders(this.#parts.instance);
      const isCut = end - start < completeBytes;
      const facts = { ...input, completeBytes: isCut ? completeBytes : undefined };
      this.#accumulator.beginFrame(NO_OWNER, codeIndex, arrivalTime, arrivalMs, offset);
      this.#accumulator.useFormat(this.#headers.encode(facts), undefined);
      const { bytes, key = keyIn(input) } = input;
      if (this.#accumulator.append(topic, 0, bytes, start, end, key) === undefined) {
        this.#copies++;
        return;
      }
    }
    counters.add(RESULTS[codeIndex]!.dropped + offset);
  }

  /**
   * Copies the records of a batch that Kafka rejected for good, before it is released.
   * @param streamAt returns the stream with these cells
   */
  copyRejected(
    batch: RecordBatch,
    code: DeadLetterCode,
    streamAt: (cells: number) => Stream | undefined,
  ): void {
    for (const [index, slice] of batch.slices().entries()) {
      const stream = streamAt(batch.cellsOf(index));
      if (stream?.deadLetter === undefined) continue;
      const { buffer } = batch;
      const { keyStart, keyBytes, valueStart, valueBytes } = slice;
      const valueEnd = valueStart + valueBytes;
      const isPrefixed = prefixedId(buffer.subarray(valueStart, valueEnd)) !== undefined;
      const headers = new Map(readHeaders(buffer, slice));
      const owner = batch.owners[index]!;
      const receivedTime = Number(headers.get(RECORD_NAMES.received));
      this.write(stream.deadLetter, {
        code,
        message: EVENT_CODES[code].text,
        stream,
        arrivalTime: receivedTime || wallTimeOf(batch.arrivalsMs[index]!),
        // It must not expire together with letters that are younger than its event.
        arrivalMs: performance.now(),
        identity: owner.identity.name,
        transport: owner.transport,
        index: batch.events[index]!,
        isResent: headers.has(RECORD_NAMES.resent),
        isMsgpack: headers.get('content-type') === 'application/msgpack',
        facts: factsIn(headers),
        key: keyBytes < 0 ? undefined : buffer.toString('utf8', keyStart, keyStart + keyBytes),
        bytes: buffer,
        start: isPrefixed ? valueStart + PREFIX_BYTES : valueStart,
        end: valueEnd,
      });
    }
  }

  /** Every copy has a result. */
  get settled(): boolean {
    let open = 0;
    const count = () => {
      open++;
    };
    for (const { hasDeadLetters, partitions } of this.#parts.topics) {
      if (!hasDeadLetters) continue;
      for (const { lane, queue } of partitions) {
        lane.walk(count);
        queue.walk(count);
      }
    }
    return open === 0;
  }

  stored(batch: RecordBatch): void {
    this.#end(batch, 'written');
  }

  rejected(batch: RecordBatch, code: EventCode): void {
    this.#end(batch, code === 'timeout' ? 'lost' : 'dropped');
  }

  /** They stay in flight: their owner ignores results. */
  overdue(batch: RecordBatch): void {
    batch.answered = true;
  }

  #end(batch: RecordBatch, result: 'written' | 'dropped' | 'lost'): void {
    const { counters, accumulator } = this.#parts;
    batch.eachRun((_owner, codeIndex, from, to) => {
      counters.add(RESULTS[codeIndex]![result] + batch.cellsOf(from), to - from);
    });
    accumulator.release(batch);
  }

  /** Drops the copies that wait in queues, after the allocation that has caused pressure. */
  #dropLater(): void {
    if (this.#isDropping) return;
    this.#isDropping = true;
    queueMicrotask(() => {
      this.#isDropping = false;
      for (const { hasDeadLetters, partitions } of this.#parts.topics) {
        if (!hasDeadLetters) continue;
        for (const { queue } of partitions) {
          const nowMs = performance.now();
          for (;;) {
            const batch = queue.takeExpired(nowMs, 0);
            if (batch === undefined) break;
            this.rejected(batch, 'buffer_full');
          }
        }
      }
    });
  }
}

/** Returns the key of a rejected event that is a JSON object of its stream; undefined = none. */
function keyIn({ stream, index, isMsgpack, bytes, start, end }: RejectedInput): string | undefined {
  const isEvent = index !== undefined && !isMsgpack && end - start <= DEAD_LETTER_LIMITS.valueBytes;
  if (!isEvent || !stream?.key.exists) return undefined;
  const value = attempt<unknown>(() => JSON.parse(bytes.toString('utf8', start, end)));
  return isObject(value) ? stream.key.keyOf(value, bytes, start) : undefined;
}

/** Returns a time of the monotonic clock in ms since 1970. */
function wallTimeOf(monotonicMs: number): number {
  return Math.round(Date.now() - (performance.now() - monotonicMs));
}

/** Returns the facts about a sender that the headers of a record state. */
function factsIn(headers: ReadonlyMap<string, string>): Facts {
  const facts = Object.entries(RECORD_NAMES).map(([name, header]) => [name, headers.get(header)]);
  return Object.fromEntries(facts.filter(([, value]) => value !== undefined));
}
