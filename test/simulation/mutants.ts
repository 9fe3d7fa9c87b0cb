/**
 * Defects that the simulation must catch, as changes of the sources. Each change names a function
 * and a piece of its code: rewording, moving and reformatting leave a mutant in place.
 */
export interface Mutant {
  readonly defect: string;
  /** Source file of the changes that name no other, below src/worker/. */
  readonly file: string;
  readonly changes: readonly Change[];
}

/**
 * A change of one function or constant of a file.
 * @see mutated for how code is found
 */
export type Change = readonly [name: string, code: string, replacement: string, file?: string];

const LANE = 'producer/lane.ts';
const EXPIRY = 'producer/expiry.ts';
const PRODUCER = 'producer/producer.ts';
const PRODUCE_CONNECTION = 'producer/produce-connection.ts';
const BROKER = 'producer/broker.ts';
const ERROR_TABLE = 'producer/error-table.ts';
const REMOVED = 'producer/removed-partitions.ts';
const ACK_STREAM = 'acknowledger/ack-stream.ts';
const ACKNOWLEDGER = 'acknowledger/acknowledger.ts';
const HTTP_REPLY = 'acknowledger/http-reply.ts';
const ACCUMULATOR = 'accumulator/accumulator.ts';
const BATCH = 'accumulator/batch.ts';
const BUDGET_SHARE = 'accumulator/budget-share.ts';
const STREAM_TABLE = 'streams/stream-table.ts';
const RECORD_APPENDER = 'intake/record-appender.ts';
const HEADER_ENCODER = 'streams/header-encoder.ts';
const PROVENANCE = 'streams/provenance.ts';
const DECLARED_REPEATS = 'ingress/declared-repeats.ts';

