import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assert as check, json, nat, property, string, tuple } from 'fast-check';

const { wrongAt, placeOf } = (await import(
  new URL('../../src/page/static/json.js', import.meta.url).href
)) as { wrongAt(text: string): number; placeOf(text: string, at: number): string };

test('position of the first error', () => {
  for (const [text, at] of [
    ['{"msg":\n  oops}', 10],
    ['{"a":1,}', 7],
    ['{"a" 1}', 5],
    ['{a:1}', 1],
    ['[1,2', 4],
    ['[1 2]', 3],
    ['', 0],
    ['  ', 2],
    ['{} x', 3],
    ['"open', 0],
    ['01', 1],
    ['{"a":"\\x"}', 5],
    [' {"a": [1, -2.5e3, "\\u00e9", null, true, {}]} ', -1],
  ] as const) {
    assert.equal(wrongAt(text), at, text);
  }
  assert.equal(placeOf('{"msg":\n  oops}', 10), 'line 2, column 3');
});

test('a text is valid exactly if JSON.parse accepts it', () => {
  const isJson = (text: string) => {
    try {
      JSON.parse(text);
      return true;
    } catch {
      return false;
    }
  };
  const agree = (text: string) => assert.equal(wrongAt(text) === -1, isJson(text), text);
  const spoilt = tuple(json(), nat(), string({ maxLength: 1 }));
  check(
    property(spoilt, ([text, where, by]) => {
      agree(text);
      const at = where % (text.length + 1);
      agree(text.slice(0, at) + by + text.slice(at + 1));
    }),
    { numRuns: 2_000 },
  );
});
