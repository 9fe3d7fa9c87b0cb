import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JsonObject } from '../../../src/common/json-object.ts';
import { KIB, LIMITS, MIB } from '../../../src/config/limits.ts';
import { Counters } from '../../../src/metrics/counters.ts';
import { implicitStream } from '../../../src/streams/implicit-stream.ts';
import { Accumulator } from '../../../src/worker/accumulator/accumulator.ts';
import type { Owner } from '../../../src/worker/accumulator/batch.ts';
import { Budget } from '../../../src/worker/accumulator/budget.ts';
import { ANONYMOUS } from '../../../src/worker/admission/identity.ts';
import { TokenBucket } from '../../../src/worker/admission/token-bucket.ts';
import { countEvents } from '../../../src/worker/decoder/json/count-events.ts';
import { LocatedFields } from '../../../src/worker/decoder/kernel/located-fields.ts';
import type { NoKeyReason } from '../../../src/worker/decoder/key-field.ts';
import { Intake } from '../../../src/worker/intake/intake.ts';
import { loadValidator } from '../../../src/worker/intake/validator.ts';
import { NO_PROVENANCE } from '../../../src/worker/streams/provenance.ts';
import { type Route, SingleRoute } from '../../../src/worker/streams/route.ts';
import { Stream } from '../../../src/worker/streams/stream.ts';
import { recordsOf, topicOf } from '../../../testing/batches.ts';
import { profileOf } from '../../support/fast-validators.ts';

/** Fields of an event without a key. */
const KEYLESS = new LocatedFields();
const GOOD = { msg: 'm', clientId: 'c', timestamp: 1 };

/** An intake with a real accumulator, and the results for its owner and the acknowledger. */
function setUp({ partitions = 1, limitBytes = 4 * MIB, keyField = 'clientId' } = {}) {
  const budget = new Budget(limitBytes);
  const accumulator = new Accumulator({ budget, batchBytes: 16 * KIB, maxEventBytes: 64 * KIB });
  const topic = topicOf(partitions);
  const accepted: [number, number][] = [];
  const rejected: unknown[][] = [];
  const waitsMs: (number | undefined)[] = [];
  const eventCounts: (number | undefined)[] = [];
  const owner: Owner = {
    plain: false,
    transport: 'ws',
    identity: ANONYMOUS,
    accepted: (frame, event) => accepted.push([frame, event]),
    settled: () => true,
    rejected: () => assert.fail('rejections go through the acknowledger'),
  };
  const reasons: NoKeyReason[] = [];
  const keyless = { count: (reason: NoKeyReason) => reasons.push(reason) };
  const [spec] = implicitStream({
    kafkaTopic: topic.name,
    kafkaCreateTopic: false,
    keyField,
    idField: 'id',
    eventSchema: undefined,
  }).streams;
  const stream = new Stream(spec!, {
    topic,
    cells: 0,
    validate: loadValidator(undefined),
    matchesSchema: loadValidator(undefined),
    profile: profileOf({ key: [keyField] }),
    keyless,
    maxEventBytes: 64 * KIB,
  });
  const route = new SingleRoute(stream);
  const intake = new Intake(accumulator, new Counters(), (rejectedOwner, ...rejection) => {
    assert.equal(rejectedOwner, owner);
    rejected.push(rejection.slice(0, 4));
    waitsMs.push(rejection[5]);
    eventCounts.push(rejection[6]);
  });
  const event = (index: number, value: JsonObject) => {
    const text = JSON.stringify(value);
    const bytes = Buffer.from(`  ${text}  `);
    intake.event(index, value, bytes, 2, bytes.length - 2);
  };
  const records = () => {
    const batches = topic.partitions.flatMap(({ queue }) => queue.take() ?? []);
    return batches.flatMap(recordsOf);
  };
  const results = { accepted, rejected, reasons, waitsMs, eventCounts };
  return { budget, topic, route, ...results, owner, intake, event, records };
}

/** Bytes of an event that is no object. */
const NULL = Buffer.from('null');

test('a valid event is appended with its bytes and key, and reported as accepted', () => {
  const { route, intake, owner, event, records, accepted, rejected } = setUp();
  const before = Date.now();
  intake.begin(owner, 9, route);
  event(4, GOOD);
  const [record] = records();
  assert.equal(record?.value.toString(), JSON.stringify(GOOD));
  assert.equal(record?.key?.toString(), 'c');
  assert(record.timestamp >= before && record.timestamp <= Date.now(), 'stamped now');
  assert.deepEqual(accepted, [[9, 4]]);
  assert.deepEqual(rejected, []);
});

