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

test('the id of a schema before the value is no part of it', () => {
  const framed = (...bytes: number[]) =>
    Buffer.concat([Buffer.from(bytes), Buffer.from('{"n":1}')]);
  const value = readableValue({ value: framed(0, 0x7f, 0xff, 0xff, 0xfe) });
  assert.deepEqual(value, { bytes: Buffer.from('{"n":1}'), schemaId: 2 ** 31 - 2 });
  assert.deepEqual(eventIn(value), { n: 1 });
  const typedJson = readableValue({
    value: framed(0, 0, 0, 0, 7),
    headers: typed('application/json'),
  });
  assert.equal(typedJson.schemaId, 7);
  const empty = readableValue({ value: Buffer.from([0, 0, 0, 0, 7]) });
  assert.deepEqual(empty, { bytes: Buffer.alloc(0), schemaId: 7 });
  for (const bytes of [framed(1, 0, 0, 0, 7), Buffer.from([0, 0, 0, 0]), Buffer.alloc(0)]) {
    assert.deepEqual(readableValue({ value: bytes }), { bytes });
  }
  const packedZero = Buffer.from([0]);
  const read = readableValue({ value: packedZero, headers: typed('application/msgpack') });
  assert.equal(String(read.bytes), '0', 'MessagePack has no prefix');
});
