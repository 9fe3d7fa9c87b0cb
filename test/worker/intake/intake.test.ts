import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JsonObject } from '../../../src/common/json-object.ts';
import { KIB, LIMITS, MIB } from '../../../src/config/limits.ts';
import { Accumulator } from '../../../src/worker/accumulator/accumulator.ts';
import type { Owner } from '../../../src/worker/accumulator/batch.ts';
import { Budget } from '../../../src/worker/accumulator/budget.ts';
import { TokenBucket } from '../../../src/worker/admission/token-bucket.ts';
import type { NoKey } from '../../../src/worker/decoder/key-field.ts';
import { Intake } from '../../../src/worker/intake/intake.ts';
import { loadSieve, loadValidator } from '../../../src/worker/intake/validator.ts';
import { recordsOf, topicOf } from '../../../testing/batches.ts';

const GOOD = { msg: 'm', clientId: 'c', timestamp: 1 };

/** An intake over a real accumulator, and what it told its owner and the acknowledger. */
function setUp({ partitions = 1, limitBytes = 4 * MIB, keyField = 'clientId' } = {}) {
  const budget = new Budget(limitBytes);
  const accumulator = new Accumulator({ budget, batchBytes: 16 * KIB, maxEventBytes: 64 * KIB });
  const topic = topicOf(partitions);
  const accepted: [number, number][] = [];
  const refused: unknown[][] = [];
  const waitsMs: (number | undefined)[] = [];
  const owner: Owner = {
    plain: false,
    transport: 'ws',
    identity: '',
    accepted: (frame, event) => accepted.push([frame, event]),
    settled: () => true,
    refused: () => assert.fail('refusals go through the acknowledger'),
  };
  const validate = loadValidator(undefined);
  const sieve = loadSieve(undefined, keyField);
  const reasons: NoKey[] = [];
  const keyless = { count: (reason: NoKey) => reasons.push(reason) };
  const intake = new Intake(
    validate,
    sieve,
    accumulator,
    topic,
    keyField,
    keyless,
    (who, ...refusal) => {
      assert.equal(who, owner);
      refused.push(refusal.slice(0, 4));
      waitsMs.push(refusal[4]);
    },
  );
  const event = (index: number, value: JsonObject) => {
    const text = JSON.stringify(value);
    const bytes = Buffer.from(`  ${text}  `);
    intake.event(index, value, bytes, 2, bytes.length - 2);
  };
  const records = () => {
    const batches = topic.partitions.flatMap(({ queue }) => queue.take() ?? []);
    return batches.flatMap(recordsOf);
  };
  const told = { accepted, refused, reasons, waitsMs };
  return { budget, topic, ...told, owner, intake, event, records };
}

test('a good event is stored with its bytes and its key, and its owner waits for it', () => {
  const { intake, owner, event, records, accepted, refused } = setUp();
  const before = Date.now();
  intake.begin(owner, 9);
  event(4, GOOD);
  const [record] = records();
  assert.equal(record?.value.toString(), JSON.stringify(GOOD));
  assert.equal(record?.key?.toString(), 'c');
  assert(record.timestamp >= before && record.timestamp <= Date.now(), 'stamped now');
  assert.deepEqual(accepted, [[9, 4]]);
  assert.deepEqual(refused, []);
});