test('the key is the text of the field; an event without a key is accepted and counted', () => {
  for (const [device, expected] of [
    ['k', 'k'],
    ['', ''],
    ['ключ 🔑', 'ключ 🔑'],
    [7, '7'],
    [-0.5, '-0.5'],
    [true, 'true'],
    [false, 'false'],
    [null, 'null'],
    [['k'], 'array'],
    [{ k: 'k' }, 'object'],
    [undefined, 'missing'],
  ] as const) {
    const { route, intake, owner, event, records, reasons, accepted } = setUp({
      keyField: 'device',
    });
    intake.begin(owner, 1, route);
    event(0, { ...GOOD, device });
    const isKey = ['string', 'number', 'boolean'].includes(typeof device);
    assert.deepEqual(
      records().map(({ key }) => key?.toString()),
      [isKey ? expected : undefined],
    );
    assert.deepEqual(reasons, isKey ? [] : [expected]);
    assert.deepEqual(accepted, [[1, 0]]);
  }
});

test('only accepted events count as events without a key', () => {
  const full = setUp({ limitBytes: 2 * KIB, keyField: 'device' });
  full.intake.begin(full.owner, 1, full.route);
  full.event(0, { ...GOOD, msg: 'x'.repeat(300) });
  full.event(1, {});
  full.intake.validEvent(2, Buffer.from(JSON.stringify(GOOD)), 0, 41, KEYLESS);
  assert.deepEqual([full.rejected.length, full.reasons], [3, []]);
  const { route, intake, owner, reasons } = setUp({ keyField: 'device' });
  intake.begin(owner, 1, route);
  intake.validEvent(0, Buffer.from(JSON.stringify(GOOD)), 0, 41, KEYLESS);
  assert.deepEqual(reasons, ['missing']);
});

test('an event that does not match the schema is rejected alone', () => {
  const { route, intake, owner, event, records, accepted, rejected } = setUp();
  intake.begin(owner, 2, route);
  event(0, GOOD);
  event(1, { ...GOOD, timestamp: 'now' });
  event(2, GOOD);
  assert.equal(records().length, 2);
  assert.deepEqual(accepted, [
    [2, 0],
    [2, 2],
  ]);
  assert.deepEqual(rejected, [[2, 1, 'schema', 'event 1: /timestamp must be integer']]);
});

test('the message of the first event of each code in a frame names its index', () => {
  const { route, intake, owner, event, rejected } = setUp();
  const messages = () => rejected.splice(0).map(([, index, code, text]) => [index, code, text]);
  for (const frame of [1, 2]) {
    intake.begin(owner, frame, route);
    event(0, {});
    intake.rejectEvent(1, 'not_an_object', 'why', NULL, 0, 4);
    event(2, { ...GOOD, msg: 1 });
    intake.rejectEvent(3, 'not_an_object', 'why', NULL, 0, 4);
    assert.deepEqual(messages(), [
      [0, 'schema', "event 0: must have required property 'msg'"],
      [1, 'not_an_object', 'event 1: why'],
      [2, 'schema', '/msg must be string'],
      [3, 'not_an_object', 'why'],
    ]);
  }
});

test('an event rejected by the accumulator has its code and is not reported as accepted', () => {
  const full = setUp({ limitBytes: 2 * KIB });
  const unreached = setUp({ partitions: 0 });
  const long = setUp();
  long.topic.maxMessageBytes = 300;
  for (const [{ intake, owner, route, event, accepted, rejected }, code, why] of [
    [full, 'buffer_full', 'the buffer is full'],
    [unreached, 'kafka_unavailable', 'the partitions of the topic are not known yet'],
    [long, 'too_large', 'larger than max.message.bytes of the topic'],
  ] as const) {
    intake.begin(owner, 3, route);
    event(5, { ...GOOD, msg: 'x'.repeat(300) });
    assert.deepEqual(accepted, []);
    assert.deepEqual(rejected, [[3, 5, code, `event 5: ${why}`]]);
  }
});

