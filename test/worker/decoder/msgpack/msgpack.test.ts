import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encode } from '@msgpack/msgpack';
import fc from 'fast-check';
import type { DecodeBounds, EventSink } from '../../../../src/worker/decoder/event-sink.ts';
import { decodeMsgpack, sliceMsgpack } from '../../../../src/worker/decoder/msgpack/msgpack.ts';
import { BOUNDS, decode, SIEVE } from '../recorder.ts';

const msgpack = (value: unknown, bounds = BOUNDS) => raw(encode(value), bounds);
const raw = (frame: Uint8Array, bounds = BOUNDS) =>
  decode(decodeMsgpack, Buffer.from(frame), bounds);

/** {@link sliceMsgpack} to its end, as a decoder. */
function inSlices(sliceBytes: number, sliceEvents: number) {
  return (bytes: Buffer, bounds: DecodeBounds, sink: EventSink): number => {
    let received = 0;
    for (const events of sliceMsgpack(bytes, bounds, sink, { sliceBytes, sliceEvents })) {
      assert(events <= sliceEvents, `${events} in a slice`);
      received += events;
    }
    return received;
  };
}

test('a map is one event, an array of maps one each, stored as JSON', () => {
  const [first, second] = [{ b: 1, a: 'é"\n' }, { c: [null, true, -0.5, {}] }];
  assert.deepEqual(msgpack(first).outcomes, [JSON.stringify(first)]);
  const { received, outcomes, values } = msgpack([first, second]);
  assert.equal(received, 2);
  assert.deepEqual(outcomes, [JSON.stringify(first), JSON.stringify(second)]);
  assert.deepEqual(values, [first, second]);
});

test('an empty array is a frame without events', () => {
  const { received, outcomes, frame } = msgpack([]);
  assert.deepEqual({ received, outcomes, frame }, { received: 0, outcomes: [], frame: undefined });
});

test('an empty frame, or one that is cut, is refused whole', () => {
  assert.equal(raw(Buffer.alloc(0)).frame, 'invalid_msgpack');
  const whole = encode([{ a: 1 }, { b: 2 }]);
  const { frame, messages } = raw(whole.subarray(0, -1));
  assert.equal(frame, 'invalid_msgpack');
  assert.deepEqual(messages, ['byte 8: it ends too early']);
});

test('what JSON cannot carry refuses the whole frame, with its place', () => {
  for (const [value, message] of [
    [new Uint8Array(3), 'byte 11: binary data'],
    [new Date(0), 'byte 11: an extension (timestamps are one)'],
    [Number.NaN, 'byte 11: a number that is not finite'],
    [2 ** 63, undefined],
  ] as const) {
    const { frame, messages, outcomes } = msgpack([{ a: 1 }, { b: 2, c: value }]);
    if (message === undefined) assert.deepEqual(outcomes[1], '{"b":2,"c":9223372036854776000}');
    else assert.deepEqual({ frame, messages }, { frame: 'invalid_msgpack', messages: [message] });
  }
  const { frame } = raw(encode([{ a: 2n ** 63n }], { useBigInt64: true }));
  assert.equal(frame, 'invalid_msgpack');
});

test('a value that is no map is refused by its index', () => {
  for (const value of [null, 1, 'a', true]) {
    assert.deepEqual(msgpack(value).outcomes, ['not_an_object']);
  }
  const { outcomes } = msgpack([{}, null, [{}], 'x', {}]);
  assert.deepEqual(outcomes, ['{}', 'not_an_object', 'not_an_object', 'not_an_object', '{}']);
});

test('an event of the longest JSON passes, one byte more is refused alone', () => {
  const ten = { maxEvents: 10, maxEventBytes: 10, maxDepth: 64 };
  // Longer as JSON than as MessagePack, and the other way round.
  const [exact, over, escaped] = [{ a: 'bc' }, { a: 'bé' }, { a: '\u0001' }];
  const { outcomes, messages } = msgpack([over, exact, escaped, {}], ten);
  assert.deepEqual(outcomes, ['too_large', '{"a":"bc"}', 'too_large', '{}']);
  assert.deepEqual(messages, ['11 bytes, an event may have 10', '14 bytes, an event may have 10']);
});

