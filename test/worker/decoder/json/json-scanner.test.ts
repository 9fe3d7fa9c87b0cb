import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  skipBlank,
  trimmedEnd,
  valueEnd,
} from '../../../../src/worker/decoder/json/json-scanner.ts';
import { jsonText } from '../json-text.ts';

/** Elements of an array, as found by the scanner. */
function elements(text: string): string[] {
  const bytes = Buffer.from(text);
  const found: string[] = [];
  let at = skipBlank(bytes, skipBlank(bytes, 0) + 1);
  while (bytes[at] !== 0x5d) {
    const end = valueEnd(bytes, at);
    assert(end > at, `nothing found at ${at} of ${text}`);
    found.push(bytes.toString('utf8', at, end));
    at = skipBlank(bytes, end);
    if (bytes[at] === 0x2c) at = skipBlank(bytes, at + 1);
  }
  assert.equal(skipBlank(bytes, at + 1), bytes.length);
  return found;
}

test('array elements with white space, escapes and nesting are found exactly', () => {
  fc.assert(
    fc.property(fc.array(jsonText()), jsonText.blank(), (texts, blank) => {
      const array = `${blank}[${texts.map((text) => blank + text + blank).join(',')}${blank}]`;
      assert.deepEqual(elements(array), texts);
      assert.deepEqual(elements(array).map(parse), JSON.parse(array));
    }),
    { numRuns: 1_000 },
  );
});

test('the elements of a pretty-printed array are those of JSON.parse', () => {
  fc.assert(
    fc.property(fc.array(fc.jsonValue({ depthSize: 'medium' })), fc.nat(4), (values, indent) => {
      const text = JSON.stringify(values, undefined, indent);
      assert.deepEqual(elements(text).map(parse), JSON.parse(text));
    }),
    { numRuns: 500 },
  );
});

test('strings that look like structure do not end an element', () => {
  for (const text of [
    '"]"',
    '"\\""',
    '"\\\\"',
    '"\\\\\\"],["',
    '{"}":"{","a\\"b":"]"}',
    '"\\u0022,"',
  ]) {
    assert.deepEqual(elements(`[${text},${text} , ${text}]`), [text, text, text]);
  }
});

test('numbers and literals end at a comma, a bracket or white space', () => {
  assert.deepEqual(elements('[1,-0.5e+3\t,true\r,null\n]'), ['1', '-0.5e+3', 'true', 'null']);
});

test('60,000 levels of nesting are counted without recursion', () => {
  const deep = `${'[{"a":'.repeat(30_000)}1${'}]'.repeat(30_000)}`;
  assert.deepEqual(elements(`[${deep},2]`), [deep, '2']);
});

test('a value at the end of the bytes ends with them', () => {
  for (const text of ['1', 'true', '"a"', '{}', '[[]]']) {
    assert.equal(valueEnd(Buffer.from(text), 0), text.length);
  }
});

test('only the white space of JSON is trimmed', () => {
  const bytes = Buffer.from(' \t\r\n\v1\u00a0\f \t\r\n');
  const start = skipBlank(bytes, 0);
  assert.equal(start, 4);
  assert.equal(
    bytes.toString('utf8', start, trimmedEnd(bytes, start, bytes.length)),
    '\v1\u00a0\f',
  );
});

test('only white space is trimmed to nothing', () => {
  const bytes = Buffer.from(' \n ');
  assert.equal(skipBlank(bytes, 0), 3);
  assert.equal(trimmedEnd(bytes, 1, 3), 1);
});

function parse(text: string): unknown {
  return JSON.parse(text);
}