test('the key is the text of the field; an event without one is stored and counted', () => {
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
    const { intake, owner, event, records, reasons, accepted } = setUp({ keyField: 'device' });
    intake.begin(owner, 1);
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

test('only events that are stored count as without a key', () => {
  const full = setUp({ limitBytes: 2 * KIB, keyField: 'device' });
  full.intake.begin(full.owner, 1);
  full.event(0, { ...GOOD, msg: 'x'.repeat(300) });
  full.event(1, {});
  full.intake.known(2, Buffer.from(JSON.stringify(GOOD)), 0, 41, 0, -1);
  assert.deepEqual([full.refused.length, full.reasons], [3, []]);
  const { intake, owner, reasons } = setUp({ keyField: 'device' });
  intake.begin(owner, 1);
  intake.known(0, Buffer.from(JSON.stringify(GOOD)), 0, 41, 0, -1);
  assert.deepEqual(reasons, ['missing']);
});

test('an event that breaks the schema is refused alone', () => {
  const { intake, owner, event, records, accepted, refused } = setUp();
  intake.begin(owner, 2);
  event(0, GOOD);
  event(1, { ...GOOD, timestamp: 'now' });
  event(2, GOOD);
  assert.equal(records().length, 2);
  assert.deepEqual(accepted, [
    [2, 0],
    [2, 2],
  ]);
  assert.deepEqual(refused, [[2, 1, 'schema', 'event 1: /timestamp must be integer']]);
});

test('the first event of each code in a frame is named, the message of the others is not built', () => {
  const { intake, owner, event, refused } = setUp();
  const messages = () => refused.splice(0).map(([, index, code, text]) => [index, code, text]);
  for (const frame of [1, 2]) {
    intake.begin(owner, frame);
    event(0, {});
    intake.refuseEvent(1, 'not_an_object', 'why');
    event(2, { ...GOOD, msg: 1 });
    intake.refuseEvent(3, 'not_an_object', 'why');
    assert.deepEqual(messages(), [
      [0, 'schema', "event 0: must have required property 'msg'"],
      [1, 'not_an_object', 'event 1: why'],
      [2, 'schema', '/msg must be string'],
      [3, 'not_an_object', 'why'],
    ]);
  }
});

test('what the accumulator does not take is refused with its code, and nobody waits for it', () => {
  const full = setUp({ limitBytes: 2 * KIB });
  const unreached = setUp({ partitions: 0 });
  const long = setUp();
  long.topic.maxMessageBytes = 300;
  for (const [{ intake, owner, event, accepted, refused }, code, why] of [
    [full, 'buffer_full', 'the buffer is full'],
    [unreached, 'kafka_unavailable', 'the partitions of the topic are not known yet'],
    [long, 'too_large', 'longer than the topic takes'],
  ] as const) {
    intake.begin(owner, 3);
    event(5, { ...GOOD, msg: 'x'.repeat(300) });
    assert.deepEqual(accepted, []);
    assert.deepEqual(refused, [[3, 5, code, `event 5: ${why}`]]);
  }
});

test('a frame for which only the last of the buffer is left is refused as a whole, and at once', () => {
  const { budget, intake, owner, event, accepted, refused } = setUp();
  const mark = budget.eventLimitBytes * (1 - LIMITS.frameRoom);
  budget.charge(mark - 1);
  intake.begin(owner, 1);
  event(0, GOOD);
  event(1, GOOD);
  assert(budget.eventBytes > mark && budget.eventLimitBytes - budget.eventBytes > 64 * KIB);
  const whole = [
    [1, 0],
    [1, 1],
  ];
  assert.deepEqual([accepted, refused], [whole, []], 'a frame that has begun goes on');
  intake.begin(owner, 2);
  event(0, GOOD);
  event(1, {});
  event(2, GOOD);
  assert.deepEqual(accepted, whole);
  assert.deepEqual(refused, [
    [2, 0, 'buffer_full', 'event 0: the buffer is full'],
    [2, 1, 'schema', "event 1: must have required property 'msg'"],
    [2, 2, 'buffer_full', 'the buffer is full'],
  ]);
  budget.release(mark - 1);
  intake.begin(owner, 3);
  event(0, GOOD);
  assert.deepEqual(accepted.at(-1), [3, 0]);
});

test('a frame that is taken in slices is refused whole, or goes on, as it came', () => {
  const { budget, intake, owner, event, accepted, refused } = setUp();
  const mark = budget.eventLimitBytes * (1 - LIMITS.frameRoom);
  intake.begin(owner, 1);
  event(0, GOOD);
  const came = intake.soFar;
  budget.charge(mark);
  intake.resume(owner, 1, undefined, came);
  event(1, GOOD);
  assert.deepEqual(accepted, [
    [1, 0],
    [1, 1],
  ]);
  intake.begin(owner, 2);
  const late = intake.soFar;
  budget.release(mark);
  intake.resume(owner, 2, undefined, late);
  event(7, GOOD);
  assert.deepEqual(refused, [[2, 7, 'buffer_full', 'event 7: the buffer is full']]);
  assert.equal(accepted.length, 2);
});

test('while it drains, good events are refused draining and bad ones what they are', () => {
  const { intake, owner, event, accepted, refused, records } = setUp();
  intake.begin(owner, 1);
  event(0, GOOD);
  intake.drain();
  event(1, GOOD);
  event(2, {});
  assert.deepEqual(accepted, [[1, 0]]);
  assert.deepEqual(
    refused.map(([, index, code]) => [index, code]),
    [
      [1, 'draining'],
      [2, 'schema'],
    ],
  );
  assert.equal(records().length, 1);
});

test('a frame that comes too late is refused draining, and not the ones beside it', () => {
  const { intake, owner, event, accepted, refused } = setUp();
  intake.begin(owner, 1, true);
  event(0, GOOD);
  event(1, {});
  intake.begin(owner, 2);
  event(0, GOOD);
  assert.deepEqual(accepted, [[2, 0]]);
  assert.deepEqual(
    refused.map(([frame, index, code]) => [frame, index, code]),
    [
      [1, 0, 'draining'],
      [1, 1, 'schema'],
    ],
  );
});

test('events beyond a rate are refused rate_limited, with the time until all may come', () => {
  const { intake, owner, event, accepted, refused, waitsMs } = setUp();
  const buckets = [new TokenBucket({ eventsPerSecond: 0.01, burst: 5 })];
  intake.begin(owner, 1, false, buckets);
  event(0, GOOD);
  event(1, {});
  intake.known(2, Buffer.from(JSON.stringify(GOOD)), 0, 41, -1, 0);
  intake.refuseEvent(3, 'not_an_object', 'no object');
  event(4, GOOD);
  event(5, GOOD);
  event(6, {});
  intake.known(7, Buffer.from(JSON.stringify(GOOD)), 0, 41, -1, 0);
  assert.deepEqual(
    accepted.map(([, index]) => index),
    [0, 2, 4],
    'bad events take tokens too',
  );
  assert.deepEqual(
    refused.map(([, index, code, message]) => [index, code, message]),
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
  intake.begin(owner, 2);
  event(0, GOOD);
  assert.deepEqual(accepted.at(-1), [2, 0], 'who has no rate is not bound');
});

test('refusals of the decoder name the frame, and the event where there is one', () => {
  const { intake, owner, refused } = setUp();
  intake.begin(owner, 6);
  intake.refuseEvent(3, 'not_an_object', 'an event must be a JSON object');
  intake.refuseFrame('invalid_json', 'not valid JSON');
  assert.deepEqual(refused, [
    [6, 3, 'not_an_object', 'event 3: an event must be a JSON object'],
    [6, undefined, 'invalid_json', 'not valid JSON'],
  ]);
});

test('events of one frame share their time of arrival', () => {
  const { intake, owner, event, records } = setUp();
  intake.begin(owner, 1);
  for (let index = 0; index < 200; index++) event(index, GOOD);
  assert.equal(new Set(records().map(({ timestamp }) => timestamp)).size, 1);
});
