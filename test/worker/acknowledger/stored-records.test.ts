/** Records that the response to a body shows, through the acknowledger. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import pino from 'pino';
import { KIB, LIMITS, MIB } from '../../../src/config/limits.ts';
import { guidHeaderOf } from '../../../src/kafka/schema-identity.ts';
import { Counters } from '../../../src/metrics/counters.ts';
import { declaredSlots, streamCellsOf } from '../../../src/metrics/slots.ts';
import { type Owner, RecordBatch } from '../../../src/worker/accumulator/batch.ts';
import { Budget } from '../../../src/worker/accumulator/budget.ts';
import { type EncodedHeaders, NO_HEADERS } from '../../../src/worker/accumulator/records.ts';
import { Acknowledger } from '../../../src/worker/acknowledger/acknowledger.ts';
import { Credit } from '../../../src/worker/acknowledger/credit.ts';
import { type EventsResponse, HttpReply } from '../../../src/worker/acknowledger/http-reply.ts';
import { ANONYMOUS } from '../../../src/worker/admission/identity.ts';
import { encodedHeaders, PLAIN_OWNER } from '../../../testing/batches.ts';

const { count: COUNT, bytes: BYTES_MAX } = LIMITS.shownRecords;
const VALUE = Buffer.from('{}');
const TOPIC = { name: 'events' };
const STREAMS = ['clicks', 'orders'] as const;

const budget = new Budget(MIB);
const counters = new Counters();
const slots = declaredSlots(STREAMS);
counters.assign(slots);
const credit = new Credit(new Budget(MIB), 64 * KIB);
const acknowledger = new Acknowledger(counters, credit, () => {}, pino({ level: 'silent' }));

/** A reply that shows records, or not, and its responses. */
function replyTo({ showsRecords = true } = {}) {
  const responses: EventsResponse[] = [];
  const respond = (response: EventsResponse) => responses.push(response);
  const reply = new HttpReply(ANONYMOUS, budget, respond, undefined, showsRecords);
  const shown = () => responses[0]?.body.records;
  return { reply, responses, shown };
}

const newBatch = (partition = 0, bytes = 64 * KIB) =>
  new RecordBatch(Buffer.alloc(bytes), { topic: TOPIC, number: partition });

interface Accepted {
  readonly stream?: (typeof STREAMS)[number];
  readonly key?: string;
  readonly headers?: EncodedHeaders;
  readonly timestamp?: number;
}

/** Adds event `event` of an owner to a batch. */
function accept(
  batch: RecordBatch,
  owner: Owner,
  event: number,
  { stream = 'clicks', key, headers = NO_HEADERS, timestamp = 1_000 }: Accepted = {},
): void {
  const keySource = Buffer.from(key ?? '');
  const keyBytes = key === undefined ? -1 : keySource.length;
  batch.append(timestamp, keySource, 0, keyBytes, VALUE, 0, VALUE.length, headers);
  const cells = streamCellsOf(slots, stream);
  batch.addOwner(owner, 0, event, performance.now(), cells);
  owner.accepted(0, event, cells);
}

interface Arrangement {
  /** By event. */
  readonly partitions: readonly number[];
  /** Partitions in the order of their results. */
  readonly order: readonly number[];
  readonly unstored: readonly number[];
  /** Events with a long key. */
  readonly long: readonly number[];
}

const from0To = (last: number) => Array.from({ length: last + 1 }, (_, index) => index);

