import assert from 'node:assert/strict';
import { test } from 'node:test';
import { stripVTControlCharacters } from 'node:util';
import { COLORS } from '../../../src/cli/listen/colors.ts';
import { jsonLine, type ListenedRecord, plainLine } from '../../../src/cli/listen/format.ts';
import { printable } from '../../../src/common/printable.ts';

const record = {
  partition: 3,
  offset: 9_007_199_254_740_993n,
  timestamp: 1_700_000_000_000,
  key: Buffer.from('client-7'),
  headers: [],
  value: { bytes: Buffer.from('{"msg":"grüß \\"dich\\""}') },
} satisfies ListenedRecord;
const PLAIN = { headers: false };

test('plain: partition, offset, key and value, separated by tabs', () => {
  assert.equal(
    plainLine(record, PLAIN),
    '3\t9007199254740993\tclient-7\t{"msg":"grüß \\"dich\\""}\n',
  );
});

test('plain: missing key and value are a dash, an empty key is empty', () => {
  assert.equal(
    plainLine({ ...record, key: null, value: { bytes: null } }, PLAIN),
    '3\t9007199254740993\t-\t-\n',
  );
  const empty = plainLine(
    { ...record, key: Buffer.alloc(0), value: { bytes: Buffer.alloc(0) } },
    PLAIN,
  );
  assert.equal(empty, '3\t9007199254740993\t\t\n');
});

test('plain: invalid UTF-8 is escaped byte by byte', () => {
  const bytes = Buffer.from([0xff, 0x41, 0x9b, 0xc3, 0x0a]);
  const line = plainLine({ ...record, key: bytes, value: { bytes } }, PLAIN);
  assert.equal(line, '3\t9007199254740993\t\\xffA\\x9b\\xc3\\n\t\\xffA\\x9b\\xc3\\n\n');
});

test('colored: the same text, broken values in their own color', () => {
  const values = ['{"a":[1,"\u009b"]}', 'no json \u001b[31m', '', '"\u202e"'].map((v) =>
    Buffer.from(v),
  );
  const broken = Buffer.from([0x22, 0xff, 0x22]);
  for (const value of [...values, broken, null]) {
    const colored = plainLine(
      { ...record, value: { bytes: value } },
      { headers: false, colors: COLORS },
    );
    assert.equal(
      stripVTControlCharacters(colored),
      plainLine({ ...record, value: { bytes: value } }, PLAIN),
    );
    const red = colored.includes('\u001b[31m');
    const isBroken = value === broken || value === values[1];
    assert.equal(red, isBroken, colored);
  }
});

test('plain: nothing moves the cursor, colors or reorders the terminal', () => {
  const evil = '\u001b[2Jred\u0007\r\n\tnext\u009b31m\u007f\u202eabc\u2066\u2028end';
  const expected = '\\x1b[2Jred\\x07\\r\\n\\tnext\\x9b31m\\x7f\\u202eabc\\u2066\\u2028end';
  assert.equal(printable(evil), expected);
  const line = plainLine(
    { ...record, key: Buffer.from(evil), value: { bytes: Buffer.from(evil) } },
    PLAIN,
  );
  assert.equal(line, `3\t9007199254740993\t${expected}\t${expected}\n`);
});

test('plain: other characters are unchanged', () => {
  const text = '{"a":"\\n ß 漢字 🙂 é"}';
  assert.equal(printable(text), text);
});

test('json: one object per line, the offset with all its digits, key and value as text', () => {
  const line = jsonLine({ ...record, value: { bytes: Buffer.from('{\n "a": "\u001b"}') } }, PLAIN);
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
  const line = jsonLine(
    { ...record, key: Buffer.from(text), value: { bytes: Buffer.from(text) } },
    PLAIN,
  );
  assert.equal(line, `${printable(line.slice(0, -1))}\n`);
  assert.equal(JSON.parse(line).value, text);
  assert.equal(JSON.parse(line).key, text);
});

test('json: invalid UTF-8 is base64 under another name', () => {
  const bytes = Buffer.from([0xff, 0x00]);
  const parsed = JSON.parse(jsonLine({ ...record, key: bytes, value: { bytes } }, PLAIN));
  assert.deepEqual(Object.keys(parsed).slice(3), ['keyBase64', 'valueBase64']);
  assert.deepEqual(Buffer.from(parsed.valueBase64, 'base64'), bytes);
});

test('json: missing key and value are null', () => {
  const parsed = JSON.parse(jsonLine({ ...record, key: null, value: { bytes: null } }, PLAIN));
  assert.equal(parsed.key, null);
  assert.equal(parsed.value, null);
});

