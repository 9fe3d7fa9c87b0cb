/** Records of the path from bytes to batches: all ways through the decoder write the same ones. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encode } from '@msgpack/msgpack';
import fc from 'fast-check';
import { KIB } from '../../../src/config/limits.ts';
import {
  type EventTimeFormat,
  type Framing,
  HEADER_NAMES,
  type RecordFormatSpec,
  type StreamSchema,
  TIME_UNITS,
} from '../../../src/streams/stream-file.ts';
import { sliceNdjson, sliceTextBody } from '../../../src/worker/decoder/json/slices.ts';
import { decodeNdjson, decodeTextBody } from '../../../src/worker/decoder/json/text.ts';
import { LocatedFields } from '../../../src/worker/decoder/kernel/located-fields.ts';
import { decodeMsgpack, sliceMsgpack } from '../../../src/worker/decoder/msgpack/msgpack.ts';
import { Provenance } from '../../../src/worker/streams/provenance.ts';
import {
  BOUNDS,
  decodeAtOnce,
  decodeInSlices,
  FACTS,
  NOW,
  PLAIN,
  setUp,
  slowly,
  TRACE,
} from './record-stage.ts';

const TEXTS = ['"x"', '""', '"a\\u0062\\n"', '"日本 😀"', '"\\ud800"', `"${'i'.repeat(256)}"`];
const OTHERS = [`"${'é'.repeat(129)}"`, '7', '-0', '1.5', 'null', 'true', '[]', '["x"]', '{}'];
const TIMES = [0, -1, 1, -300_000, 300_000, 300_001, -86_400_000, -86_400_001].flatMap((shift) => {
  const ms = NOW + shift;
  const iso = new Date(ms).toISOString();
  const numbers = [
    `${ms}`,
    `${ms}.0`,
    `${ms}000`,
    `${ms / 1000}`,
    `${ms / 1e12}e12`,
    `${ms}000000`,
  ];
  return [...numbers, `"${iso}"`, `"${iso.replace('T', '\\u0054')}"`, `"${ms}"`];
});
const MORE_TIMES = ['1e400', '-1e400', '00', '-0', '"2026-02-30T00:00:00Z"', '1E3'];
const TRACES = [TRACE, TRACE.toUpperCase(), `${TRACE}-x`, TRACE.replace('0', '\\u0030'), ''];
const VALUES = [
  ...TEXTS,
  ...OTHERS,
  ...TIMES,
  ...MORE_TIMES,
  ...TRACES.map((trace) => `"${trace}"`),
];

const anyName = fc.constantFrom('id', 'at', 'trace', 'user', 'user.id', 'user.at', 'more');
const anyObject = (anyValue: fc.Arbitrary<string>) =>
  fc
    .array(fc.tuple(anyName, anyValue), { maxLength: 6 })
    .map((members) => `{${members.map(([name, value]) => `"${name}":${value}`).join(', ')}}`);
const anyScalar = fc.constantFrom(...VALUES);
/** Texts of objects with names from above, repeated, dotted and nested, and values of all types. */
const anyEvent = anyObject(fc.oneof({ weight: 5, arbitrary: anyScalar }, anyObject(anyScalar)));

const path = (...names: string[]) => fc.constantFrom(...names.map((name) => name.split('.')));
const anyTime: fc.Arbitrary<EventTimeFormat | undefined> = fc.option(
  fc.record({
    field: path('at', 'user.at', 'id'),
    unit: fc.constantFrom(...TIME_UNITS),
    pastMs: fc.constant(86_400_000),
    futureMs: fc.constant(300_000),
  }),
  { nil: undefined },
);
const anyFormat: fc.Arbitrary<RecordFormatSpec> = fc.record({
  headers: fc.subarray([...HEADER_NAMES]),
  idField: path('id', 'user.id', 'more'),
  traceField: fc.option(path('trace', 'user.id'), { nil: undefined }),
  time: anyTime,
  ip: fc.constant('truncated' as const),
  value: fc.constantFrom('json' as const, 'as-sent' as const),
});
const anyKey = fc.constantFrom([], [['id']], [['user', 'id']], [['id'], ['user']]);

