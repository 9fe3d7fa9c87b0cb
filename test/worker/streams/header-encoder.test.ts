import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { LIMITS } from '../../../src/config/limits.ts';
import { HEADER_NAMES, type HeaderName } from '../../../src/streams/stream-file.ts';
import { RecordBatch } from '../../../src/worker/accumulator/batch.ts';
import { HeaderEncoder } from '../../../src/worker/streams/header-encoder.ts';
import { headerText } from '../../../src/worker/streams/header-text.ts';
import { type Facts, NO_PROVENANCE, Provenance } from '../../../src/worker/streams/provenance.ts';
import { ANY_PARTITION, type HeaderList, headersOf } from '../../../testing/batches.ts';

const TRACE = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
const OTHER_TRACE = '00-11111111111111111111111111111111-2222222222222222-00';
const TIME = 1_767_225_600_000;
const { bytes: BYTES_MAX, idBytes: ID_BYTES, valueBytes: VALUE_BYTES } = LIMITS.recordHeaders;

const OF_STREAM: Facts = { stream: 'clicks', schema: 'click.json@0123456789ab', instance: 'gw-1' };
const FACTS: Facts = {
  traceparent: TRACE,
  tracestate: 'a=1',
  'request-id': 'r-1',
  identity: 'shop',
  transport: 'ws',
  'client-ip': '203.0.113.77',
  'user-agent': 'curl/8',
  origin: 'https://shop.example',
  referer: 'https://shop.example',
};
/** All headers of an event with these facts, by their names in the stream file. */
const ALL: Readonly<Record<HeaderName, readonly [string, string]>> = {
  received: ['fb-received', String(TIME)],
  'event-id': ['fb-id', 'id-1'],
  resent: ['fb-resent', '1'],
  traceparent: ['traceparent', TRACE],
  tracestate: ['tracestate', 'a=1'],
  'request-id': ['fb-request', 'r-1'],
  identity: ['fb-identity', 'shop'],
  stream: ['fb-stream', 'clicks'],
  schema: ['fb-schema', 'click.json@0123456789ab'],
  transport: ['fb-transport', 'ws'],
  instance: ['fb-instance', 'gw-1'],
  'client-ip': ['fb-ip', '203.0.113.0/24'],
  'user-agent': ['fb-user-agent', 'curl/8'],
  origin: ['fb-origin', 'https://shop.example'],
  referer: ['fb-referer', 'https://shop.example'],
};

interface Options {
  readonly provenance?: Provenance;
  readonly time?: number;
  readonly isResent?: boolean;
  readonly id?: string | undefined;
  readonly trace?: string | undefined;
  readonly isTimed?: boolean;
  readonly contentType?: 'json' | 'msgpack' | undefined;
  readonly error?: string | undefined;
}

/** Encodes the headers of an event, and reads them back from a record. */
function encoded(
  encoder: HeaderEncoder,
  {
    provenance = new Provenance(FACTS),
    time = TIME,
    isResent = false,
    id,
    trace,
    isTimed = true,
    contentType,
    error,
  }: Options,
): HeaderList {
  const source = Buffer.from(`??${id ?? ''}!${trace ?? ''}`);
  const idBytes = Buffer.byteLength(id ?? '');
  const event = {
    idStart: 2,
    idBytes: id === undefined ? -1 : idBytes,
    traceStart: 3 + idBytes,
    traceBytes: trace === undefined ? -1 : trace.length,
  };
  encoder.encode(provenance, time, isResent, source, event, isTimed, contentType);
  if (error !== undefined) encoder.addSchemaError(error);
  const batch = new RecordBatch(Buffer.alloc(4 * BYTES_MAX), ANY_PARTITION);
  batch.append(time, source, 0, -1, Buffer.from('{}'), 0, 2, encoder);
  return headersOf(batch)[0]!;
}

const anyNames = fc.subarray([...HEADER_NAMES]);

