/** Copies of rejected events: from the bytes of a frame to the batches of an internal stream. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encode } from '@msgpack/msgpack';
import { deadLetterCodes } from '../../../src/common/errors.ts';
import { readConfig } from '../../../src/config/config.ts';
import { KIB, MIB } from '../../../src/config/limits.ts';
import { Counters } from '../../../src/metrics/counters.ts';
import { cellOf } from '../../../src/metrics/layout.ts';
import { streamCellsOf } from '../../../src/metrics/slots.ts';
import { implicitStream } from '../../../src/streams/implicit-stream.ts';
import { PLAIN_RECORDS, type StreamSpec } from '../../../src/streams/stream-file.ts';
import type { Owner } from '../../../src/worker/accumulator/batch.ts';
import type { Partition } from '../../../src/worker/accumulator/topic.ts';
import { ANONYMOUS, type Identity } from '../../../src/worker/admission/identity.ts';
import { DEAD_LETTER_LIMITS } from '../../../src/worker/dead-letters/limits.ts';
import type { DecodeBounds } from '../../../src/worker/decoder/decode-bounds.ts';
import type { EventSink } from '../../../src/worker/decoder/event-sink.ts';
import { decodeNdjson, decodeTextBody } from '../../../src/worker/decoder/json/text.ts';
import { decodeMsgpack, sliceMsgpack } from '../../../src/worker/decoder/msgpack/msgpack.ts';
import { Faults } from '../../../src/worker/faults.ts';
import { Provenance } from '../../../src/worker/streams/provenance.ts';
import { wireBuffer, wireIntake } from '../../../src/worker/wire.ts';
import { headersOf, recordsOf } from '../../../testing/batches.ts';

type Decoder = (bytes: Buffer, bounds: DecodeBounds, sink: EventSink) => number;

const NOW = Date.UTC(2026, 0, 31, 12);
const BOUNDS: DecodeBounds = { maxEvents: 100, maxEventBytes: 4 * KIB, maxDepth: 4 };
const [IMPLICIT] = implicitStream(readConfig({})).streams;
const SCHEMA = {
  file: '/schema.json',
  text: JSON.stringify({ type: 'object', required: ['n'], properties: { n: { type: 'integer' } } }),
  mode: 'enforce',
  candidate: undefined,
} as const;

const STREAMS: Readonly<Record<string, Partial<StreamSpec>>> = {
  clicks: { schema: SCHEMA, match: ['click'], key: [['user']], deadLetter: 'rejected' },
  orders: { match: ['order'], deadLetter: 'rejected' },
  rejected: { internal: true, limits: { ...IMPLICIT!.limits, bufferShare: 0.1 } },
};

interface Options {
  readonly streams?: Readonly<Record<string, Partial<StreamSpec>>>;
  /** Path; undefined = the field `type` selects the stream. */
  readonly path?: string;
  readonly bufferBytes?: number;
}

function setUp({ streams: specs = STREAMS, path, bufferBytes = 16 * MIB }: Options = {}) {
  const streams = Object.entries(specs).map(([name, spec]) => {
    return { ...IMPLICIT!, name, key: [], topic: name, ...spec };
  });
  const file = {
    routing: { field: path === undefined ? ['type'] : undefined, unknown: 'refuse' },
    deadLetter: 'rejected',
    streams,
  };
  const counters = new Counters();
  const config = readConfig({});
  const settings = { ...config, bufferBytes, instance: 'here' };
  const reporting = {
    counters,
    log: { info() {}, warn() {} } as never,
    faults: new Faults(() => {}),
  };
  const buffer = wireBuffer(settings, { streams, areDeclared: true });
  const stages = wireIntake(settings, buffer, reporting, { file, areDeclared: true });
  for (const topic of buffer.topics) topic.resize(1);
  const results: string[] = [];
  const owner = (identity: Partial<Identity> = {}): Owner => ({
    plain: false,
    transport: 'http',
    identity: { ...ANONYMOUS, ...identity } as never,
    accepted: (_frame, index) => results.push(`${index} accepted`),
    settled: () => true,
    rejected: (_frame, index, code) => results.push(`${index ?? 'all'} ${code}`),
  });
  const sender = { identity: ANONYMOUS, origin: '', plain: false };
  const route = stages.streams.table.routeOf(path, sender);
  const queueOf = (name: string) =>
    buffer.topics.find((topic) => topic.name === name)!.partitions[0]!.queue;
  const decode = (
    bytes: Buffer | string,
    decoder: Decoder = decodeTextBody,
    provenance = new Provenance({}),
    by = owner(),
  ) => {
    const { intake } = stages;
    intake.begin(by, 1, route, false, undefined, undefined, provenance, NOW);
    intake.countReceived(decoder(Buffer.from(bytes), BOUNDS, intake));
  };
  /** Takes the batches of a topic. */
  const takeBatches = (name = 'rejected') => {
    const batches = [];
    for (;;) {
      const batch = queueOf(name).take();
      if (batch === undefined) return batches;
      batches.push(batch);
    }
  };
  /** Takes the letters so far. */
  const take = () =>
    takeBatches().flatMap((batch) => {
      const headers = headersOf(batch);
      return recordsOf(batch).map(({ key, value, timestamp }, index) => ({
        key: key?.toString(),
        value,
        timestamp,
        headers: Object.fromEntries(headers[index]!),
      }));
    });
  /** Sums of the letters of a stream, by result. */
  const countsOf = (stream: string) => {
    const offset = streamCellsOf(counters.slots, stream);
    const sum = (cellsOf: (code: (typeof deadLetterCodes)[number]) => number) =>
      deadLetterCodes.reduce((total, code) => total + counters.values[cellsOf(code) + offset]!, 0);
    const ended = (result: string) =>
      sum((code) => cellOf('forebay_dead_letters_total', code, result));
    return {
      attempted: sum((code) => cellOf('forebay_dead_letters_attempted_total', code)),
      written: ended('written'),
      dropped: ended('dropped'),
      lost: ended('lost'),
    };
  };
  return { ...stages, ...buffer, counters, owner, results, decode, take, takeBatches, countsOf };
}