test('a new frame is rejected as a whole once the buffer is almost full', () => {
  const { route, budget, intake, owner, event, accepted, rejected } = setUp();
  const mark = budget.eventLimitBytes * (1 - LIMITS.frameRoom);
  budget.charge(mark - 1);
  intake.begin(owner, 1, route);
  event(0, GOOD);
  event(1, GOOD);
  assert(budget.eventBytes > mark && budget.eventLimitBytes - budget.eventBytes > 64 * KIB);
  const whole = [
    [1, 0],
    [1, 1],
  ];
  assert.deepEqual([accepted, rejected], [whole, []], 'a frame that has begun continues');
  intake.begin(owner, 2, route);
  event(0, GOOD);
  event(1, {});
  event(2, GOOD);
  assert.deepEqual(accepted, whole);
  assert.deepEqual(rejected, [
    [2, 0, 'buffer_full', 'event 0: the buffer is full'],
    [2, 1, 'schema', "event 1: must have required property 'msg'"],
    [2, 2, 'buffer_full', 'the buffer is full'],
  ]);
  budget.release(mark - 1);
  intake.begin(owner, 3, route);
  event(0, GOOD);
  assert.deepEqual(accepted.at(-1), [3, 0]);
});

test('a frame that finds the buffer full is rejected without looking at its events, which are counted', () => {
  const { route, budget, intake, owner, accepted, rejected, eventCounts } = setUp();
  const text = Buffer.from('[{"msg":1},{broken,"text"]');
  intake.begin(owner, 1, route);
  assert.equal(intake.rejectIfFull(text, countEvents, 10), 0, 'it has room');
  budget.charge(budget.eventLimitBytes * (1 - LIMITS.frameRoom));
  assert.equal(intake.isFullFor(route), true);
  const isRejected = (bytes: Buffer, max: number) => {
    intake.begin(owner, 2, route);
    return intake.rejectIfFull(bytes, countEvents, max);
  };
  const whole = [2, undefined, 'buffer_full', 'the buffer is full'];
  for (const [bytes, max, events] of [
    [Buffer.from('[{"msg":1},"text"]'), 10, 2],
    [Buffer.from('[{"msg":1},"text"]'), 1, 1],
    [text, 10, 1],
    [Buffer.from('no JSON'), 10, 1],
  ] as const) {
    assert.equal(isRejected(bytes, max), events);
    assert.deepEqual([rejected.pop(), eventCounts.pop()], [whole, events]);
  }
  assert.equal(isRejected(Buffer.from(' [] '), 10), 0, 'a frame without events has room');
  assert.deepEqual([accepted, rejected], [[], []]);
});

test('a full buffer rejects no frame of a closing connection or of several streams as a whole', () => {
  const { route, budget, intake, owner, event, rejected } = setUp();
  budget.charge(budget.eventLimitBytes);
  const bytes = Buffer.from('[{}]');
  intake.begin(owner, 1, { ...route, stream: undefined } as Route);
  assert.equal(intake.rejectIfFull(bytes, countEvents, 10), 0);
  assert.equal(intake.isFullFor({ ...route, stream: undefined } as Route), false);
  intake.begin(owner, 2, route, true);
  assert.equal(intake.rejectIfFull(bytes, countEvents, 10), 0);
  intake.drain();
  intake.begin(owner, 3, route);
  assert.equal(intake.rejectIfFull(bytes, countEvents, 10), 0);
  assert.equal(intake.isFullFor(route), false);
  event(0, GOOD);
  assert.deepEqual(
    rejected.map(([, index, code]) => [index, code]),
    [[0, 'draining']],
  );
});

test('a frame that finds the buffer full takes the tokens of its events, and leaves no debt', () => {
  const { route, budget, intake, owner, rejected } = setUp();
  budget.charge(budget.eventLimitBytes);
  const bucket = new TokenBucket({ eventsPerSecond: 1, burst: 5 });
  const bytes = Buffer.from('[{},{},{}]');
  for (const left of [2, 0, 0]) {
    intake.begin(owner, 1, route, false, [bucket]);
    assert.equal(intake.rejectIfInDebt(), false);
    assert.equal(intake.rejectIfFull(bytes, countEvents, 10), 3);
    intake.end(bytes.length);
    assert.equal(Math.floor(bucket.available(performance.now())), left);
  }
  assert.deepEqual(
    rejected.map(([, , code]) => code),
    Array(3).fill('buffer_full'),
  );
});

