import assert from 'node:assert/strict';
import { test } from 'node:test';
import { jsonLine, plainLine, printable } from '../../src/listen/format.ts';

const record = {
  partition: 3,
  offset: 9_007_199_254_740_993n,
  timestamp: 1_700_000_000_000,
  key: Buffer.from('client-7'),
  value: Buffer.from('{"msg":"grüß \\"dich\\""}'),
};

test('plain: partition, offset, key and value, separated by tabs', () => {
  assert.equal(plainLine(record), '3\t9007199254740993\tclient-7\t{"msg":"grüß \\"dich\\""}\n');
});

test('plain: no key and no value are a dash, an empty key is empty', () => {
  assert.equal(plainLine({ ...record, key: null, value: null }), '3\t9007199254740993\t-\t-\n');
  const empty = plainLine({ ...record, key: Buffer.alloc(0), value: Buffer.alloc(0) });
  assert.equal(empty, '3\t9007199254740993\t\t\n');
});

test('plain: nothing gets through that moves the cursor, colours or reorders the terminal', () => {
  const evil = '\u001b[2Jred\u0007\r\n\tnext\u009b31m\u007f\u202eabc\u2066\u2028end';
  const expected = '\\x1b[2Jred\\x07\\r\\n\\tnext\\x9b31m\\x7f\\u202eabc\\u2066\\u2028end';
  assert.equal(printable(evil), expected);
  const line = plainLine({ ...record, key: Buffer.from(evil), value: Buffer.from(evil) });
  assert.equal(line, `3\t9007199254740993\t${expected}\t${expected}\n`);
});

test('plain: other characters stay as they are', () => {
  const text = '{"a":"\\n ß 漢字 🙂 é"}';
  assert.equal(printable(text), text);
});

test('json: one object a line, the offset with all its digits, key and value as text', () => {
  const line = jsonLine({ ...record, value: Buffer.from('{\n "a": "\u001b"}') });
  assert.equal(line.indexOf('\n'), line.length - 1);
  assert.match(line, /"offset":9007199254740993,/);
  const { partition, timestamp, key, value } = JSON.parse(line);
  assert.deepEqual(
    { partition, timestamp, key, value },
    { partition: 3, timestamp: 1_700_000_000_000, key: 'client-7', value: '{\n "a": "\u001b"}' },
  );
});

test('json: no key and no value are null', () => {
  const parsed = JSON.parse(jsonLine({ ...record, key: null, value: null }));
  assert.equal(parsed.key, null);
  assert.equal(parsed.value, null);
});