test('records have stream, partition, timestamp, key, and headers in their order', () => {
  const { reply, responses } = replyTo();
  const batch = newBatch(7);
  accept(batch, PLAIN_OWNER, 5, { key: 'of another', headers: encodedHeaders([['x', 'y']]) });
  const headers: [string, string][] = [
    ['fb-received', '1769000000000'],
    ['fb-id', 'é '.repeat(60)],
    ['content-type', ''],
  ];
  accept(batch, reply, 0, { key: 'ключ', headers: encodedHeaders(headers), timestamp: 990 });
  accept(batch, reply, 1, { stream: 'orders', key: '', timestamp: 2_000 });
  accept(batch, reply, 2, { stream: 'orders' });
  reply.rejected(0, 3, 'schema', 'why');
  reply.endBody();
  acknowledger.stored(batch);
  const [{ status, body } = { status: 0, body: undefined }] = responses;
  assert.equal(status, 207);
  assert.deepEqual([body?.accepted, body?.errors.length], [3, 1]);
  const partition = 7;
  assert.deepEqual(body?.records, [
    {
      event: 0,
      stream: 'clicks',
      partition,
      timestamp: 990,
      key: 'ключ',
      headers: Object.fromEntries(headers),
    },
    { event: 1, stream: 'orders', partition, timestamp: 2_000, key: '', headers: {} },
    { event: 2, stream: 'orders', partition, timestamp: 1_000, key: null, headers: {} },
  ]);
  assert.deepEqual(
    Object.keys(body?.records?.[0]?.headers ?? {}),
    headers.map(([name]) => name),
  );
});

test('the first stored events are shown, in any order of the batches', () => {
  const events = fc.integer({ min: 0, max: 40 });
  const arrangement: fc.Arbitrary<Arrangement> = fc.record({
    partitions: fc.array(fc.nat(3), { minLength: 1, maxLength: 40 }),
    order: fc.shuffledSubarray([0, 1, 2, 3], { minLength: 4 }),
    unstored: fc.uniqueArray(events, { maxLength: 8 }),
    long: fc.uniqueArray(events, { maxLength: 4 }),
  });
  const check = ({ partitions, order, unstored, long }: Arrangement) => {
    const { reply, shown } = replyTo();
    const batches = from0To(3).map((number) => newBatch(number, MIB));
    const sizes = new Map<number, number>();
    for (const [event, partition] of partitions.entries()) {
      if (unstored.includes(event)) {
        reply.rejected(0, event, 'schema', 'why');
        continue;
      }
      const key = 'k'.repeat(long.includes(event) ? BYTES_MAX / 2 : 10);
      sizes.set(event, key.length);
      accept(batches[partition]!, reply, event, { key });
    }
    reply.endBody();
    for (const number of order) acknowledger.stored(batches[number]!);
    const first = [...sizes.keys()].slice(0, COUNT);
    const longOnes = first.filter((event) => long.includes(event));
    // Two long ones do not fit.
    const expected = longOnes.length < 2 ? first : first.slice(0, first.indexOf(longOnes[1]!));
    assert.deepEqual(
      shown()?.map(({ event }) => event),
      expected,
    );
    assert.equal(budget.eventBytes, 0, 'the memory is released with the response');
  };
  fc.assert(fc.property(arrangement, check));
});

test('a batch is parsed once, however many bodies show its records, and never for others', (t) => {
  const parses = t.mock.method(RecordBatch.prototype, 'slices');
  const replies = Array.from({ length: 500 }, () => replyTo());
  const mixed = newBatch();
  for (const { reply } of replies) {
    accept(mixed, reply, 0);
    reply.endBody();
  }
  acknowledger.stored(mixed);
  assert.equal(parses.mock.callCount(), 1);
  for (const { shown } of replies) assert.equal(shown()?.length, 1);

  const others = newBatch();
  const plain = replyTo({ showsRecords: false });
  for (const event of from0To(99)) accept(others, event % 2 ? PLAIN_OWNER : plain.reply, event);
  plain.reply.endBody();
  acknowledger.stored(others);
  assert.equal(parses.mock.callCount(), 1, 'no reply shows records');
  assert.deepEqual(plain.responses, [{ status: 200, body: { accepted: 50, errors: [] } }]);

  const { reply, shown } = replyTo();
  const batches = from0To(9).map(() => newBatch());
  for (const event of from0To(999)) accept(batches[Math.floor(event / 100)]!, reply, event);
  reply.endBody();
  for (const batch of batches) acknowledger.stored(batch);
  assert.deepEqual(
    shown()?.map(({ event }) => event),
    from0To(COUNT - 1),
  );
  assert.equal(parses.mock.callCount(), 2, 'later batches of the body have none of the first');
});