const header = (name: string, value: string | Buffer | null) => ({
  name,
  value: typeof value === 'string' ? Buffer.from(value) : value,
});
const HEADED = {
  ...record,
  value: { bytes: Buffer.from('{}') },
  headers: [
    header('fb-received', '1700000000000'),
    header('twice', 'a'),
    header('twice', 'b c'),
    header('empty', ''),
    header('none', null),
    header('bytes', Buffer.from([0xff, 0x22, 0x5c, 0x0a, 0x41])),
    header('twice', Buffer.from([0xfe])),
  ],
};

test('plain: headers before the value, quoted where a space or = would be ambiguous', () => {
  const line = plainLine(HEADED, { headers: true });
  const [partition, offset, key, headers, value, ...more] = line.slice(0, -1).split('\t');
  assert.deepEqual([partition, offset, key, value], ['3', '9007199254740993', 'client-7', '{}']);
  assert.deepEqual(more, []);
  assert.equal(
    headers,
    'fb-received=1700000000000 twice=a twice="b c" empty="" none ' +
      'bytes="\\xff\\"\\\\\\nA" twice="\\xfe"',
  );
  const odd = [header('a b', 'c=d'), header('e"', '\\'), header('', 'ß')];
  assert.equal(
    plainLine({ ...HEADED, headers: odd }, { headers: true }).split('\t')[3],
    '"a b"="c=d" "e\\""="\\\\" ""="ß"',
  );
});

test('plain: a dash without headers; no column unless it is asked for', () => {
  assert.equal(plainLine(record, { headers: true }).split('\t')[3], '-');
  assert.equal(plainLine(HEADED, PLAIN), '3\t9007199254740993\tclient-7\t{}\n');
});

test('headers cannot control the terminal, colored or not, in either format', () => {
  const evil = '\u001b[2Jred\u0007\r\n\tnext\u009b31m\u007f\u202eabc\u2028\u061c';
  const bytes = Buffer.concat([Buffer.from(evil), Buffer.from([0xff, 0x9b])]);
  const headers = [header(evil, evil), header('twice', bytes), header('twice', evil)];
  const one = { ...HEADED, headers };
  const colored = plainLine(one, { headers: true, colors: COLORS });
  const plain = plainLine(one, { headers: true });
  assert.equal(stripVTControlCharacters(colored), plain);
  assert.equal(plain.split('\t').length, 5, 'no header adds a column');
  const columns = plain.slice(0, -1).replaceAll('\t', ' ');
  assert.equal(printable(columns), columns);
  const json = jsonLine(one, { headers: true });
  assert.equal(json, `${printable(json.slice(0, -1))}\n`);
  assert.equal(JSON.parse(json).headers[evil], evil);
});

test('json: headers by name, repeated ones as an array, others than text in base64', () => {
  const line = jsonLine(HEADED, { headers: true });
  const { headers, headersBase64, ...others } = JSON.parse(line);
  assert.deepEqual(Object.keys(others), ['partition', 'offset', 'timestamp', 'key', 'value']);
  assert.deepEqual(headers, {
    'fb-received': '1700000000000',
    twice: ['a', 'b c'],
    empty: '',
    none: null,
  });
  assert.deepEqual(headersBase64, { bytes: '/yJcCkE=', twice: '/g==' });
});

test('json: names of the prototype are ordinary; without headers the object is empty', () => {
  const headers = ['__proto__', 'constructor', 'toString'].map((name) => header(name, 'x'));
  const parsed = JSON.parse(jsonLine({ ...record, headers }, { headers: true }));
  assert.deepEqual(
    Object.entries(parsed.headers),
    headers.map(({ name }) => [name, 'x']),
  );
  assert.deepEqual(JSON.parse(jsonLine(record, { headers: true })).headers, {});
  assert(!jsonLine(HEADED, PLAIN).includes('headers'), 'only with the option');
});

test('MessagePack that JSON cannot represent: its bytes, and the reason', () => {
  const value = { bytes: Buffer.from([0x7b, 0x1b, 0xc1]), problem: 'invalid MessagePack: why' };
  const broken = { ...record, value };
  assert.equal(plainLine(broken, PLAIN).split('\t')[3], '{\\x1b\\xc1 (invalid MessagePack: why)\n');
  const { valueBase64, valueError, ...others } = JSON.parse(jsonLine(broken, PLAIN));
  assert.deepEqual(
    { valueBase64, valueError },
    { valueBase64: 'exvB', valueError: 'invalid MessagePack: why' },
  );
  assert.equal(others.value, undefined);
});

test('the id of the schema before a value is a member of its own in JSON', () => {
  const value = { bytes: Buffer.from('{}'), schemaId: 7 };
  assert.equal(
    jsonLine({ ...record, key: null, value }, PLAIN),
    '{"partition":3,"offset":9007199254740993,"timestamp":1700000000000,"key":null,"schemaId":7,"value":"{}"}\n',
  );
  assert.match(plainLine({ ...record, value }, PLAIN), /\t{}\n$/);
});