test('a frame with the most events passes; with one more it is refused, and not looked at', () => {
  const bounds = { ...BOUNDS, maxEvents: 3 };
  assert.equal(msgpack([{}, {}, {}], bounds).received, 3);
  assert.equal(msgpack([{}, {}, {}, {}], bounds).frame, 'too_many_events');
  assert.equal(raw(Buffer.from([0x94, 0xc1, 0xc1, 0xc1, 0xc1]), bounds).frame, 'too_many_events');
  assert.equal(raw(Buffer.from([0x94, 0xc1, 0xc1, 0xc1]), bounds).frame, 'invalid_msgpack');
});

test('doubled fields, __proto__ and toJSON are data: kept as they came', () => {
  const twice = Buffer.from([0x82, 0xa1, 0x61, 1, 0xa1, 0x61, 2]);
  const { outcomes, values } = raw(twice);
  assert.deepEqual(outcomes, ['{"a":1,"a":2}']);
  assert.deepEqual(values, [{ a: 2 }], 'what is checked is the last one, as in JSON');
  const text = '{"__proto__":{"msg":"x"},"constructor":1,"toJSON":"y"}';
  // The library refuses to read it, and has no way to write it.
  const frame = Buffer.concat([
    Buffer.from([0x83, 0xa9]),
    Buffer.from('__proto__'),
    Buffer.from(encode({ msg: 'x' })),
    Buffer.from(encode('constructor')),
    Buffer.from([1]),
    Buffer.from(encode('toJSON')),
    Buffer.from(encode('y')),
  ]);
  const decoded = raw(frame);
  assert.deepEqual(decoded.outcomes, [text]);
  assert.deepEqual(Object.keys(decoded.values[0] ?? {}), ['__proto__', 'constructor', 'toJSON']);
  assert.equal(decoded.values[0]?.msg, undefined);
});

test('the sieve lets good events through, with their key, and no other', () => {
  const good = { msg: 'm', clientId: 'c', timestamp: 1_790_000_000_123 };
  const events = [good, { ...good, timestamp: 0.5 }, { ...good, clientId: '"' }, 1, good];
  const sifted = decode(decodeMsgpack, Buffer.from(encode(events)), BOUNDS, SIEVE);
  const { outcomes, messages } = msgpack(events);
  assert.deepEqual(sifted.outcomes, outcomes);
  assert.deepEqual(sifted.messages, messages);
  assert.deepEqual(sifted.known, ['c', 'c']);
});

/** Frames of few and many events, good and bad. */
const frames = fc
  .array(fc.oneof(fc.dictionary(fc.string(), fc.jsonValue()), fc.jsonValue()), { maxLength: 30 })
  .chain((events) => {
    const whole = Buffer.from(encode(events));
    return fc.oneof(
      { weight: 4, arbitrary: fc.constant(whole) },
      fc.nat(whole.length).map((end) => whole.subarray(0, end)),
    );
  });

test('in slices the same becomes of any frame', () => {
  const bounds = fc.constantFrom(BOUNDS, { maxEvents: 20, maxEventBytes: 30, maxDepth: 2 });
  const size = fc.integer({ min: 1, max: 100 });
  fc.assert(
    fc.property(frames, bounds, size, size, (frame, limits, sliceBytes, sliceEvents) => {
      const sliced = decode(inSlices(sliceBytes, sliceEvents), frame, limits);
      assert.deepEqual(sliced, raw(frame, limits));
    }),
    { numRuns: 300 },
  );
});

test('a long frame takes many slices, and others may be taken apart between them', () => {
  const events = Array.from({ length: 900 }, (_, index) => ({ index, text: 'x'.repeat(50) }));
  const stored: string[] = [];
  const sink: EventSink = {
    event: (_index, _value, bytes, start, end) => {
      stored.push(bytes.toString('utf8', start, end));
    },
    known: () => assert.fail('there is no sieve'),
    refuseEvent: () => assert.fail('an event was refused'),
    refuseFrame: () => assert.fail('the frame was refused'),
  };
  const slice = { sliceBytes: 1_000, sliceEvents: 10 };
  let [slices, received] = [0, 0];
  for (const count of sliceMsgpack(Buffer.from(encode(events)), BOUNDS, sink, slice)) {
    assert.deepEqual(msgpack([{ between: slices }]).outcomes, [`{"between":${slices}}`]);
    slices++;
    received += count;
  }
  assert(slices > 90, `${slices} slices`);
  assert.equal(received, events.length);
  assert.deepEqual(
    stored,
    events.map((event) => JSON.stringify(event)),
  );
});
