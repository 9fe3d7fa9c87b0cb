import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encode } from '@msgpack/msgpack';
import { eventIn, readableValue } from '../../src/kafka/record-value.ts';

const typed = (...types: readonly string[]) =>
  types.map((type) => ({ name: 'content-type', value: Buffer.from(type) }));
const packed = (value: unknown) => Buffer.from(encode(value));
const EVENT = { id: 'a', n: 1 };

test('MessagePack is read as JSON, by its header', () => {
  for (const type of [
    'application/msgpack',
    'Application/MsgPack; charset=binary',
    'application/x-msgpack',
    'application/vnd.msgpack',
    'application/x-messagepack',
  ]) {
    const value = readableValue({ value: packed(EVENT), headers: typed(type) });
    assert.equal(String(value.bytes), '{"id":"a","n":1}', type);
    assert.equal(value.problem, undefined);
    assert.deepEqual(eventIn(value), EVENT);
  }
});

test('everything else is left as it is', () => {
  const bytes = packed(EVENT);
  for (const headers of [[], typed('application/json'), typed('application/msgpackx'), typed('')]) {
    assert.deepEqual(readableValue({ value: bytes, headers: headers }), { bytes });
  }
  assert.deepEqual(readableValue({ value: null, headers: typed('application/msgpack') }), {
    bytes: null,
  });
  const none = [{ name: 'content-type', value: null }];
  assert.deepEqual(readableValue({ value: bytes, headers: none }), { bytes });
});

test('the last content type counts', () => {
  const bytes = packed(EVENT);
  const types = ['application/json', 'application/msgpack'];
  assert.deepEqual(eventIn(readableValue({ value: bytes, headers: typed(...types) })), EVENT);
  assert.deepEqual(readableValue({ value: bytes, headers: typed(...types.reverse()) }), { bytes });
});

test('invalid MessagePack keeps its bytes, names the reason, and is no event', () => {
  for (const bytes of [Buffer.alloc(0), Buffer.from('{"id":"a"}'), packed({ at: new Date() })]) {
    const value = readableValue({ value: bytes, headers: typed('application/msgpack') });
    assert.equal(value.bytes, bytes);
    assert.match(value.problem ?? '', /^invalid MessagePack: [a-z ]+$/);
    assert.equal(eventIn(value), undefined);
  }
});

test('an event is a JSON object and nothing else', () => {
  assert.deepEqual(eventIn({ bytes: Buffer.from('{"a":1}') }), { a: 1 });
  for (const text of ['[1]', '1', 'null', '"a"', 'no json', '', '{"a":1']) {
    assert.equal(eventIn({ bytes: Buffer.from(text) }), undefined, text);
  }
  assert.equal(eventIn({ bytes: null }), undefined);
  assert.equal(
    eventIn(readableValue({ value: packed([EVENT]), headers: typed('application/msgpack') })),
    undefined,
  );
});
