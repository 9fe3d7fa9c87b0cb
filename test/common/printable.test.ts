import assert from 'node:assert/strict';
import { test } from 'node:test';
import { printable, printableJson, printableTextsInJson } from '../../src/common/printable.ts';

/** Characters that control a terminal or reorder a line. */
const HARMFUL = [
  ...range(0x00, 0x1f),
  ...range(0x7f, 0x9f),
  0x061c,
  ...range(0x200e, 0x200f),
  ...range(0x2028, 0x2029),
  ...range(0x202a, 0x202e),
  ...range(0x2066, 0x2069),
].map((code) => String.fromCharCode(code));
const HARMLESS = 'aé ~äß中😀\u00a0\u200d';

function range(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, index) => first + index);
}

test('control characters and bidirectional marks become ASCII, all else is unchanged', () => {
  for (const character of HARMFUL) {
    assert.match(printable(`a${character}b`), /^a\\(?:[nrt]|x[0-9a-f]{2}|u[0-9a-f]{4})b$/);
  }
  assert.equal(printable(HARMLESS), HARMLESS);
  assert.equal(printable('\u001b[31m\u202egpj.exe\n'), '\\x1b[31m\\u202egpj.exe\\n');
});

test('JSON becomes ASCII where necessary, with the same value', () => {
  for (const character of HARMFUL) {
    const value = { [`k${character}`]: [`a${character}b`, HARMLESS] };
    const json = printableJson(JSON.stringify(value));
    assert(!json.includes(character), JSON.stringify(character));
    assert.deepEqual(JSON.parse(json), value);
  }
});

test('JSON that is parsed and printed shows such characters as text', () => {
  const parsed = JSON.parse(printableTextsInJson(JSON.stringify('a\u009b1m\u2028b\u007f')));
  assert.equal(parsed, 'a\\u009b1m\\u2028b\\u007f');
});