test('the fast path, the slow path and slices write the same records', () => {
  fc.assert(
    fc.property(
      anyFormat,
      anyKey,
      fc.array(anyEvent, { maxLength: 6 }),
      fc.nat(4),
      (record, key, events, resent) => {
        const streams = setUp({ events: { record, key } });
        const array = Buffer.from(`[${events.join(',')}]`);
        const lines = Buffer.from(events.join('\n'));
        const recordsBy = (decode: () => void) => {
          decode();
          return streams.take();
        };
        const slow = slowly(streams.route);
        const expected = recordsBy(() =>
          decodeAtOnce(streams, slow, array, decodeTextBody, resent),
        );
        const fast = recordsBy(() =>
          decodeAtOnce(streams, streams.route, array, decodeTextBody, resent),
        );
        assert.deepEqual(fast, expected, 'fast');
        const sliced = () => recordsBy(() => decodeInSlices(streams, array, sliceTextBody));
        const marked = recordsBy(() =>
          decodeAtOnce(streams, slow, array, decodeTextBody, Infinity),
        );
        if (!events.some((text) => text.includes(':00')))
          assert.deepEqual(sliced(), marked, 'sliced');
        if (events.length === 0) return;
        const bySlow = recordsBy(() => decodeAtOnce(streams, slow, lines, decodeNdjson, Infinity));
        const byLine = recordsBy(() =>
          decodeAtOnce(streams, streams.route, lines, decodeNdjson, Infinity),
        );
        assert.deepEqual(byLine, bySlow, 'lines');
        assert.deepEqual(
          recordsBy(() => decodeInSlices(streams, lines, sliceNdjson)),
          bySlow,
        );
      },
    ),
    { numRuns: 120 },
  );
});

test('the fast path finds id, time and trace of each event of an array', () => {
  const time = { field: ['at'], unit: 'ms', pastMs: 10, futureMs: 10 } as const;
  const headers = ['event-id', 'traceparent'] as const;
  const record: RecordFormatSpec = { ...PLAIN, headers, traceField: ['trace'], time };
  const streams = setUp({ events: { record, key: [['user']] } });
  const events = [-10, 3, 0, 10, -1].map((shift, index) => {
    const trace = TRACE.replace('0af', `${index}af`);
    return {
      pad: 'x'.repeat(7 * index),
      id: `id ${index}`,
      at: NOW + shift,
      trace,
      user: `u${index}`,
    };
  });
  const texts = events.map((event) => JSON.stringify(event));
  const { fastValidator } = streams.route;
  for (const text of texts) {
    const bytes = Buffer.from(text);
    fastValidator?.load(bytes, 0, bytes.length);
    assert.equal(fastValidator?.objectEnd(0, bytes.length, 8), bytes.length, 'accepted');
  }
  const expected = events.map(({ id, at, trace, user }, index) => ({
    key: user,
    value: texts[index],
    timestamp: at,
    headers: [
      ['fb-id', id],
      ['traceparent', trace],
    ],
  }));
  const array = Buffer.from(`[${texts.join()}]`);
  decodeAtOnce(streams, streams.route, array, decodeTextBody);
  assert.deepEqual(streams.take().records, expected);
  decodeInSlices(streams, array, sliceTextBody);
  assert.deepEqual(streams.take().records, expected, 'sliced');
});

test('MessagePack has the records of the same events as JSON; as sent, byte for byte', () => {
  fc.assert(
    fc.property(
      anyFormat,
      anyKey,
      fc.array(anyEvent, { minLength: 1, maxLength: 6 }),
      (record, key, texts) => {
        const events = texts.flatMap((text) => packable(text) ?? []);
        const streams = setUp({ events: { record, key } });
        const { route, take } = streams;
        const json = Buffer.from(JSON.stringify(events));
        const packed = Buffer.from(encode(events));
        decodeAtOnce(streams, route, json, decodeTextBody, Infinity);
        const { records, codes } = take();
        const isSent = record.value === 'as-sent';
        const expected = records.map((stored, index) => {
          if (!isSent) return stored;
          const headers = stored.headers.slice(0, -1);
          const value = Buffer.from(encode(events[index])).toString('latin1');
          return {
            ...stored,
            value,
            headers: [...headers, ['content-type', 'application/msgpack']],
          };
        });
        assert.deepEqual(codes, []);
        decodeAtOnce(streams, route, packed, decodeMsgpack, Infinity);
        assert.deepEqual(take().records, expected);
        decodeAtOnce(streams, slowly(route), packed, decodeMsgpack, Infinity);
        assert.deepEqual(take().records, expected, 'slow');
        decodeInSlices(streams, packed, sliceMsgpack);
        assert.deepEqual(take().records, expected, 'sliced');
        if (events.length === 0) return;
        decodeAtOnce(streams, route, Buffer.from(encode(events[0])), decodeMsgpack, Infinity);
        assert.deepEqual(take().records, expected.slice(0, 1), 'alone');
      },
    ),
    { numRuns: 60 },
  );
});