test('headers appear in the order of their table, whichever are chosen', () => {
  fc.assert(
    fc.property(
      anyNames,
      fc.record({ id: fc.boolean(), isResent: fc.boolean(), isTimed: fc.boolean() }),
      fc.constantFrom(undefined, 'json' as const, 'msgpack' as const),
      fc.array(fc.constantFrom(...(Object.keys(FACTS) as HeaderName[]))),
      fc.constantFrom(undefined, '/n must be integer'),
      (names, { id, isResent, isTimed }, contentType, unknown, error) => {
        const known = Object.entries(FACTS).filter(
          ([name]) => !unknown.includes(name as HeaderName),
        );
        const provenance = new Provenance(Object.fromEntries(known));
        const absent = new Set<HeaderName>(unknown);
        if (!id) absent.add('event-id');
        if (!isResent) absent.add('resent');
        const expected = names.filter((name) => !absent.has(name)).map((name) => ALL[name]);
        const ofEvent = { id: id ? 'id-1' : undefined, isResent, isTimed, contentType, error };
        const options = { provenance, ...ofEvent };
        assert.deepEqual(encoded(new HeaderEncoder(names, OF_STREAM, 'truncated'), options), [
          ...expected,
          ...(isTimed ? [] : [['fb-time', 'arrival']]),
          ...(contentType ? [['content-type', `application/${contentType}`]] : []),
          ...(error ? [['fb-schema-error', error]] : []),
        ]);
      },
    ),
  );
});

test('a trace of the event replaces the trace context of its request', () => {
  const encoder = new HeaderEncoder(HEADER_NAMES, OF_STREAM, 'truncated');
  const provenance = new Provenance(FACTS);
  const traceOf = (trace?: string) =>
    encoded(encoder, { provenance, trace }).filter(([name]) => name.startsWith('trace'));
  assert.deepEqual(traceOf(), [ALL.traceparent, ALL.tracestate]);
  assert.deepEqual(traceOf(OTHER_TRACE), [['traceparent', OTHER_TRACE]]);
  assert.deepEqual(traceOf(), [ALL.traceparent, ALL.tracestate]);
  const only = new HeaderEncoder(['traceparent'], {}, 'truncated');
  assert.deepEqual(encoded(only, { provenance, trace: OTHER_TRACE }), [
    ['traceparent', OTHER_TRACE],
  ]);
  const none = { provenance: NO_PROVENANCE, trace: OTHER_TRACE };
  assert.deepEqual(encoded(only, none), [['traceparent', OTHER_TRACE]]);
});

test('an id has 1 to 256 bytes', () => {
  const encoder = new HeaderEncoder(['event-id'], {}, 'truncated');
  const euros = '€'.repeat(85);
  for (const [id, expected] of [
    ['x'.repeat(ID_BYTES), true],
    ['x'.repeat(ID_BYTES + 1), false],
    [`${euros}x`, true],
    [`${euros}xx`, false],
    // It would make all events with empty ids copies of each other.
    ['', false],
    ['x', true],
  ] as const) {
    assert.deepEqual(encoded(encoder, { id }), expected ? [['fb-id', id]] : [], id);
  }
});

test('the longest headers fit into 2 KiB; those of a sender that do not are omitted from the end', () => {
  const long = 'y'.repeat(VALUE_BYTES);
  const facts = {
    traceparent: TRACE,
    tracestate: 'z'.repeat(LIMITS.recordHeaders.tracestateBytes),
    'request-id': 'r'.repeat(LIMITS.recordHeaders.requestIdChars),
    identity: long,
    transport: 'http',
    'client-ip': '2001:db8:ffff:ffff:ffff:ffff:ffff:ffff',
    'user-agent': long,
    origin: long,
    referer: 'https://x.example',
  };
  const ofStream = { stream: 's'.repeat(64), schema: long, instance: 'i'.repeat(64) };
  const encoder = new HeaderEncoder(HEADER_NAMES, ofStream, 'full');
  const withErrors = new HeaderEncoder(HEADER_NAMES, ofStream, 'full', true);
  const options: Options = {
    provenance: new Provenance(facts),
    id: 'x'.repeat(ID_BYTES),
    isResent: true,
    isTimed: false,
    contentType: 'msgpack',
  };
  for (const trace of [undefined, OTHER_TRACE]) {
    const names = encoded(encoder, { ...options, trace }).map(([name]) => name);
    assert(encoder.length <= BYTES_MAX, `${encoder.length} bytes`);
    const isSorted = HEADER_NAMES.map((name) => ALL[name][0]).filter((name) =>
      names.includes(name),
    );
    assert.deepEqual(names, [...isSorted, 'fb-time', 'content-type']);
    // The referer would fit behind a user agent and an origin that do not.
    assert(names.includes('fb-ip') && !names.includes('fb-user-agent'), names.join());
    assert(!names.includes('fb-origin') && !names.includes('fb-referer'), names.join());
    const error = encoded(withErrors, { ...options, trace, error: '€'.repeat(200) }).at(-1);
    assert(withErrors.length <= BYTES_MAX, `${withErrors.length} bytes`);
    assert.deepEqual(error, ['fb-schema-error', '€'.repeat(85)]);
  }
});