export const MUTANTS: readonly Mutant[] = [
  {
    defect: 'a lane has two batches in flight',
    file: LANE,
    changes: [['mayContinue', 'this.#inFlight || ', '']],
  },
  {
    defect: 'a batch changes while its request is in flight',
    file: PRODUCE_CONNECTION,
    changes: [
      [
        'send',
        'const body =',
        'queueMicrotask(() => partitions[0]!.lane.head!.bytes.writeInt8(0, 16)); const body =',
      ],
    ],
  },
  {
    defect: 'the sequence of an abandoned batch is reused',
    file: LANE,
    changes: [['#giveUp', 'this.#raiseEpoch()', "'epoch'"]],
  },
  {
    defect: 'a definite error on a later attempt rejects an unknown batch',
    file: LANE,
    changes: [
      ['#poison', 'if (this.#unknown)…', ''],
      ['halved', ' && !this.#unknown', ''],
    ],
  },
  {
    defect: 'an unknown batch is restamped',
    file: LANE,
    changes: [
      ['settle', 'if (this.#unknown)…', ''],
      ['send', 'assert(!this.#unknown…', ''],
    ],
  },
  {
    defect: 'an unknown batch is resealed after a sequence error',
    file: LANE,
    changes: [
      ['#outOfSequence', 'if (this.#unknown)…', ''],
      ['send', 'assert(!this.#unknown…', ''],
    ],
  },
  {
    defect: 'NOT_LEADER_OR_FOLLOWER counts as definite',
    file: ERROR_TABLE,
    changes: [
      ['TABLE', "'NOT_LEADER_OR_FOLLOWER', unknown", "'NOT_LEADER_OR_FOLLOWER', notAppended"],
    ],
  },
  {
    defect: 'a lost connection counts as definite',
    file: ERROR_TABLE,
    changes: [['noAnswer', 'definite: false', 'definite: true']],
  },
  {
    defect: 'a definite response makes an unknown batch known again',
    file: LANE,
    changes: [
      [
        'settle',
        'if (!outcome.definite) this.#unknown = true;',
        'this.#unknown = !outcome.definite;',
      ],
    ],
  },
  {
    defect: 'a retry changes the batch',
    file: LANE,
    changes: [
      ['send', '!this.#sealed', '!this.#sealed || this.#attempts > 0'],
      ['send', 'assert(!this.#unknown…', 'head.restamp(Date.now());'],
    ],
  },
  {
    defect: 'a frame is acknowledged before the produce response',
    file: ACK_STREAM,
    changes: [
      ['accepted', 'this.#open[…', 'void frame;'],
      ['#settle', 'assert(frame > this.#acked…', ''],
      ['#settle', 'this.#open[slot]! - count', 'Math.max(0, this.#open[slot]! - count)'],
    ],
  },
  {
    defect: 'a partition missing in the response counts as stored',
    file: PRODUCE_CONNECTION,
    changes: [['#answered', "noAnswer('missing_partition')", "({ kind: 'stored' } as Outcome)"]],
  },
  {
    defect: 'sequences wrap one too early',
    file: LANE,
    changes: [['SEQUENCE_SPAN', '2 ** 31', '2 ** 31 - 1']],
  },
  {
    defect: 'a sequence error does not raise the epoch',
    file: LANE,
    changes: [
      ['#outOfSequence', 'const reset…', "this.#nextSequence = 0; const reset = 'epoch' as const;"],
    ],
  },
  {
    defect: 'a new epoch continues the old sequence',
    file: LANE,
    changes: [['#raiseEpoch', 'this.#nextSequence = 0;', '']],
  },
  {
    defect: 'the last epoch is exceeded without a new producer id',
    file: LANE,
    changes: [['#raiseEpoch', 'EPOCH_MAX', '2 * EPOCH_MAX']],
  },
  {
    defect: 'the second half of a split queues behind the other batches',
    file: LANE,
    changes: [['halved', '.unshift(', '.push(']],
  },
  {
    defect: 'batches cut off by a split do not count as open',
    file: LANE,
    changes: [['walk', 'for (const batch of this.#rest)…', '']],
  },
  {
    defect: 'the second half of an overdue batch is answered twice',
    file: BATCH,
    changes: [['split', 'rest.answered =…', '']],
  },
  {
    defect: 'the deadline abandons a batch that was sent',
    file: EXPIRY,
    changes: [
      ['expireLane', 'lane.attempts === 0', '!lane.inFlight'],
      ['dropUnsent', 'this.#attempts === 0 && ', '', LANE],
    ],
  },
  {
    defect: 'the deadline rejects a batch that stays in flight',
    file: EXPIRY,
    changes: [['expireLane', '.overdue(batch)', ".rejected(batch, 'timeout')"]],
  },
  {
    defect: 'an abandoned batch is reported as not stored',
    file: PRODUCER,
    changes: [['#settle', "'timeout'", "'too_large'"]],
  },
  {
    defect: 'a retry does not refresh the metadata',
    file: PRODUCER,
    changes: [['#settle', 'if (settlement.refresh)…', '']],
  },
  {
    defect: 'no producer id is requested after the last epoch',
    file: PRODUCER,
    changes: [['#settle', 'if (lane.needsProducerId)…', '']],
  },
  {
    defect: 'a partition’s queue is read from its end',
    file: 'accumulator/queue.ts',
    changes: [['take', '.shift()', '.pop()']],
  },
  {
    defect: 'a key does not determine its partition',
    file: ACCUMULATOR,
    changes: [['appendWithKey', 'keyBytes >= 0', 'Math.random() < 0.9']],
  },
  {
    defect: 'a frame is acknowledged before its nack',
    file: ACK_STREAM,
    changes: [
      [
        'flush',
        'const texts…',
        'const texts = this.#advance() ? [JSON.stringify({ ack: this.#acked })] : [];',
      ],
    ],
  },
  {
    defect: 'credit is never replenished',
    file: ACK_STREAM,
    changes: [['#raiseCredit', '!worthIt', 'this.#acked > 0']],
  },
  {
    defect: 'connections that wait for credit are not notified of room in the buffer',
    file: 'acknowledger/credit.ts',
    changes: [['#notifyWaiting', 'for (const…', '']],
  },
  {
    defect: 'a late success counts twice',
    file: HTTP_REPLY,
    changes: [['settled', 'if (this.#answered)…', '']],
  },
  {
    defect: 'a late success is reported twice',
    file: ACKNOWLEDGER,
    changes: [['overdue', 'batch.answered = true;', '']],
  },
  {
    defect: 'an event stored in time also counts as late',
    file: ACKNOWLEDGER,
    changes: [
      [
        'stored',
        'return late(cells, events)',
        'return late(cells, events); else late(cells, events)',
      ],
    ],
  },
  {
    defect: 'a request goes to a broker that throttles the producer',
    file: BROKER,
    changes: [['sendDue', 'if (nowMs < this.#mutedUntilMs)…', '']],
  },
  {
    defect: 'a rejected event counts as accepted in an HTTP response',
    file: HTTP_REPLY,
    changes: [['rejected', 'if (event !== undefined)…', '']],
  },
  {
    defect: 'the memory of a rejected batch is not released',
    file: ACKNOWLEDGER,
    changes: [['rejected', 'this.#release(batch);', '']],
  },
  {
    defect: 'the copies of a failed request stay charged',
    file: BROKER,
    changes: [
      ['#createConnection', 'budget.copies(-bytes', 'if (ms < 1_000) budget.copies(-bytes'],
    ],
  },
  {
    defect: 'a recovery is reported before the last batch is counted',
    file: PRODUCER,
    changes: [
      [
        '#settle',
        'if (lane.needsProducerId)',
        'this.health.settled(partition, outcome, settlement, nowMs); if (lane.needsProducerId)',
      ],
    ],
  },
  {
    defect: 'a batch is sent during its compression',
    file: LANE,
    changes: [['mayContinue', ' || this.#compressing', '']],
  },
  {
    defect: 'a batch is released while a thread reads it',
    file: EXPIRY,
    changes: [
      ['expireLane', 'if (!lane.compressing) ', ''],
      ['dropUnsent', 'assert(!this.#compressing…', '', LANE],
    ],
  },
  {
    defect: 'the compressed records of a batch stay charged',
    file: ACCUMULATOR,
    changes: [['#releaseCompressed', 'if (compressed !== undefined)…', '']],
  },
  {
    defect: 'half a batch is sent with the compressed records of the whole',
    file: ACCUMULATOR,
    changes: [
      ['split', 'this.#releaseCompressed(batch);', ''],
      ['split', 'assert(this.#compressed…', '', BATCH],
    ],
  },
  {
    defect: 'a batch whose compression failed is never sent',
    file: 'producer/compressor.ts',
    changes: [['#failed', 'batch.skipCompression();', 'if (batch.records > 0) return;']],
  },
  {
    defect: 'a decrease of the partition count is never believed',
    file: 'producer/topic-watch.ts',
    changes: [['evaluate', 'this.#count = count;', 'this.#count = Math.max(this.#count, count);']],
  },
  {
    defect: 'events of a removed partition are forgotten',
    file: REMOVED,
    changes: [['add', 'if (!batch.answered)…', '']],
  },
  {
    defect: 'events of a removed partition move in reverse order',
    file: REMOVED,
    changes: [['add', 'waiting.push(', 'waiting.unshift(']],
  },
  {
    defect: 'events of one stream are in the topic of another: on the fast path',
    file: STREAM_TABLE,
    changes: [['#validatorsOf', '[text, streams.indexOf(stream)]', '[text, streams.length - 1]']],
  },
  {
    defect: 'events of one stream are in the topic of another: on both paths',
    file: STREAM_TABLE,
    changes: [['constructor', '[value, stream] as const', '[value, all.at(-1)!] as const']],
  },
  {
    defect: 'the routing field selects the stream although the path names one',
    file: STREAM_TABLE,
    changes: [['routeOf', 'name !== undefined', 'name !== undefined && this.#rules === undefined']],
  },
  {
    defect: 'a share of the buffer is not returned',
    file: BUDGET_SHARE,
    changes: [['deallocate', 'this.#remove(buffer.length);', '']],
  },
  {
    defect: 'bytes above the high-water mark of a share stay there',
    file: BUDGET_SHARE,
    changes: [['#remove', '-Math.min(bytes, this.#excessBytes)', '0']],
  },
  {
    defect: 'the version of the streams is switched in the middle of a body',
    file: 'ingress/http/http-handler.ts',
    changes: [
      [
        '#handleEvents',
        'const { route, identity } = authorized;',
        `const { identity } = authorized;
        const { authenticator, streams } = this.#options;
        const { route } = authorizeRequest(authenticator, streams, request) as Authorized;`,
      ],
    ],
  },
  {
    defect: 'a mark is lost at a split: the second half has no headers',
    file: BATCH,
    changes: [
      [
        'split',
        'const { timestampDelta, contentStart, end } = slices[index]!;',
        'const { timestampDelta, keyStart, keyBytes, valueStart, valueBytes } = slices[index]!;',
      ],
      [
        'split',
        'rest.appendContent(this.firstTimestamp + timestampDelta, this.buffer, contentStart, end);',
        `rest.append(this.firstTimestamp + timestampDelta, this.buffer, keyStart, keyBytes,
          this.buffer, valueStart, valueStart + valueBytes);`,
      ],
    ],
  },
  {
    defect: 'a mark is lost with its partition: moved records have no headers',
    file: ACCUMULATOR,
    changes: [
      [
        'repartition',
        'target.appendContent(timestamp, buffer, contentStart, end);',
        `target.append(timestamp, buffer, keyStart, keyBytes, buffer, slice.valueStart,
          slice.valueStart + slice.valueBytes);`,
      ],
    ],
  },
  {
    defect: 'the last declared event of a frame is not marked: on the fast path',
    file: RECORD_APPENDER,
    changes: [['appendLocated', 'index < this.', 'index + 1 < this.']],
  },
  {
    defect: 'the last declared event of a frame is not marked: parsed events',
    file: RECORD_APPENDER,
    changes: [['appendParsed', 'index < this.', 'index + 1 < this.']],
  },
  {
    defect: 'the event after the declared ones is marked',
    file: RECORD_APPENDER,
    changes: [['appendLocated', 'index < this.', 'index <= this.']],
  },
  {
    defect: 'declared events are not counted across frames',
    file: PROVENANCE,
    changes: [['countEvents', 'this.resent - events', 'this.resent']],
  },
  {
    defect: 'declared events are counted as frames',
    file: PROVENANCE,
    changes: [['countEvents', 'this.resent - events', 'this.resent - 1']],
  },
  {
    defect: 'frames with a rejected event do not count as declared events',
    file: 'intake/intake.ts',
    changes: [
      [
        '#rejectInvalid',
        'this.#rate.rejected(end - start);',
        '(this as { wrong?: number }).wrong = this.#frame;',
      ],
      [
        'countReceived',
        'this.#appender.countDecoded(events);',
        'if ((this as { wrong?: number }).wrong !== this.#frame) this.#appender.countDecoded(events);',
      ],
    ],
  },
  {
    defect: 'a declared body is not marked',
    file: DECLARED_REPEATS,
    changes: [['resentBody', '? Number.POSITIVE_INFINITY', '? 0']],
  },
  {
    defect: 'a declaration covers the first event of a body',
    file: DECLARED_REPEATS,
    changes: [['resentBody', 'Number.POSITIVE_INFINITY', '1']],
  },
  {
    defect: 'a record has the headers of the event before it: on the fast path',
    file: RECORD_APPENDER,
    changes: [['appendLocated', 'format.formatLocated(', 'if (index !== 1) format.formatLocated(']],
  },
  {
    defect: 'a record has the headers of the event before it: parsed events',
    file: RECORD_APPENDER,
    changes: [['appendParsed', 'format.formatValue(', 'if (index !== 1) format.formatValue(']],
  },
  {
    defect: 'records of a stream without headers have those of the event before',
    file: ACCUMULATOR,
    changes: [['useStream', 'this.#headers = NO_HEADERS;', '']],
  },
  {
    defect: 'fb-received keeps the time of an earlier frame',
    file: HEADER_ENCODER,
    changes: [['#writeReceived', 'time === this.#receivedTime', 'this.#receivedTime > 0']],
  },
  {
    defect: 'a time out of bounds is not stated',
    file: 'streams/record-format.ts',
    changes: [['#encode', '|| this.eventTime !== undefined', '|| true']],
  },
  {
    defect: 'a batch with event times is restamped',
    file: LANE,
    changes: [
      ['settle', 'if (this.#head.hasEventTimes)…', ''],
      ['restamp', 'assert(!this.hasEventTimes…', '', BATCH],
    ],
  },
  {
    defect: 'the second half of a batch with event times is restamped',
    file: BATCH,
    changes: [['split', 'rest.hasEventTimes =…', '']],
  },
];