/** Returns the value of a text, if MessagePack can represent it exactly as JSON does. */
function packable(text: string): unknown {
  if (/:00|1e400|-0|\\ud800/.test(text)) return undefined;
  const value = JSON.parse(text) as unknown;
  const isBeyond = (part: unknown): boolean =>
    typeof part === 'number'
      ? Math.abs(part) > Number.MAX_SAFE_INTEGER
      : Object.values(part ?? {}).some((inner) =>
          typeof inner === 'object'
            ? isBeyond(inner)
            : typeof inner === 'number' && isBeyond(inner),
        );
  return isBeyond(value) ? undefined : value;
}

test('every encoding of an event is kept as it was sent', () => {
  const record: RecordFormatSpec = { ...PLAIN, headers: ['event-id'], value: 'as-sent' };
  const streams = setUp({ events: { record, key: [['id']] } });
  // {"id":"x"} with a head, a name and a value of each possible length.
  const heads = ['81', 'de0001', 'df00000001'];
  const texts = (hex: string) =>
    ['a', 'd9', 'da00', 'db000000'].map((head, index) =>
      index === 0 ? `a${hex.length / 2}${hex}` : `${head}0${hex.length / 2}${hex}`,
    );
  const events = heads.flatMap((head) =>
    texts('6964').flatMap((name) => texts('78').map((value) => head + name + value)),
  );
  for (const outer of [
    `dc00${events.length.toString(16)}`,
    `dd000000${events.length.toString(16)}`,
  ]) {
    decodeAtOnce(
      streams,
      streams.route,
      Buffer.from(outer + events.join(''), 'hex'),
      decodeMsgpack,
    );
    const { records, codes } = streams.take();
    assert.deepEqual(codes, []);
    assert.deepEqual(
      records.map(({ value }) => Buffer.from(value, 'latin1').toString('hex')),
      events,
    );
    for (const { key, headers } of records) {
      assert.equal(key, 'x');
      assert.deepEqual(headers, [
        ['fb-id', 'x'],
        ['content-type', 'application/msgpack'],
      ]);
    }
  }
});

test('an event is too large as JSON or as sent, whichever is larger', () => {
  const limits = { eventBytes: 100, eventsPerSecond: undefined, bufferShare: 1 };
  const record: RecordFormatSpec = { ...PLAIN, value: 'as-sent' };
  const codesOf = (event: object) => {
    const streams = setUp({ events: { record, limits } });
    decodeAtOnce(streams, streams.route, Buffer.from(encode(event)), decodeMsgpack);
    return streams.take().codes;
  };
  // 0.5 takes 4 bytes in JSON and 9 in MessagePack; a text takes less in MessagePack.
  assert.deepEqual(codesOf({ a: Array(10).fill(0.5) }), []);
  assert.deepEqual(codesOf({ a: Array(11).fill(0.5) }), ['0 too_large']);
  assert.deepEqual(codesOf({ a: 'x'.repeat(92) }), []);
  assert.deepEqual(codesOf({ a: 'x'.repeat(93) }), ['0 too_large']);
});

