/** Modes and candidates of schemas, from the bytes of a frame to its records. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encode } from '@msgpack/msgpack';
import fc from 'fast-check';
import {
  HEADER_NAMES,
  type RecordFormatSpec,
  SCHEMA_MODES,
  type SchemaMode,
  type StreamSpec,
} from '../../../src/streams/stream-file.ts';
import { sliceNdjson, sliceTextBody } from '../../../src/worker/decoder/json/slices.ts';
import { decodeNdjson, decodeTextBody } from '../../../src/worker/decoder/json/text.ts';
import { decodeMsgpack, sliceMsgpack } from '../../../src/worker/decoder/msgpack/msgpack.ts';
import { decodeAtOnce, decodeInSlices, PLAIN, type Setup, setUp, slowly } from './record-stage.ts';

const PROBLEM = "must have required property 'n'";
const REQUIRES_N = { required: ['n'], properties: { n: { type: 'integer' } } };
const INVALID_TEXT = '{"id":"b","n":null}';
const EVENTS = ['{"id":"a","n":1}', '{"m":0}', '{"id":"\\u0062","n":2}', INVALID_TEXT, '{"n":3}'];

function schemaOf(mode: SchemaMode, candidate?: object, active: object = REQUIRES_N) {
  const source = (schema: object) => ({ file: '/schema.json', text: JSON.stringify(schema) });
  return { ...source(active), mode, candidate: candidate && source(candidate) };
}

/** A way from the events to the decoder. */
interface Way {
  readonly name: string;
  readonly decode: (streams: Setup, texts: readonly string[]) => void;
}

const arrayOf = (texts: readonly string[]) => Buffer.from(`[${texts.join()}]`);
const linesOf = (texts: readonly string[]) => Buffer.from(texts.join('\n'));
const packed = (texts: readonly string[]) =>
  Buffer.from(encode(texts.map((text) => JSON.parse(text) as unknown)));
const WAYS: readonly Way[] = [
  {
    name: 'array',
    decode: (streams, texts) =>
      decodeAtOnce(streams, streams.route, arrayOf(texts), decodeTextBody),
  },
  {
    name: 'array, without the fast path',
    decode: (streams, texts) =>
      decodeAtOnce(streams, slowly(streams.route), arrayOf(texts), decodeTextBody),
  },
  {
    name: 'a frame for each event',
    decode: (streams, texts) => {
      for (const text of texts) {
        decodeAtOnce(streams, streams.route, Buffer.from(text), decodeTextBody);
      }
    },
  },
  {
    name: 'lines',
    decode: (streams, texts) => decodeAtOnce(streams, streams.route, linesOf(texts), decodeNdjson),
  },
  {
    name: 'slices of an array',
    decode: (streams, texts) => decodeInSlices(streams, arrayOf(texts), sliceTextBody),
  },
  {
    name: 'slices of lines',
    decode: (streams, texts) => decodeInSlices(streams, linesOf(texts), sliceNdjson),
  },
  {
    name: 'MessagePack',
    decode: (streams, texts) => decodeAtOnce(streams, streams.route, packed(texts), decodeMsgpack),
  },
  {
    name: 'slices of MessagePack',
    decode: (streams, texts) => decodeInSlices(streams, packed(texts), sliceMsgpack),
  },
];

const WARNINGS = 'forebay_schema_warnings_total';
const EVALUATED = 'forebay_schema_candidate_evaluated_total';
const FAILURES = 'forebay_schema_candidate_failures_total';

test('enforce rejects invalid events, and no record states an error', () => {
  const streams = setUp({ events: { schema: schemaOf('enforce') } });
  for (const { name, decode } of WAYS) {
    decode(streams, EVENTS);
    const { records, codes } = streams.take();
    const numbers = records.map(({ value }) => (JSON.parse(value) as { n: number }).n);
    assert.deepEqual(numbers, [1, 2, 3], name);
    assert(records.every(({ headers }) => headers.length === 0));
    assert.deepEqual(
      codes.map((code) => code.replace(/\d+/, 'n')),
      ['n schema', 'n schema'],
      name,
    );
  }
  assert.equal(streams.count(WARNINGS), 0);
});

test('warn stores invalid events with the reason, and counts them', () => {
  for (const headers of [[], ['event-id', 'stream']] as const) {
    for (const value of ['json', 'as-sent'] as const) {
      const record: RecordFormatSpec = { ...PLAIN, headers, value };
      const streams = setUp({ events: { schema: schemaOf('warn'), record } });
      for (const [index, { name, decode }] of WAYS.entries()) {
        decode(streams, EVENTS);
        const { records, codes } = streams.take();
        assert.deepEqual(codes, []);
        const isStated = value === 'as-sent';
        const type = name.includes('MessagePack') ? 'msgpack' : 'json';
        const headersOf = (id: string | undefined, problem?: string) => [
          ...(headers.length > 0 && id !== undefined ? [['fb-id', id]] : []),
          ...(headers.length > 0 ? [['fb-stream', 'events']] : []),
          ...(isStated ? [['content-type', `application/${type}`]] : []),
          ...(problem === undefined ? [] : [['fb-schema-error', problem]]),
        ];
        assert.deepEqual(
          records.map((stored) => stored.headers),
          [
            headersOf('a'),
            headersOf(undefined, PROBLEM),
            headersOf('b'),
            headersOf('b', '/n must be integer'),
            headersOf(undefined),
          ],
          `${name}, ${headers.join()}, ${value}`,
        );
        assert.equal(streams.count(WARNINGS), 2 * (index + 1), name);
      }
      assert.equal(streams.lines.length, 1);
      assert.match(streams.lines[0]!, /"stream":"events","reason":"must have [^"]*","held":0/);
    }
  }
});

