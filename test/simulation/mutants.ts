/**
 * Defects that the simulation must catch, as changes of source text. Each text has to stand in its
 * file exactly once: a mutant cannot vanish unseen when the code changes.
 */
export interface Mutant {
  readonly what: string;
  /** Below src/; where the changes are that name no other. */
  readonly file: string;
  /** What stands there, and what stands there instead. */
  readonly changes: readonly (readonly [from: string, to: string, file?: string])[];
}

const LANE = 'worker/producer/lane.ts';
const PRODUCER = 'worker/producer/producer.ts';
const ERROR_TABLE = 'worker/producer/error-table.ts';
const ACK_STREAM = 'worker/acknowledger/ack-stream.ts';
const ACKNOWLEDGER = 'worker/acknowledger/acknowledger.ts';
const HTTP_REPLY = 'worker/acknowledger/http-reply.ts';
const ACCUMULATOR = 'worker/accumulator/accumulator.ts';
const BATCH = 'worker/accumulator/batch.ts';
const REMOVED = 'worker/producer/removed-partitions.ts';

export const MUTANTS: readonly Mutant[] = [
  {
    what: 'two batches in flight on a lane',
    file: LANE,
    changes: [['if (this.#inFlight || this.#compressing)', 'if (this.#compressing)']],
  },
  {
    what: 'a batch changes while its request is on its way',
    file: 'worker/producer/produce-connection.ts',
    changes: [
      [
        'const { times } = this.#patience;',
        'queueMicrotask(() => partitions[0]!.lane.head!.bytes.writeInt8(0, 16));\n    const { times } = this.#patience;',
      ],
    ],
  },
  {
    what: 'the sequence of a given-up batch is used again',
    file: LANE,
    changes: [
      ['class: errorClass, reset: this.#raiseEpoch() }', "class: errorClass, reset: 'epoch' }"],
    ],
  },
  {
    what: 'an unknown batch is refused after a definite error on a later attempt',
    file: LANE,
    changes: [
      ["if (this.#unknown) return this.#giveUp('poison');", ''],
      [
        "!this.#inFlight && !this.#unknown, 'it may be split'",
        "!this.#inFlight, 'it may be split'",
      ],
    ],
  },
  {
    what: 'an unknown batch is stamped anew',
    file: LANE,
    changes: [
      ["if (this.#unknown) return this.#giveUp('timestamp');", ''],
      ["assert(!this.#unknown, 'the bytes of an unknown batch are never changed');", ''],
    ],
  },
  {
    what: 'an unknown batch is sealed anew after a sequence error',
    file: LANE,
    changes: [
      ["if (this.#unknown) return this.#giveUp('sequence');", ''],
      ["assert(!this.#unknown, 'the bytes of an unknown batch are never changed');", ''],
    ],
  },
  {
    what: 'error 6 is taken for definite',
    file: ERROR_TABLE,
    changes: [
      ["6: ['NOT_LEADER_OR_FOLLOWER', unknown]", "6: ['NOT_LEADER_OR_FOLLOWER', notAppended]"],
    ],
  },
  {
    what: 'a lost connection is taken for definite',
    file: ERROR_TABLE,
    changes: [['class: why, definite: false', 'class: why, definite: true']],
  },
  {
    what: 'a definite answer makes an unknown batch known again',
    file: LANE,
    changes: [
      ['if (!outcome.definite) this.#unknown = true;', 'this.#unknown = !outcome.definite;'],
    ],
  },
  {
    what: 'a batch is changed on its retry',
    file: LANE,
    changes: [
      ['if (!this.#sealed) {', 'if (!this.#sealed || this.#attempts > 0) {'],
      [
        "assert(!this.#unknown, 'the bytes of an unknown batch are never changed');",
        'head.restamp(Date.now());',
      ],
    ],
  },
  {
    what: 'a frame is acknowledged before the response',
    file: ACK_STREAM,
    changes: [
      ['this.#open[frame & (this.#open.length - 1)]!++;', 'void frame;'],
      [
        "assert(frame > this.#acked && frame <= this.#received, 'only open frames have events');",
        '',
      ],
      ['this.#open[slot]! - count;', 'Math.max(0, this.#open[slot]! - count);'],
    ],
  },
  {
    what: 'a partition that the response lacks is taken for stored',
    file: 'worker/producer/produce-connection.ts',
    changes: [["noAnswer('missing_partition')", "({ kind: 'stored' } as Outcome)"]],
  },
  {
    what: 'sequences wrap at the wrong place',
    file: LANE,
    changes: [['const SEQUENCE_SPAN = 2 ** 31;', 'const SEQUENCE_SPAN = 2 ** 31 - 1;']],
  },
  {
    what: 'the epoch is not raised on a sequence error',
    file: LANE,
    changes: [
      [
        'const reset = this.#raiseEpoch();',
        "this.#nextSequence = 0;\nconst reset = 'epoch' as const;",
      ],
    ],
  },
  {
    what: 'a new epoch goes on with the old sequence',
    file: LANE,
    changes: [['this.#nextSequence = 0;\n    if (this.#epoch', 'if (this.#epoch']],
  },
  {
    what: 'no new producer id at the end of the epochs',
    file: LANE,
    changes: [['if (this.#epoch < EPOCH_MAX) {', 'if (this.#epoch < 2 * EPOCH_MAX) {']],
  },
  {
    what: 'the second half of a split goes behind the others',
    file: LANE,
    changes: [['this.#rest.unshift(rest);', 'this.#rest.push(rest);']],
  },
  {
    what: 'batches cut off by a split are not counted as in flight',
    file: LANE,
    changes: [['for (const batch of this.#rest) visit(batch);', '']],
  },
  {
    what: 'the second half of an overdue batch is answered twice',
    file: BATCH,
    changes: [['rest.answered = this.answered;', '']],
  },
  {
    what: 'the deadline abandons a batch that was sent',
    file: PRODUCER,
    changes: [
      ['batch === lane.head && lane.attempts === 0', 'batch === lane.head && !lane.inFlight'],
      ["this.#attempts === 0 && !this.#inFlight, 'it was never sent'", '!this.#inFlight', LANE],
    ],
  },
  {
    what: 'the deadline answers a batch that goes on as if it were refused',
    file: PRODUCER,
    changes: [['} else outcomes.overdue(batch);', "} else outcomes.refused(batch, 'timeout');"]],
  },
  {
    what: 'a given-up batch is called not stored',
    file: PRODUCER,
    changes: [
      [
        "outcomes.refused(verdict.batch, 'timeout');",
        "outcomes.refused(verdict.batch, 'too_large');",
      ],
    ],
  },
  {
    what: 'nobody asks who leads now',
    file: PRODUCER,
    changes: [['if (verdict.refresh) this.#metadata.refresh(partition.topic);', '']],
  },
  {
    what: 'no producer id is asked for after the last epoch',
    file: PRODUCER,
    changes: [['if (lane.needsProducerId) this.#requestProducerId(partition);', '']],
  },
  {
    what: 'a lane’s queue is taken from its end',
    file: 'worker/accumulator/queue.ts',
    changes: [
      [
        'this.#open !== undefined) this.close();\n    return this.#closed.shift();',
        'this.#open !== undefined) this.close();\n    return this.#closed.pop();',
      ],
    ],
  },
  {
    what: 'a key has no partition of its own',
    file: 'worker/accumulator/accumulator.ts',
    changes: [
      [
        'const partition =\n      keyBytes >= 0\n',
        'const partition =\n      Math.random() < 0.9\n',
      ],
    ],
  },
  {
    what: 'a frame is acknowledged before its nack',
    file: ACK_STREAM,
    changes: [
      [
        'const texts: string[] = [];\n',
        'const texts: string[] = [];\n  if (this.#advance()) texts.push(JSON.stringify({ ack: this.#acked }));\n',
      ],
    ],
  },
  {
    what: 'credit is not given back',
    file: ACK_STREAM,
    changes: [['if (!worthIt || ', 'if (this.#acked > 0 || ']],
  },
  {
    what: 'who waits for credit is not told that there is room again',
    file: 'worker/acknowledger/credit.ts',
    changes: [['for (const stream of starved) stream.relieved();', '']],
  },
  {
    what: 'a late success is counted twice',
    file: HTTP_REPLY,
    changes: [['if (this.#answered) return false;', '']],
  },
  {
    what: 'a late success is told twice',
    file: ACKNOWLEDGER,
    changes: [['batch.answered = true;', '']],
  },
  {
    what: 'what is stored in time is counted as late too',
    file: ACKNOWLEDGER,
    changes: [
      [
        'this.#counters.add(STORED_LATE, batch.records - stored);',
        'this.#counters.add(STORED_LATE, batch.records);',
      ],
    ],
  },
  {
    what: 'a broker whose quota is used up is sent more',
    file: 'worker/producer/broker.ts',
    changes: [['if (nowMs < this.#mutedUntilMs) return;', '']],
  },
  {
    what: 'what is refused counts as accepted in an HTTP answer',
    file: HTTP_REPLY,
    changes: [['if (event !== undefined) this.#open.delete(event);', '']],
  },
  {
    what: 'the memory of a refused batch is not given back',
    file: ACKNOWLEDGER,
    changes: [
      [
        'if (!batch.answered) this.#tell(batch, code);\n    this.#release(batch);',
        'if (!batch.answered) this.#tell(batch, code);',
      ],
    ],
  },
  {
    what: 'the copies of a request that failed stay charged',
    file: 'worker/producer/broker.ts',
    changes: [
      [
        'budget.copies(-bytes * LIMITS.requestCopies);',
        'if (ms < 1_000) budget.copies(-bytes * LIMITS.requestCopies);',
      ],
    ],
  },
  {
    what: 'that Kafka takes what it refused before is reported while a batch is counted nowhere',
    file: 'worker/producer/producer.ts',
    changes: [
      [
        'this.#metrics.verdict(partition, outcome, verdict);',
        'this.#metrics.verdict(partition, outcome, verdict);\n    this.health.settled(partition, outcome, verdict, nowMs);',
      ],
    ],
  },
  {
    what: 'a batch is sent while it is being compressed',
    file: LANE,
    changes: [['if (this.#inFlight || this.#compressing)', 'if (this.#inFlight)']],
  },
  {
    what: 'a batch is let go while a thread reads it',
    file: PRODUCER,
    changes: [
      ['if (!lane.compressing) this.#expire(', 'this.#expire('],
      ["assert(!this.#compressing, 'nobody reads its memory');", '', LANE],
    ],
  },
  {
    what: 'what a batch was compressed to stays charged',
    file: ACCUMULATOR,
    changes: [['if (compressed !== undefined) this.#budget.give(compressed.buffer);', '']],
  },
  {
    what: 'a half is sent with the compressed records of the whole',
    file: ACCUMULATOR,
    changes: [
      ['this.#giveCompressed(batch);\n    batch.split(', 'batch.split('],
      [
        "assert(this.#compressed === undefined, 'no half is sent with the records of the whole');",
        '',
        BATCH,
      ],
    ],
  },
  {
    what: 'a batch whose compression failed is never sent',
    file: 'worker/producer/compressor.ts',
    changes: [
      [
        '    batch.goUncompressed();\n    this.#sampled',
        '    if (batch.records > 0) return;\n    this.#sampled',
      ],
    ],
  },
  {
    what: 'fewer partitions are never believed',
    file: 'worker/producer/topic-watch.ts',
    changes: [['this.#count = count;', 'this.#count = Math.max(this.#count, count);']],
  },
  {
    what: 'events that wait for a removed partition are forgotten',
    file: REMOVED,
    changes: [['if (!batch.answered) this.#accumulator.repartition(batch, topic);', '']],
  },
  {
    what: 'events that wait for a removed partition are placed the last first',
    file: REMOVED,
    changes: [
      [
        'batch = queue.take()) waiting.push(batch);',
        'batch = queue.take()) waiting.unshift(batch);',
      ],
    ],
  },
];
