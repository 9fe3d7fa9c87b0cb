import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encode } from '@msgpack/msgpack';
import fc from 'fast-check';
import type { DecodeBounds } from '../../../../src/worker/decoder/decode-bounds.ts';
import type { EventSink } from '../../../../src/worker/decoder/event-sink.ts';
import { decodeMsgpack, sliceMsgpack } from '../../../../src/worker/decoder/msgpack/msgpack.ts';
import { BOUNDS, decode, FAST_VALIDATOR } from '../recorder.ts';

const msgpack = (value: unknown, bounds = BOUNDS) => raw(encode(value), bounds);
const raw = (frame: Uint8Array, bounds = BOUNDS) =>
  decode(decodeMsgpack, Buffer.from(frame), bounds);

/** Runs {@link sliceMsgpack} to its end, as a decoder. */
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

test('a map is an event, an array of maps an event per map, as JSON', () => {
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

test('an empty or truncated frame is rejected whole', () => {
  assert.equal(raw(Buffer.alloc(0)).frame, 'invalid_msgpack');
  const whole = encode([{ a: 1 }, { b: 2 }]);
  const { frame, messages } = raw(whole.subarray(0, -1));
  assert.equal(frame, 'invalid_msgpack');
  assert.deepEqual(messages, ['byte 8: unexpected end of input']);
});

test('a value that JSON cannot represent rejects the frame, with its offset', () => {
  for (const [value, message] of [
    [new Uint8Array(3), 'byte 11: binary data is not supported'],
    [new Date(0), 'byte 11: extension types (such as timestamps) are not supported'],
    [Number.NaN, 'byte 11: number is not finite'],
    [2 ** 63, undefined],
  ] as const) {
    const { frame, messages, outcomes } = msgpack([{ a: 1 }, { b: 2, c: value }]);
    if (message === undefined) assert.deepEqual(outcomes[1], '{"b":2,"c":9223372036854776000}');
    else assert.deepEqual({ frame, messages }, { frame: 'invalid_msgpack', messages: [message] });
  }
  const { frame } = raw(encode([{ a: 2n ** 63n }], { useBigInt64: true }));
  assert.equal(frame, 'invalid_msgpack');
});

test('a value that is not a map is rejected by its index', () => {
  for (const value of [null, 1, 'a', true]) {
    assert.deepEqual(msgpack(value).outcomes, ['not_an_object']);
  }
  const { outcomes } = msgpack([{}, null, [{}], 'x', {}]);
  assert.deepEqual(outcomes, ['{}', 'not_an_object', 'not_an_object', 'not_an_object', '{}']);
});

test('an event of maximum length as JSON is accepted, one byte more is rejected alone', () => {
  const ten = { maxEvents: 10, maxEventBytes: 10, maxDepth: 64 };
  // Longer as JSON than as MessagePack, and vice versa.
  const [exact, over, escaped] = [{ a: 'bc' }, { a: 'bé' }, { a: '\u0001' }];
  const { outcomes, messages } = msgpack([over, exact, escaped, {}], ten);
  assert.deepEqual(outcomes, ['too_large', '{"a":"bc"}', 'too_large', '{}']);
  assert.deepEqual(messages, [
    '11 bytes exceed the limit of 10',
    '14 bytes exceed the limit of 10',
  ]);
});

test('a frame with the maximum events is accepted; one with more is rejected unread', () => {
  const bounds = { ...BOUNDS, maxEvents: 3 };
  assert.equal(msgpack([{}, {}, {}], bounds).received, 3);
  assert.equal(msgpack([{}, {}, {}, {}], bounds).frame, 'too_many_events');
  assert.equal(raw(Buffer.from([0x94, 0xc1, 0xc1, 0xc1, 0xc1]), bounds).frame, 'too_many_events');
  assert.equal(raw(Buffer.from([0x94, 0xc1, 0xc1, 0xc1]), bounds).frame, 'invalid_msgpack');
});

test('duplicate fields, __proto__ and toJSON are kept as data', () => {
  const twice = Buffer.from([0x82, 0xa1, 0x61, 1, 0xa1, 0x61, 2]);
  const { outcomes, values } = raw(twice);
  assert.deepEqual(outcomes, ['{"a":1,"a":2}']);
  assert.deepEqual(values, [{ a: 2 }], 'the last one is validated, as in JSON');
  const text = '{"__proto__":{"msg":"x"},"constructor":1,"toJSON":"y"}';
  // The library can neither read nor write it.
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

test('the fast validator accepts valid events with their key, and no others', () => {
  const good = { msg: 'm', clientId: 'c', timestamp: 1_790_000_000_123 };
  const events = [good, { ...good, timestamp: 0.5 }, { ...good, clientId: '"' }, 1, good];
  const fast = decode(decodeMsgpack, Buffer.from(encode(events)), BOUNDS, FAST_VALIDATOR);
  const { outcomes, messages } = msgpack(events);
  assert.deepEqual(fast.outcomes, outcomes);
  assert.deepEqual(fast.messages, messages);
  assert.deepEqual(fast.keys, ['c', 'c']);
});

/** Frames of any number of events, complete or truncated. */
const frames = fc
  .array(fc.oneof(fc.dictionary(fc.string(), fc.jsonValue()), fc.jsonValue()), { maxLength: 30 })
  .chain((events) => {
    const whole = Buffer.from(encode(events));
    return fc.oneof(
      { weight: 4, arbitrary: fc.constant(whole) },
      fc.nat(whole.length).map((end) => whole.subarray(0, end)),
    );
  });

test('decoding in slices and at once agree', () => {
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

test('a long frame takes many slices, and other frames can be decoded between them', () => {
  const events = Array.from({ length: 900 }, (_, index) => ({ index, text: 'x'.repeat(50) }));
  const stored: string[] = [];
  const sink: EventSink = {
    event: (_index, _value, bytes, start, end) => {
      stored.push(bytes.toString('utf8', start, end));
    },
    validEvent: () => assert.fail('there is no fast validator'),
    rejectEvent: () => assert.fail('an event was rejected'),
    rejectFrame: () => assert.fail('the frame was rejected'),
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