const ALL: Record<string, string> = {
  'fb-received': String(NOW),
  'fb-transport': 'http',
  'content-type': 'application/json',
};

test('each permanent rejection of an event leaves a copy of its bytes, with key and reason', () => {
  const { decode, take, results } = setUp();
  const deep = '{"type":"click","n":[[[[1]]]]}';
  const events = ['{"type":"click", "n":"1","user":"u1"}', ' null', deep, '{"type":"x","user":7}'];
  decode(`[${events.join(',')},{"type":"click","n":1}]`);
  assert.deepEqual(results, [
    '0 schema',
    '1 not_an_object',
    '2 too_deep',
    '3 unknown_stream',
    '4 accepted',
  ]);
  const letters = take();
  assert.deepEqual(
    letters.map(({ value }) => value.toString()),
    events.map((text) => text.trim()),
  );
  assert.deepEqual(
    letters.map(({ key }) => key),
    ['u1', undefined, undefined, undefined],
  );
  assert(letters.every(({ timestamp }) => timestamp === NOW));
  const first = { 'fb-error-code': 'schema', 'fb-error-message': '/n must be integer' };
  assert.deepEqual(letters[0]!.headers, {
    ...first,
    'fb-stream': 'clicks',
    'fb-index': '0',
    ...ALL,
  });
  assert.deepEqual(
    letters.map(({ headers }) => [
      headers['fb-error-code'],
      headers['fb-stream'],
      headers['fb-index'],
    ]),
    [
      ['schema', 'clicks', '0'],
      ['not_an_object', undefined, '1'],
      ['too_deep', undefined, '2'],
      ['unknown_stream', undefined, '3'],
    ],
    'only events with a known stream name it',
  );
});

test('lines that are not JSON or not UTF-8 are copied alone, other bodies as a whole', () => {
  const { decode, take } = setUp({ path: 'clicks' });
  const lines = Buffer.concat([Buffer.from('{"n":1}\n{oops\n'), Buffer.of(0x22, 0xff, 0x22)]);
  decode(lines, decodeNdjson);
  decode('[{"n":1},', decodeTextBody);
  const letters = take();
  assert.deepEqual(
    letters.map(({ value }) => value.toString('latin1')),
    ['{oops', '"\xff"', '[{"n":1},'],
  );
  assert.deepEqual(
    letters.map(({ headers }) => [
      headers['fb-error-code'],
      headers['fb-index'],
      headers['fb-stream'],
    ]),
    [
      ['invalid_json', '1', 'clicks'],
      ['invalid_utf8', '2', 'clicks'],
      ['invalid_json', undefined, 'clicks'],
    ],
  );
});

