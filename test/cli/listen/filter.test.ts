import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  matchesAll,
  matchesHeaders,
  parseFilter,
  parseHeaderFilter,
} from '../../../src/cli/listen/filter.ts';
import type { JsonObject } from '../../../src/common/json-object.ts';

const event: JsonObject = JSON.parse(
  '{"msg":"hi","n":1.0,"big":1e3,"digits":"1","ok":true,"none":null,"o":{"p":"x=y"},"e":""}',
);

function lets(texts: readonly string[], from: JsonObject | undefined = event, key = 'client-7') {
  return matchesAll(
    texts.map((text) => parseFilter(text)!),
    Buffer.from(key),
    from,
  );
}

test('a filter is split at its first =, and requires a field', () => {
  assert.deepEqual(parseFilter('a=b=c'), { field: 'a', text: 'b=c' });
  assert.deepEqual(parseFilter('a='), { field: 'a', text: '' });
  for (const text of ['a', '=a', '']) assert.equal(parseFilter(text), undefined, text);
});

for (const text of ['msg=hi', 'n=1', 'n=1.0', 'n=1e0', 'big=1000', 'digits=1', 'ok=true', 'e=']) {
  test(`matches: ${text}`, () => assert(lets([text]), text));
}

for (const text of ['none=null', 'o.p=x=y', '@key=client-7']) {
  test(`matches: ${text}`, () => assert(lets([text]), text));
}

const KEPT = ['msg=HI', 'msg=h', 'n=01', 'n= 1', 'n=', 'n=true', 'digits=1.0', 'ok=True', 'ok=1'];
for (const text of [...KEPT, 'none=', 'o={"p":"x=y"}', 'absent=', 'absent=undefined', '@key=']) {
  test(`does not match: ${text}`, () => assert(!lets([text]), text));
}

test('all filters must match; none match everything, including broken records', () => {
  assert(lets(['msg=hi', 'ok=true']), 'both hold');
  assert(!lets(['msg=hi', 'ok=false']), 'one does not');
  assert(matchesAll([], null, undefined), 'no filter');
});

test('invalid events match only by key, and a missing key is not the empty one', () => {
  const filter = (text: string) => [parseFilter(text)!];
  assert(matchesAll(filter('@key=k'), Buffer.from('k'), undefined), 'the key');
  assert(!matchesAll(filter('msg=hi'), Buffer.from('k'), undefined), 'no field');
  assert(matchesAll(filter('@key='), Buffer.alloc(0), undefined), 'the empty key');
  assert(!matchesAll(filter('@key='), null, undefined), 'no key');
});

test('a header filter is a name, or split at its first =', () => {
  assert.deepEqual(parseHeaderFilter('fb-resent'), { name: 'fb-resent', text: undefined });
  assert.deepEqual(parseHeaderFilter('a=b=c'), { name: 'a', text: 'b=c' });
  assert.deepEqual(parseHeaderFilter('a='), { name: 'a', text: '' });
  for (const text of ['', '=', '=a']) assert.equal(parseHeaderFilter(text), undefined, text);
});

const HEADERS = [
  { name: 'fb-stream', value: Buffer.from('clicks') },
  { name: 'twice', value: Buffer.from('1') },
  { name: 'twice', value: Buffer.from('2') },
  { name: 'empty', value: Buffer.alloc(0) },
  { name: 'none', value: null },
];
const hasHeaders = (texts: readonly string[], without: readonly string[] = []) =>
  matchesHeaders(
    texts.map((text) => parseHeaderFilter(text)!),
    without,
    HEADERS,
  );

for (const text of ['fb-stream', 'fb-stream=clicks', 'twice=1', 'twice=2', 'empty=', 'none']) {
  test(`header matches: ${text}`, () => assert(hasHeaders([text]), text));
}
for (const text of ['fb-strea', 'Fb-Stream', 'fb-stream=click', 'twice=3', 'none=', 'none=null']) {
  test(`header does not match: ${text}`, () => assert(!hasHeaders([text]), text));
}

test('all header filters must match, and no excluded header may be present', () => {
  assert(hasHeaders(['fb-stream=clicks', 'twice=1', 'twice=2']), 'all hold');
  assert(!hasHeaders(['fb-stream=clicks', 'twice=3']), 'one does not');
  assert(hasHeaders(['fb-stream'], ['fb-resent']), 'not excluded');
  assert(!hasHeaders([], ['fb-resent', 'none']), 'excluded, though without a value');
  assert(matchesHeaders([], [], []), 'no filter');
  assert(matchesHeaders([], ['fb-resent'], []), 'no header');
});