test('rejected events between others do not shift what is stored', () => {
  const record: RecordFormatSpec = { ...PLAIN, headers: ['event-id', 'resent'], value: 'as-sent' };
  const streams = setUp({ events: { record } });
  const events = [
    1,
    { id: 'a' },
    'no',
    [{ id: 'b' }],
    { id: 'c', x: 'x'.repeat(65 * KIB) },
    null,
    { id: 'd' },
  ];
  decodeAtOnce(streams, streams.route, Buffer.from(encode(events)), decodeMsgpack, 6);
  const { records, codes } = streams.take();
  assert.deepEqual(codes, [
    '0 not_an_object',
    '2 not_an_object',
    '3 not_an_object',
    '4 too_large',
    '5 not_an_object',
  ]);
  const type = ['content-type', 'application/msgpack'];
  assert.deepEqual(
    records.map(({ value, headers }) => [value, headers]),
    [
      [
        Buffer.from(encode({ id: 'a' })).toString('latin1'),
        [['fb-id', 'a'], ['fb-resent', '1'], type],
      ],
      [Buffer.from(encode({ id: 'd' })).toString('latin1'), [['fb-id', 'd'], type]],
    ],
  );
});

test('a routed frame mixes formats; each record of a topic with both states its own', () => {
  const sent: RecordFormatSpec = { ...PLAIN, headers: ['stream'], value: 'as-sent' };
  const streams = setUp(
    {
      json: { topic: 'one', match: ['j'] },
      sent: { topic: 'two', match: ['s'], record: sent },
      shared: { topic: 'two', match: ['h'] },
      timed: {
        topic: 'three',
        match: ['t'],
        record: {
          ...PLAIN,
          headers: ['event-id'],
          time: { field: ['at'], unit: 'ms', pastMs: 10, futureMs: 10 },
        },
      },
    },
    'type',
  );
  const [j, s, h] = [
    { type: 'j', n: 1 },
    { type: 's', n: 1 },
    { type: 'h', n: 1 },
  ];
  const t = { type: 't', n: 1, id: 'x', at: NOW - 5 };
  const events = [t, j, s, h, s, j, t, h, t, s];
  const packed = Buffer.from(encode(events));
  const text = (event: unknown) => JSON.stringify(event);
  const bytes = (event: unknown) => Buffer.from(encode(event)).toString('latin1');
  const type = (name: string) => ['content-type', `application/${name}`];
  const check = (isPacked: boolean, how: string) => {
    const ofSent = isPacked
      ? [bytes(s), [['fb-stream', 'sent'], type('msgpack')]]
      : [text(s), [['fb-stream', 'sent'], type('json')]];
    const ofShared = [text(h), [type('json')]];
    const found = (topic: string) => streams.take(topic).records;
    const contents = (topic: string) => found(topic).map(({ value, headers }) => [value, headers]);
    assert.deepEqual(
      contents('one'),
      [
        [text(j), []],
        [text(j), []],
      ],
      how,
    );
    assert.deepEqual(contents('two'), [ofSent, ofShared, ofSent, ofShared, ofSent], how);
    const timed = { key: undefined, value: text(t), timestamp: NOW - 5, headers: [['fb-id', 'x']] };
    assert.deepEqual(found('three'), [timed, timed, timed], how);
  };
  for (const route of [streams.route, slowly(streams.route)]) {
    decodeAtOnce(streams, route, packed, decodeMsgpack);
    check(true, 'MessagePack');
    decodeAtOnce(streams, route, Buffer.from(JSON.stringify(events)), decodeTextBody);
    check(false, 'JSON');
  }
  decodeInSlices(streams, packed, sliceMsgpack);
  check(true, 'sliced');
});

test('repeats are the first declared events of a connection, whatever frames they are cut into', () => {
  const record: RecordFormatSpec = { ...PLAIN, headers: ['event-id', 'resent'] };
  const streams = setUp({ events: { record }, others: { match: ['o'], record } }, 'type');
  const frames = fc.array(
    fc.oneof(
      fc.array(fc.constantFrom('event', 'other', 'none', 'bad'), { maxLength: 4 }),
      fc.constant('broken' as const),
    ),
    { maxLength: 8 },
  );
  fc.assert(
    fc.property(frames, fc.nat(12), (cut, resent) => {
      const provenance = new Provenance(FACTS, resent);
      let [number, left] = [0, resent];
      const expected: [string, boolean][] = [];
      for (const frame of cut) {
        streams.begin(streams.route, provenance);
        const texts =
          frame === 'broken'
            ? []
            : frame.map((kind) => {
                const id = `${number++}`;
                const isMarked = left-- > 0;
                if (kind === 'other') expected.push([id, isMarked]);
                if (kind === 'other') return `{"type":"o","id":"${id}"}`;
                if (kind === 'bad') return '7';
                return `{"type":"unknown","id":"${id}"}`;
              });
        if (frame === 'broken') left--;
        const text = frame === 'broken' ? '[{' : `[${texts.join()}]`;
        const { intake } = streams;
        intake.countReceived(decodeTextBody(Buffer.from(text), BOUNDS, intake));
      }
      const { records } = streams.take('others');
      assert.deepEqual(
        records.map(({ headers }) => [headers[0]?.[1], headers[1]?.[0] === 'fb-resent']),
        expected,
      );
      assert.equal(provenance.resent, Math.max(0, left));
    }),
  );
});