test('MessagePack is copied as it was sent, at once and in slices', () => {
  const values = [{ n: 1 }, { n: 'x' }, 7, { n: 2 }, { n: null }];
  const bytes = Buffer.from(encode(values));
  const decodeSliced: Decoder = (frame, bounds, sink) => {
    let events = 0;
    for (const slice of sliceMsgpack(frame, bounds, sink, { sliceBytes: 8, sliceEvents: 1 })) {
      events += slice;
    }
    return events;
  };
  for (const decoder of [decodeMsgpack, decodeSliced]) {
    const { decode, take } = setUp({ path: 'clicks' });
    decode(bytes, decoder);
    const letters = take();
    assert.deepEqual(
      letters.map(({ value }) => value),
      [values[1], values[2], values[4]].map((value) => Buffer.from(encode(value))),
    );
    assert(letters.every(({ headers }) => headers['content-type'] === 'application/msgpack'));
  }
  const { decode, take } = setUp({ path: 'clicks' });
  decode(bytes.subarray(0, 9), decodeMsgpack);
  const [cut] = take();
  assert.deepEqual(
    [cut?.headers['fb-error-code'], cut?.value],
    ['invalid_msgpack', bytes.subarray(0, 9)],
  );
  assert.equal(cut?.headers['content-type'], 'application/msgpack');
});

test('the sender, its repeats, and what the stream asks about it are stated; nothing else', () => {
  const headers = ['client-ip', 'user-agent', 'instance', 'traceparent'] as const;
  const facts = {
    transport: 'http',
    'client-ip': '203.0.113.77',
    'user-agent': 'curl/8',
    origin: 'https://a.example',
    traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
  };
  const streams = {
    ...STREAMS,
    clicks: { ...STREAMS.clicks, record: { ...PLAIN_RECORDS, headers } },
  };
  const { decode, take, owner } = setUp({ path: 'clicks', streams });
  decode('[{"n":1},{},{}]', decodeTextBody, new Provenance(facts, 2), owner({ name: 'till-7' }));
  const [one, two] = take();
  assert.deepEqual(one!.headers, {
    ...ALL,
    'fb-error-code': 'schema',
    'fb-error-message': "must have required property 'n'",
    'fb-stream': 'clicks',
    'fb-identity': 'till-7',
    'fb-index': '1',
    'fb-resent': '1',
    traceparent: facts.traceparent,
    'fb-instance': 'here',
    'fb-ip': '203.0.113.0/24',
    'fb-user-agent': 'curl/8',
  });
  assert.equal(two!.headers['fb-resent'], undefined);
});

test('a long value is cut, and states its size', () => {
  const { decode, take } = setUp({ path: 'clicks' });
  const body = `[${'x'.repeat(100 * KIB)}`;
  decode(body);
  const [letter] = take();
  assert.equal(letter!.value.length, DEAD_LETTER_LIMITS.valueBytes);
  assert.equal(letter!.headers['fb-truncated'], String(body.length));
});

test('an event for a stream that its sender may not write to leaves no copy', () => {
  const keyed = { ...STREAMS, orders: { ...STREAMS.orders, access: 'keyed' } } as const;
  const { decode, take, results } = setUp({ streams: keyed });
  decode('[{"type":"order"},{"type":"rejected"},{}]');
  assert.deepEqual(results, ['0 unknown_stream', '1 unknown_stream', '2 unknown_stream']);
  assert.deepEqual(
    take().map(({ value }) => value.toString()),
    ['{"type":"rejected"}', '{}'],
  );
  // Their stream is not known, and a replay may select it.
  decode('[{"type":"order","n":[[[[1]]]]},7]');
  decode('[{"type":"order"},');
  assert.deepEqual(results.slice(3), ['0 too_deep', '1 not_an_object', 'all invalid_json']);
  const path = setUp({ streams: keyed, path: 'nope' });
  path.decode('{"type":"order"}');
  assert.deepEqual(path.results, ['0 unknown_stream']);
  assert.deepEqual([take(), path.take()], [[], []]);
});

test('copies change no result and no metric of events', () => {
  const without = Object.fromEntries(
    Object.entries(STREAMS).map(([name, spec]) => [name, { ...spec, deadLetter: undefined }]),
  );
  const [copying, plain] = [setUp(), setUp({ streams: without })];
  const body =
    '[{"type":"click","n":"1"},{"type":"click","n":1},3,{"type":"order"},{"type":"click"}]';
  for (const { decode } of [copying, plain]) decode(body);
  assert.deepEqual(copying.results, plain.results);
  assert.equal(copying.take().length, 3);
  assert.deepEqual(copying.countsOf('clicks').attempted, 2);
  const eventCells = (counters: Counters) => {
    const values = counters.values.slice();
    const distance = streamCellsOf(counters.slots, 'clicks');
    for (let at = 0; at < 4 * distance; at += distance) {
      for (const code of deadLetterCodes) {
        values[cellOf('forebay_dead_letters_attempted_total', code) + at] = 0;
      }
    }
    return values;
  };
  assert.deepEqual(eventCells(copying.counters), eventCells(plain.counters));
});

