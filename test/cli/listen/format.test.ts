import assert from 'node:assert/strict';
import { test } from 'node:test';
import { stripVTControlCharacters } from 'node:util';
import { COLORS } from '../../../src/cli/listen/colors.ts';
import { jsonLine, plainLine } from '../../../src/cli/listen/format.ts';
import { printable } from '../../../src/common/printable.ts';

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

test('plain: missing key and value are a dash, an empty key is empty', () => {
  assert.equal(plainLine({ ...record, key: null, value: null }), '3\t9007199254740993\t-\t-\n');
  const empty = plainLine({ ...record, key: Buffer.alloc(0), value: Buffer.alloc(0) });
  assert.equal(empty, '3\t9007199254740993\t\t\n');
});

test('plain: invalid UTF-8 is escaped byte by byte', () => {
  const bytes = Buffer.from([0xff, 0x41, 0x9b, 0xc3, 0x0a]);
  const line = plainLine({ ...record, key: bytes, value: bytes });
  assert.equal(line, '3\t9007199254740993\t\\xffA\\x9b\\xc3\\n\t\\xffA\\x9b\\xc3\\n\n');
});

test('colored: the same text, broken values in their own color', () => {
  const values = ['{"a":[1,"\u009b"]}', 'no json \u001b[31m', '', '"\u202e"'].map((v) =>
    Buffer.from(v),
  );
  const broken = Buffer.from([0x22, 0xff, 0x22]);
  for (const value of [...values, broken, null]) {
    const colored = plainLine({ ...record, value }, COLORS);
    assert.equal(stripVTControlCharacters(colored), plainLine({ ...record, value }));
    const red = colored.includes('\u001b[31m');
    const isBroken = value === broken || value === values[1];
    assert.equal(red, isBroken, colored);
  }
});

test('plain: nothing moves the cursor, colors or reorders the terminal', () => {
  const evil = '\u001b[2Jred\u0007\r\n\tnext\u009b31m\u007f\u202eabc\u2066\u2028end';
  const expected = '\\x1b[2Jred\\x07\\r\\n\\tnext\\x9b31m\\x7f\\u202eabc\\u2066\\u2028end';
  assert.equal(printable(evil), expected);
  const line = plainLine({ ...record, key: Buffer.from(evil), value: Buffer.from(evil) });
  assert.equal(line, `3\t9007199254740993\t${expected}\t${expected}\n`);
});

test('plain: other characters are unchanged', () => {
  const text = '{"a":"\\n ß 漢字 🙂 é"}';
  assert.equal(printable(text), text);
});

test('json: one object per line, the offset with all its digits, key and value as text', () => {
  const line = jsonLine({ ...record, value: Buffer.from('{\n "a": "\u001b"}') });
  assert.equal(line.indexOf('\n'), line.length - 1);
  assert.match(line, /"offset":9007199254740993,/);
  const { partition, timestamp, key, value } = JSON.parse(line);
  assert.deepEqual(
    { partition, timestamp, key, value },
    { partition: 3, timestamp: 1_700_000_000_000, key: 'client-7', value: '{\n "a": "\u001b"}' },
  );
});

test('json: control characters of terminals are escaped, and parse to the same text', () => {
  const text = '\u009b31m \u007f \u202e \u2028 \u061c \u001b[2J ß';
  const line = jsonLine({ ...record, key: Buffer.from(text), value: Buffer.from(text) });
  assert.equal(line, `${printable(line.slice(0, -1))}\n`);
  assert.equal(JSON.parse(line).value, text);
  assert.equal(JSON.parse(line).key, text);
});

test('json: invalid UTF-8 is base64 under another name', () => {
  const bytes = Buffer.from([0xff, 0x00]);
  const parsed = JSON.parse(jsonLine({ ...record, key: bytes, value: bytes }));
  assert.deepEqual(Object.keys(parsed).slice(3), ['keyBase64', 'valueBase64']);
  assert.deepEqual(Buffer.from(parsed.valueBase64, 'base64'), bytes);
});

test('json: missing key and value are null', () => {
  const parsed = JSON.parse(jsonLine({ ...record, key: null, value: null }));
  assert.equal(parsed.key, null);
  assert.equal(parsed.value, null);
});