/** A schema of a registry with the framing. */
function registered(framing: Framing, id: number): StreamSchema {
  const guid = '01020304-0506-0708-090a-0b0c0d0e0f10';
  const version = { subject: 'events-value', requested: 'latest', version: 3, id, guid } as const;
  const text = '{"required":["id"]}';
  const source = { file: 'events-value version 3', text };
  return { ...source, mode: 'enforce', candidate: undefined, registered: { ...version, framing } };
}

const GUID_HEADER = '\x01\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10';

test('records state their schema as Confluent’s serializers do, however events arrive', () => {
  const texts = ['{"id":"a","user":"k"}', '{"id":"é"}', `{"id":"${'x'.repeat(20_000)}"}`];
  const events = texts.map((text) => JSON.parse(text) as unknown);
  const bad = '{"user":"none"}';
  const headers = ['event-id', 'transport'] as const;
  for (const record of [PLAIN, { ...PLAIN, headers }]) {
    for (const framing of ['raw', 'prefix', 'header'] as const) {
      const schema = registered(framing, 0x01_02_03_f4);
      const streams = setUp({ events: { record, key: [['user']], schema } });
      const prefix = framing === 'prefix' ? '\0\x01\x02\x03\xf4' : '';
      const last = framing === 'header' ? [['__value_schema_id', GUID_HEADER]] : [];
      const expected = texts.map((text, index) => {
        const id = (events[index] as { id: string }).id;
        const own = id.length > 256 ? [] : [['fb-id', id]];
        const all = record === PLAIN ? [] : [...own, ['fb-transport', 'http']];
        return {
          key: index === 0 ? 'k' : undefined,
          value: prefix + Buffer.from(text).toString('latin1'),
          headers: [...all, ...last],
        };
      });
      const check = (how: string) => {
        const { records, codes } = streams.take();
        const found = records.map(({ timestamp, ...record }) => record);
        assert.deepEqual(found, expected, `${framing}, ${how}`);
        assert.deepEqual(codes, ['3 schema'], `${framing}, ${how}`);
      };
      const array = Buffer.from(`[ ${[...texts, bad].join(' , ')}]`);
      const lines = Buffer.from([...texts, bad].join('\n'));
      const packed = Buffer.from(encode([...events, JSON.parse(bad)]));
      const bounds = { ...BOUNDS, maxEventBytes: 64 * KIB };
      for (const [how, bytes, decoder] of [
        ['array', array, decodeTextBody],
        ['lines', lines, decodeNdjson],
        ['MessagePack', packed, decodeMsgpack],
      ] as const) {
        decodeAtOnce(streams, streams.route, bytes, (all, _, sink) => decoder(all, bounds, sink));
        check(how);
      }
      decodeInSlices(streams, packed, sliceMsgpack);
      check('sliced');
    }
  }
});

test('a prefix also precedes events that the fast path accepts, with their keys', () => {
  const streams = setUp({ events: { schema: registered('prefix', 7), key: [['user']] } });
  streams.begin(streams.route, new Provenance(FACTS));
  const bytes = Buffer.from('[{"user":"k","id":"a"}]');
  const fields = new LocatedFields();
  fields.keySource = bytes;
  fields.keyStart = bytes.indexOf('k');
  fields.keyBytes = 1;
  streams.intake.validEvent(0, bytes, 1, bytes.length - 1, fields);
  const [record] = streams.take().records;
  assert.deepEqual([record?.key, record?.value], ['k', '\0\0\0\0\x07{"user":"k","id":"a"}']);
});
