/** Counts of events in frames and bodies that are not decoded. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encode } from '@msgpack/msgpack';
import fc from 'fast-check';
import { LIMITS } from '../../../src/config/limits.ts';
import type { EventCounter } from '../../../src/worker/decoder/event-sink.ts';
import { countEvents, countItems } from '../../../src/worker/decoder/json/count-events.ts';
import { INVALID } from '../../../src/worker/decoder/json/json-grammar.ts';
import { countLines, decodeNdjson, decodeTextBody } from '../../../src/worker/decoder/json/text.ts';
import { loadKernel } from '../../../src/worker/decoder/kernel/kernel.ts';
import { countMsgpackEvents, decodeMsgpack } from '../../../src/worker/decoder/msgpack/msgpack.ts';
import { jsonText } from './json-text.ts';
import { BOUNDS, decode } from './recorder.ts';

const { maxEvents } = BOUNDS;
const counted = (count: EventCounter, input: string | Buffer, max = maxEvents) =>
  count(Buffer.from(input), max);

test('text has as many events as JSON.parse finds in it', () => {
  const array = fc.array(fc.tuple(jsonText.blank(), jsonText(), jsonText.blank()));
  const frame = fc.tuple(jsonText.blank(), array, jsonText.blank());
  fc.assert(
    fc.property(frame, ([before, items, after]) => {
      const text = `${before}[${items.map((item) => item.join('')).join()}]${after}`;
      const { length } = JSON.parse(text) as unknown[];
      assert.equal(counted(countEvents, text), length);
      assert.equal(countItems(Buffer.from(text), before.length), length, 'without WebAssembly');
      // An array may be an event, too.
      const single = `${before}{"a":${text}}${after}`;
      assert.equal(counted(countEvents, single), 1);
    }),
  );
});

test('lines are counted as they are decoded', () => {
  const line = fc.oneof(jsonText.line(), fc.constantFrom('', ' ', '{broken', '{"a":\r1}'));
  fc.assert(
    fc.property(fc.array(line, { maxLength: 6 }), fc.constantFrom('\n', '\r\n'), (lines, end) => {
      const text = lines.join(end);
      const body = decode(decodeNdjson, text);
      if (body.frame === undefined) assert.equal(counted(countLines, text), body.received);
      const frame = decode(decodeTextBody, text);
      if (frame.frame === undefined) assert.equal(counted(countEvents, text), frame.received);
    }),
  );
});

test('a long body is counted without growing the memory of the kernel', () => {
  const kernel = loadKernel();
  assert(!(kernel instanceof Error), 'this machine can run the kernel');
  const { byteLength } = kernel.results.buffer;
  const text = `[{},${' '.repeat(LIMITS.bodyBytes / 2)}{}]`;
  assert.equal(counted(countEvents, text), 2);
  assert.equal(kernel.results.buffer.byteLength, byteLength);
});

test('MessagePack has as many events as it declares', () => {
  for (const length of [0, 1, 15, 16, 1_000]) {
    const bytes = Buffer.from(encode(Array(length).fill({})));
    assert.equal(counted(countMsgpackEvents, bytes), length);
    assert.equal(decode(decodeMsgpack, bytes).received, length);
  }
  assert.equal(counted(countMsgpackEvents, Buffer.from(encode({ a: [1, 2] }))), 1);
});

test('frames without events, even empty ones, have none', () => {
  for (const text of ['', ' \n', '[]', ' [ \n] ']) assert.equal(counted(countEvents, text), 0);
  assert.equal(counted(countLines, ' \n\r\n'), 0);
  assert.equal(counted(countMsgpackEvents, Buffer.of()), 0);
  assert.equal(counted(countMsgpackEvents, Buffer.of(0x90)), 0);
});

test('frames that are broken, or have too many events, cannot be counted', () => {
  const two = '[{"a":"]"},{}]';
  const lines = '{}\n{}';
  for (const [count, text] of [
    [countEvents, two],
    [countEvents, lines],
    [countLines, lines],
  ] as const) {
    assert.equal(counted(count, text, 2), 2);
    assert.equal(counted(count, text, 1), undefined);
  }
  for (const text of ['[', '[{}', '[{}]]]', '[{]', '[[{}]', '[{}] 1', '["a]', '[{}],']) {
    assert.equal(counted(countEvents, text), undefined, text);
    assert.equal(countItems(Buffer.from(text), 0), INVALID, text);
  }
  const packed = Buffer.from(encode([{}, {}]));
  assert.equal(counted(countMsgpackEvents, packed, 1), undefined);
  for (const broken of [packed.subarray(0, 2), Buffer.of(0xdc, 0), Buffer.of(0xdd, 9, 9, 9, 9)]) {
    assert.equal(counted(countMsgpackEvents, broken), undefined, broken.toString('hex'));
  }
});

test('the count of any input is an integer up to the maximum', () => {
  const unit = fc.constantFrom('[', ']', '{', '}', '"', '\\', ',', ':', '1', ' ', '\n', 'é');
  const counters = [countEvents, countLines, countMsgpackEvents];
  fc.assert(
    fc.property(fc.constantFrom(...counters), fc.string({ unit }), (count, text) => {
      const events = counted(count, text, 3) ?? 1;
      assert(Number.isInteger(events) && events >= 0 && events <= 3, `${events}`);
    }),
  );
  fc.assert(
    fc.property(fc.uint8Array(), (bytes) => {
      const events = counted(countMsgpackEvents, Buffer.from(bytes)) ?? 1;
      assert(Number.isInteger(events) && events >= 0 && events <= maxEvents, `${events}`);
    }),
  );
});