test('records of a split batch agree with its parts, also those of a part that is rejected', () => {
  const { reply, shown } = replyTo();
  const [batch, rest] = [newBatch(2), newBatch(2)];
  for (const event of from0To(5)) {
    const headers = encodedHeaders([['fb-id', `${event}`]]);
    accept(batch, reply, event, { key: `k${event}`, headers, timestamp: 1_000 - event });
  }
  reply.endBody();
  batch.split(3, rest);
  acknowledger.rejected(batch, 'rejected_by_kafka');
  assert.equal(shown(), undefined, 'the rest is open');
  acknowledger.stored(rest);
  const expected = [3, 4, 5].map((event) => ({
    event,
    stream: 'clicks',
    partition: 2,
    timestamp: 1_000 - event,
    key: `k${event}`,
    headers: { 'fb-id': `${event}` },
  }));
  assert.deepEqual(shown(), expected);
});

test('a record whose key is too long is left out, and memory is charged until the response', () => {
  const { reply, shown } = replyTo();
  const [short, long, open] = [newBatch(), newBatch(0, MIB), newBatch()];
  accept(short, reply, 0, { key: 'k'.repeat(1_000) });
  accept(long, reply, 1, { key: 'k'.repeat(BYTES_MAX) });
  accept(open, reply, 2);
  reply.endBody();
  acknowledger.stored(short);
  const charged = budget.eventBytes;
  assert(charged >= 1_000 && charged < 2_000, `${charged}`);
  acknowledger.stored(long);
  assert.equal(budget.eventBytes, charged);
  acknowledger.stored(open);
  assert.deepEqual(
    shown()?.map(({ event }) => event),
    [0],
  );
  assert.equal(budget.eventBytes, 0);
});

test('after the timeout or an internal error, late results show nothing and charge nothing', (t) => {
  const parses = t.mock.method(RecordBatch.prototype, 'slices');
  for (const end of ['timeout', 'failure'] as const) {
    const { reply, responses, shown } = replyTo();
    const [early, late] = [newBatch(), newBatch()];
    accept(early, reply, 0);
    accept(late, reply, 1);
    if (end === 'timeout') reply.endBody();
    acknowledger.stored(early);
    const before = parses.mock.callCount();
    if (end === 'timeout') acknowledger.expire(reply);
    else reply.fail();
    assert.equal(budget.eventBytes, 0, end);
    acknowledger.stored(late);
    assert.equal(budget.eventBytes, 0, end);
    assert.equal(parses.mock.callCount(), before, end);
    if (end === 'failure') continue;
    assert.equal(responses.length, 1);
    assert.equal(responses[0]?.status, 503);
    assert.deepEqual(
      shown()?.map(({ event }) => event),
      [0],
    );
  }
});

test('the identity of a schema is shown as its GUID', () => {
  const { reply, responses } = replyTo();
  const batch = newBatch(7);
  const guid = '0123abcd-89ab-cdef-0123-456789abcdef';
  const bytes = Buffer.concat([Buffer.of(2), encodedName('__value_schema_id'), Buffer.of(34)]);
  const all = Buffer.concat([bytes, guidHeaderOf(guid)]);
  accept(batch, reply, 0, { headers: { bytes: all, length: all.length } });
  reply.endBody();
  acknowledger.stored(batch);
  const [{ body } = { body: undefined }] = responses;
  assert.deepEqual(body?.records?.[0]?.headers, { __value_schema_id: guid });
});

function encodedName(name: string): Buffer {
  return Buffer.concat([Buffer.of(2 * name.length), Buffer.from(name)]);
}