test('each copy ends once: written, dropped or lost, whatever its code and stream', () => {
  const { decode, takeBatches, deliveries, countsOf, budget } = setUp({ path: 'clicks' });
  const results = [
    ['written', (batch: never) => deliveries.stored(batch)],
    ['dropped', (batch: never) => deliveries.rejected(batch, 'kafka_unavailable')],
    ['lost', (batch: never) => deliveries.rejected(batch, 'timeout')],
  ] as const;
  for (const [name, end] of results) {
    const before = countsOf('clicks')[name];
    decode('[{},3,{}]');
    const [batch] = takeBatches();
    deliveries.overdue(batch!);
    assert.equal(countsOf('clicks')[name], before, 'an overdue one has no result yet');
    end(batch as never);
    assert.equal(countsOf('clicks')[name], before + 3);
  }
  assert.deepEqual(countsOf('clicks'), { attempted: 9, written: 3, dropped: 3, lost: 3 });
  assert.equal(budget.eventBytes, 0, 'all memory is released');
});

test('above its rate, and under pressure, copies are dropped; long ones cost more', () => {
  const limits = { ...IMPLICIT!.limits, eventsPerSecond: 4, bufferShare: 0.1 };
  const streams = { ...STREAMS, rejected: { internal: true, limits } };
  const { decode, countsOf, take } = setUp({ path: 'clicks', streams });
  decode(`[${'{},'.repeat(9)}{}]`);
  assert.deepEqual([take().length, countsOf('clicks').dropped], [4, 6]);
  const other = setUp({ path: 'clicks', streams });
  other.decode(`[${'x'.repeat(4 * DEAD_LETTER_LIMITS.tokenBytes)}`);
  other.decode('[{}]');
  assert.deepEqual([other.take().length, other.countsOf('clicks').dropped], [1, 1]);
});

test('when events need the buffer, waiting copies are dropped and none is added', async () => {
  const { decode, countsOf, budget, topics } = setUp({ path: 'clicks', bufferBytes: MIB });
  decode('[{},{}]');
  const before = budget.eventBytes;
  assert(before > 0);
  const events = topics.find(({ name }) => name === 'clicks')!.share!;
  events.forceCharge(MIB);
  assert.equal(countsOf('clicks').dropped, 0, 'not within the allocation');
  await Promise.resolve();
  assert.equal(countsOf('clicks').dropped, 2);
  assert.equal(budget.eventBytes, MIB, 'their memory is free');
  decode('[{}]');
  assert.deepEqual(countsOf('clicks'), { attempted: 3, written: 0, dropped: 3, lost: 0 });
});

test('copies never hold more than their share, and events find room next to them', () => {
  const limits = { ...IMPLICIT!.limits, eventsPerSecond: 1e6, bufferShare: 0.1 };
  const streams = { ...STREAMS, rejected: { internal: true, limits } };
  const { decode, countsOf, budget, accumulator, topics } = setUp({
    path: 'clicks',
    streams,
    bufferBytes: 8 * MIB,
  });
  const bad = `{"m":"${'x'.repeat(2 * KIB)}"}`;
  for (let frame = 0; frame < 100; frame++) decode(`[${Array(50).fill(bad).join(',')}]`);
  const { attempted, dropped } = countsOf('clicks');
  assert.equal(attempted, 5_000);
  assert(dropped > 3_000, 'the fault happened');
  assert(budget.eventBytes < 0.25 * budget.limitBytes, `${budget.eventBytes} bytes`);
  assert(accumulator.acceptsFrames(topics.find(({ name }) => name === 'clicks')!));
});

test('records that Kafka rejected are copied with their key and headers, unless they timed out', () => {
  const headers = ['received', 'event-id', 'user-agent', 'resent'] as const;
  const streams = {
    ...STREAMS,
    clicks: { ...STREAMS.clicks, record: { ...PLAIN_RECORDS, headers } },
  };
  const { decode, takeBatches, take, deliveries, results, countsOf } = setUp({
    path: 'clicks',
    streams,
  });
  const facts = { 'user-agent': 'curl/8' };
  decode('{"n":1,"user":"u","id":"7"}', decodeTextBody, new Provenance(facts, 1));
  const [batch] = takeBatches('clicks');
  deliveries.rejected(batch!, 'rejected_by_kafka');
  assert.deepEqual(results, ['0 accepted', '0 rejected_by_kafka']);
  const [letter, ...more] = take();
  assert.equal(more.length, 0);
  assert.deepEqual([letter!.key, letter!.value.toString()], ['u', '{"n":1,"user":"u","id":"7"}']);
  assert.deepEqual(letter!.headers, {
    ...ALL,
    'fb-error-code': 'rejected_by_kafka',
    'fb-error-message': 'Kafka rejected this record',
    'fb-stream': 'clicks',
    'fb-index': '0',
    'fb-resent': '1',
    'fb-user-agent': 'curl/8',
  });
  decode('{"n":1}');
  const [late] = takeBatches('clicks');
  deliveries.overdue(late!);
  deliveries.rejected(late!, 'rejected_by_kafka');
  assert.equal(take().length, 0, 'its sender sends it again');
  assert.equal(countsOf('clicks').attempted, 1);
});

