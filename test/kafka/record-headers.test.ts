import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import type { IHeaders } from 'kafkajs';
import { hasHeader, lastHeader, recordHeaders } from '../../src/kafka/record-headers.ts';

const require = createRequire(import.meta.url);
const Encoder = require('kafkajs/src/protocol/encoder');
const Decoder = require('kafkajs/src/protocol/decoder');
const decodeRecord = require('kafkajs/src/protocol/recordBatch/record/v0/decoder');

/** Headers as kafkajs reads them from the bytes of a record. */
function read(headers: readonly (readonly [string, Buffer | null])[]): IHeaders {
  const record = new Encoder().writeInt8(0).writeVarInt(0).writeVarInt(0);
  record.writeVarIntBytes(null).writeVarIntBytes(null).writeVarInt(headers.length);
  for (const [name, value] of headers) record.writeVarIntString(name).writeVarIntBytes(value);
  return decodeRecord(new Decoder(record.buffer), { firstOffset: '0', firstTimestamp: '0' })
    .headers;
}

test('each header of a record is listed with its bytes, repeated and empty ones too', () => {
  const sent = [
    ['a', Buffer.from('1')],
    ['a', Buffer.from([0xff])],
    ['a', Buffer.alloc(0)],
    ['b', Buffer.alloc(0)],
    ['', Buffer.from('x')],
    ['none', null],
    ['none', null],
    ['none', Buffer.from('y')],
  ] as const;
  const found = recordHeaders(read(sent)).map(({ name, value }) => [name, value]);
  assert.deepEqual(found, sent);
  assert.deepEqual(recordHeaders(read([])), []);
  assert.deepEqual(recordHeaders(undefined), []);
});

test('headers with names of the prototype are those of the record, and no others', () => {
  const names = ['__proto__', 'constructor', 'toString', 'hasOwnProperty', '__proto__'];
  const sent = names.map((name, index) => [name, Buffer.from(String(index))] as const);
  const found = recordHeaders(read(sent));
  assert.deepEqual(
    found.map(({ name, value }) => `${name} ${value}`).sort(),
    names.map((name, index) => `${name} ${index}`).sort(),
  );
  assert.equal(lastHeader(found, '__proto__'), '4');
  assert.equal(hasHeader(found, 'valueOf'), false);
});

test('the last of several headers with one name is the one in effect', () => {
  const headers = recordHeaders({ a: [Buffer.from('1'), Buffer.from('2')] });
  assert.equal(lastHeader(headers, 'a'), '2');
  assert.equal(lastHeader(headers, 'A'), undefined);
  assert.equal(hasHeader(headers, 'a'), true);
});

test('the identity of a schema is read as its GUID', () => {
  const guid = '0123abcd-89ab-cdef-0123-456789abcdef';
  const bytes = Buffer.from(`01${guid.replaceAll('-', '')}`, 'hex');
  const others = [bytes.subarray(1), Buffer.concat([bytes, bytes]), Buffer.from([0, 0, 0, 0, 7])];
  const sent = [
    ['__value_schema_id', bytes],
    ...others.map((value) => ['__value_schema_id', value] as const),
    ['fb-id', bytes],
  ] as const;
  const found = recordHeaders(read(sent)).map(({ value }) => value);
  assert.deepEqual(found, [Buffer.from(guid), ...others, bytes]);
});