test('a frame decoded in slices keeps the decision made at its arrival', () => {
  const { route, budget, intake, owner, event, accepted, rejected } = setUp();
  const mark = budget.eventLimitBytes * (1 - LIMITS.frameRoom);
  intake.begin(owner, 1, route);
  event(0, GOOD);
  const before = intake.progress;
  budget.charge(mark);
  intake.resume(owner, 1, route, undefined, NO_PROVENANCE, before);
  event(1, GOOD);
  assert.deepEqual(accepted, [
    [1, 0],
    [1, 1],
  ]);
  intake.begin(owner, 2, route);
  const late = intake.progress;
  budget.release(mark);
  intake.resume(owner, 2, route, undefined, NO_PROVENANCE, late);
  event(7, GOOD);
  assert.deepEqual(rejected, [[2, 7, 'buffer_full', 'event 7: the buffer is full']]);
  assert.equal(accepted.length, 2);
});

test('during a drain valid events are rejected draining, others with their own code', () => {
  const { route, intake, owner, event, accepted, rejected, records } = setUp();
  intake.begin(owner, 1, route);
  event(0, GOOD);
  intake.drain();
  event(1, GOOD);
  event(2, {});
  assert.deepEqual(accepted, [[1, 0]]);
  assert.deepEqual(
    rejected.map(([, index, code]) => [index, code]),
    [
      [1, 'draining'],
      [2, 'schema'],
    ],
  );
  assert.equal(records().length, 1);
});

test('a late frame is rejected draining, other frames are not', () => {
  const { route, intake, owner, event, accepted, rejected } = setUp();
  intake.begin(owner, 1, route, true);
  event(0, GOOD);
  event(1, {});
  intake.begin(owner, 2, route);
  event(0, GOOD);
  assert.deepEqual(accepted, [[2, 0]]);
  assert.deepEqual(
    rejected.map(([frame, index, code]) => [frame, index, code]),
    [
      [1, 0, 'draining'],
      [1, 1, 'schema'],
    ],
  );
});

test('events over the rate are rejected rate_limited, with the wait until all can be retried', () => {
  const { route, intake, owner, event, accepted, rejected, waitsMs } = setUp();
  const buckets = [new TokenBucket({ eventsPerSecond: 0.01, burst: 5 })];
  intake.begin(owner, 1, route, false, buckets);
  event(0, GOOD);
  event(1, {});
  intake.validEvent(2, Buffer.from(JSON.stringify(GOOD)), 0, 41, KEYLESS);
  intake.rejectEvent(3, 'not_an_object', 'no object', NULL, 0, 4);
  event(4, GOOD);
  event(5, GOOD);
  event(6, {});
  intake.validEvent(7, Buffer.from(JSON.stringify(GOOD)), 0, 41, KEYLESS);
  assert.deepEqual(
    accepted.map(([, index]) => index),
    [0, 2, 4],
    'invalid events take tokens too',
  );
  assert.deepEqual(
    rejected.map(([, index, code, message]) => [index, code, message]),
    [
      [1, 'schema', "event 1: must have required property 'msg'"],
      [3, 'not_an_object', 'event 3: no object'],
      [5, 'rate_limited', 'event 5: event rate limit exceeded'],
      [6, 'rate_limited', 'event rate limit exceeded'],
      [7, 'rate_limited', 'event rate limit exceeded'],
    ],
  );
  assert.deepEqual(
    waitsMs.filter((ms) => ms !== undefined),
    [100_001, 200_001, 300_001],
  );
  intake.begin(owner, 2, route);
  event(0, GOOD);
  assert.deepEqual(accepted.at(-1), [2, 0], 'without buckets there is no limit');
});

test('rejections of the decoder carry the frame, and the event if there is one', () => {
  const { route, intake, owner, rejected } = setUp();
  intake.begin(owner, 6, route);
  intake.rejectEvent(3, 'not_an_object', 'an event must be a JSON object', NULL, 0, 4);
  intake.rejectFrame('invalid_json', 'not valid JSON');
  assert.deepEqual(rejected, [
    [6, 3, 'not_an_object', 'event 3: an event must be a JSON object'],
    [6, undefined, 'invalid_json', 'not valid JSON'],
  ]);
});

test('events of a frame share its arrival time', () => {
  const { route, intake, owner, event, records } = setUp();
  intake.begin(owner, 1, route);
  for (let index = 0; index < 200; index++) event(index, GOOD);
  assert.equal(new Set(records().map(({ timestamp }) => timestamp)).size, 1);
});