test('of a rejected record, the prefix is no part of the event, and its network stays', () => {
  const headers = ['client-ip'] as const;
  const record = { ...PLAIN_RECORDS, headers };
  const version = { subject: 'c', requested: 1, version: 1, id: 9, guid: undefined };
  const schema = { ...SCHEMA, registered: { ...version, framing: 'prefix' } as const };
  const streams = { ...STREAMS, clicks: { ...STREAMS.clicks, schema, record } };
  const { decode, takeBatches, take, deliveries } = setUp({ path: 'clicks', streams });
  const provenance = new Provenance({ 'client-ip': '203.0.113.77' });
  decode('{"n":1}', decodeTextBody, provenance);
  const [batch] = takeBatches('clicks');
  assert.equal(recordsOf(batch!)[0]!.value.length, 5 + 7, 'the stored value has the prefix');
  deliveries.rejected(batch!, 'rejected_by_kafka');
  const [letter] = take();
  assert.deepEqual(
    [letter!.value.toString(), letter!.headers['fb-ip']],
    ['{"n":1}', '203.0.113.0/24'],
  );
});

test('events over a limit keep their key, those that are not JSON objects have none', () => {
  const limits = { ...IMPLICIT!.limits, eventBytes: 60 };
  const streams = { ...STREAMS, clicks: { ...STREAMS.clicks, limits } };
  const { decode, take } = setUp({ path: 'clicks', streams });
  const long = `{"user":"u1","n":1,"text":"${'x'.repeat(50)}"}`;
  decode(`[${long},{"n":[[[[1]]]],"user":"u2"},["u3"]]`);
  assert.deepEqual(
    take().map(({ key, headers }) => [headers['fb-error-code'], key]),
    [
      ['too_large', 'u1'],
      ['too_deep', 'u2'],
      ['not_an_object', undefined],
    ],
  );
});

test('an event that its topic is known to reject keeps its key, in any format', () => {
  const { decode, takeBatches, take } = setUp({ path: 'clicks' });
  decode('{"user":"u0","n":1}');
  const { topic } = takeBatches('clicks')[0]!.partition as Partition;
  topic.maxMessageBytes = 200;
  const long = { user: 'u1', n: 1, text: 'x'.repeat(200) };
  decode(JSON.stringify(long));
  decode(Buffer.from(encode(long)), decodeMsgpack);
  assert.deepEqual(
    take().map(({ key, headers }) => [headers['fb-error-code'], key]),
    [
      ['too_large', 'u1'],
      ['too_large', 'u1'],
    ],
  );
});

test('a record that its topic no longer accepts is copied as too_large', () => {
  const { decode, takeBatches, take, deliveries } = setUp({ path: 'clicks' });
  decode('{"n":1}');
  deliveries.rejected(takeBatches('clicks')[0]!, 'too_large');
  assert.equal(take()[0]?.headers['fb-error-code'], 'too_large');
});

test('a frame with too many events states its format', () => {
  const { decode, take } = setUp({ path: 'clicks' });
  decode(Buffer.from(encode(new Array(101).fill({ n: 1 }))), decodeMsgpack);
  decode('é\n'.repeat(101), decodeNdjson);
  decode(
    Buffer.concat([Buffer.of(0xef, 0xbb, 0xbf), Buffer.from('{}\n'.repeat(101))]),
    decodeNdjson,
  );
  assert.deepEqual(
    take().map(({ headers }) => headers['content-type']),
    ['application/msgpack', 'application/json', 'application/json'],
  );
});

test('a rejected copy leads to no other copy', () => {
  const { decode, takeBatches, take, deliveries, countsOf } = setUp({ path: 'clicks' });
  decode('[{}]');
  const [batch] = takeBatches();
  deliveries.rejected(batch!, 'rejected_by_kafka');
  assert.equal(take().length, 0);
  assert.deepEqual(countsOf('clicks'), { attempted: 1, written: 0, dropped: 1, lost: 0 });
});