test('each record has the headers of its sender and stream, in any order of both', () => {
  const clicks = new HeaderEncoder(
    ['received', 'identity', 'stream'],
    { stream: 'clicks' },
    'full',
  );
  const orders = new HeaderEncoder(['resent', 'identity', 'stream'], { stream: 'orders' }, 'full');
  const senders = ['a', 'b'].map((identity) => new Provenance({ identity }));
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.boolean(), fc.nat(1), fc.nat(3), fc.boolean()), { maxLength: 30 }),
      (events) => {
        for (const [isClick, sender, ms, isResent] of events) {
          const [provenance, time] = [senders[sender]!, TIME + ms];
          const identity = ['fb-identity', 'ab'[sender]];
          const options = { provenance, time, isResent };
          assert.deepEqual(
            encoded(isClick ? clicks : orders, options),
            isClick
              ? [['fb-received', String(time)], identity, ['fb-stream', 'clicks']]
              : [...(isResent ? [ALL.resent] : []), identity, ['fb-stream', 'orders']],
          );
        }
      },
    ),
  );
  encoded(clicks, { provenance: senders[0]! });
  const { encoded: first } = senders[0]!;
  encoded(clicks, { provenance: senders[0]!, time: TIME + 9 });
  assert.equal(senders[0]!.encoded, first, 'encoded once');
});

test('an address is truncated to its network, unless all of it is asked for', () => {
  const ipOf = (address: string, ip: 'truncated' | 'full') =>
    encoded(new HeaderEncoder(['client-ip'], {}, ip), {
      provenance: new Provenance({ 'client-ip': address }),
    })[0]?.[1];
  for (const [address, network] of [
    ['203.0.113.77', '203.0.113.0/24'],
    ['10.255.255.255', '10.255.255.0/24'],
    ['::ffff:203.0.113.77', '203.0.113.0/24'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1::/48'],
    ['2001:db8:ffff:ffff::', '2001:db8:ffff::/48'],
    ['::1', '::/48'],
    // 6to4: 198.51.100.7.
    ['2002:c633:6407::1', '2002:c633:6400::/40'],
  ] as const) {
    assert.equal(ipOf(address, 'truncated'), network);
    assert.equal(ipOf(address, 'full'), address);
  }
});

test('a text is cut at a character, without control characters', () => {
  const anyText = fc.string({ unit: 'binary', minLength: 256, maxLength: 300 });
  fc.assert(
    fc.property(anyText, fc.integer({ min: 4, max: 256 }), (text, maxBytes) => {
      const cut = headerText(text, maxBytes);
      const bytes = Buffer.byteLength(cut);
      assert(bytes <= maxBytes && bytes > maxBytes - 4, `${bytes} of ${maxBytes}`);
      const clean = text.replace(/\p{Cc}/gu, ' ');
      assert(clean.startsWith(cut), 'the start of the text');
    }),
  );
  assert.equal(headerText('a\tb\x00c\x7fd\x85e\nf'), 'a b c d e f');
  assert.equal(headerText('€'.repeat(100)), '€'.repeat(85));
  assert.equal(headerText(`${'x'.repeat(255)}😀`), 'x'.repeat(255));
  assert.equal(headerText(`${'x'.repeat(252)}😀`), `${'x'.repeat(252)}😀`);
});

test('the headers of a sender are encoded once per stream, however its streams alternate', () => {
  const encoders = ['clicks', 'orders', 'logs'].map(
    (stream) => new HeaderEncoder(HEADER_NAMES, { ...OF_STREAM, stream }, 'full'),
  );
  const provenance = new Provenance(FACTS);
  const kept = encoders.map((encoder) => {
    encoded(encoder, { provenance });
    return provenance.encoded;
  });
  for (const index of [1, 0, 2, 0, 1, 2]) {
    const names = encoded(encoders[index]!, { provenance });
    assert.equal(provenance.encoded, kept[index]);
    assert.deepEqual(
      names.filter(([name]) => name === 'fb-stream').map(([, value]) => value),
      [['clicks', 'orders', 'logs'][index]],
    );
  }
});