test('an event that is not accepted for another reason is not counted as a warning', () => {
  const limits = { eventBytes: 20, eventsPerSecond: undefined, bufferShare: 1 };
  const streams = setUp({ events: { schema: schemaOf('warn'), limits } });
  streams.topics[0]!.maxMessageBytes = 150;
  const texts = ['{"name":"0123456789"}', '{"m":"0123456789"}', '{"m":0}', '{}'];
  decodeAtOnce(streams, streams.route, arrayOf(texts), decodeTextBody);
  const { records, codes } = streams.take();
  assert.deepEqual(codes, ['0 too_large', '1 too_large']);
  assert.equal(records.length, 2);
  assert.equal(streams.count(WARNINGS), 2);
});

test('off stores every event unchanged, most of them without parsing', () => {
  const streams = setUp({ events: { schema: schemaOf('off') } });
  for (const { name, decode } of WAYS) {
    decode(streams, EVENTS);
    const { records, codes } = streams.take();
    assert.deepEqual(codes, []);
    assert.deepEqual(
      records.map(({ headers }) => headers),
      EVENTS.map(() => []),
      name,
    );
  }
  const bytes = Buffer.from(INVALID_TEXT);
  const { fastValidator } = streams.route;
  fastValidator?.load(bytes, 0, bytes.length);
  assert.equal(fastValidator?.objectEnd(0, bytes.length, 8), bytes.length);
  assert.equal(streams.count(WARNINGS), 0);
});

/** Sends the events until a metric of the stream rises. */
function untilCounted(streams: Setup, way: Way, name: Parameters<Setup['count']>[0]): boolean {
  const before = streams.count(name);
  const endMs = performance.now() + 60_000;
  while (performance.now() < endMs) {
    way.decode(streams, EVENTS);
    streams.take();
    if (streams.count(name) > before) return true;
  }
  return false;
}

test('a candidate is evaluated on each way, whatever the mode', () => {
  for (const mode of SCHEMA_MODES) {
    const failing = setUp({ events: { schema: schemaOf(mode, { required: ['absent'] }) } });
    const same = setUp({ events: { schema: schemaOf(mode, mode === 'off' ? {} : REQUIRES_N) } });
    for (const way of WAYS) {
      assert(untilCounted(failing, way, FAILURES), `${way.name}, ${mode}`);
      assert(untilCounted(same, way, EVALUATED), `${way.name}, ${mode}`);
    }
    const line = failing.lines.find((text) => text.includes('candidate'));
    assert.match(line ?? '', /must have required property 'absent'/);
    assert.equal(same.count(FAILURES), 0);
  }
});

/** Candidates that accept all, some or none of the events. */
const CANDIDATES: readonly object[] = [
  {},
  { not: {} },
  { required: ['id'], additionalProperties: { type: ['string', 'null'] } },
];
const FORMATS: readonly Partial<StreamSpec>[] = [
  { key: [['id']] },
  { key: [['id'], ['n']], record: { ...PLAIN, headers: [...HEADER_NAMES], value: 'as-sent' } },
];
const anyEvent = fc
  .dictionary(
    fc.constantFrom('id', 'n', 'm'),
    fc.oneof(fc.integer(), fc.string(), fc.constant(null)),
  )
  .map((event) => JSON.stringify(event));

test('a candidate changes nothing: records and rejections are those without it', () => {
  const pairs = SCHEMA_MODES.flatMap((mode) =>
    FORMATS.flatMap((spec) => {
      const [without, ...others] = [undefined, ...CANDIDATES].map((candidate) =>
        setUp({ events: { ...spec, schema: schemaOf(mode, candidate) } }),
      );
      return others.map((other) => [without!, other] as const);
    }),
  );
  fc.assert(
    fc.property(
      fc.constantFrom(...pairs),
      fc.array(anyEvent, { maxLength: 6 }),
      fc.constantFrom(...WAYS),
      (pair, texts, { decode }) => {
        const [without, other] = pair.map((streams) => {
          const before = streams.count(WARNINGS);
          decode(streams, texts);
          const { records, codes } = streams.take();
          return { records, codes, warnings: streams.count(WARNINGS) - before };
        });
        assert.deepEqual(other, without);
      },
    ),
    { numRuns: 200 },
  );
});
