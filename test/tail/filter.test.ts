import assert from 'node:assert/strict';
import { test } from 'node:test';
import { matchesFacts, parseFilter, type TailFilter } from '../../src/tail/filter.ts';
import { TAIL_LIMITS } from '../../src/tail/limits.ts';

const STREAMS = ['clicks', 'orders', '(none)'];
const parse = (query: string) => parseFilter(query, STREAMS);

test('a query becomes a filter: parameters may be repeated, an empty one counts', () => {
  assert.deepEqual(parse(''), {});
  assert.deepEqual(parse('stream=clicks&stream=(none)&outcome=dead_lettered&code=schema'), {
    stream: ['clicks', '(none)'],
    outcome: ['dead_lettered'],
    code: ['schema'],
  });
  assert.deepEqual(parse('identity=&identity=web%20app&text=A%26B'), {
    identity: ['', 'web app'],
    text: 'a&b',
  });
  assert.deepEqual(parse('text='), {});
});

test('a malformed query is rejected with the reason, without raw control characters', () => {
  const cases: readonly [string, RegExp][] = [
    ['stream=klicks', /^unknown stream "klicks", expected one of clicks, orders, \(none\)$/],
    ['outcome=bad', /^unknown outcome "bad", expected one of accepted, rejected, dead_lettered$/],
    ['code=schema&code=nope', /^unknown code "nope", expected one of invalid_json, /],
    ['streams=clicks', /^unknown parameter "streams", expected one of stream, outcome, /],
    ['__proto__=1', /^unknown parameter/],
    ['text=a&text=b', /^text may be given once$/],
    [`text=${'x'.repeat(TAIL_LIMITS.filterChars + 1)}`, /^text is too long$/],
    [
      Array.from({ length: TAIL_LIMITS.filterValues + 1 }, () => 'code=schema').join('&'),
      /^too many filters$/,
    ],
    ['stream=%1b%5b2J', /^unknown stream "\\u001b\[2J"/],
  ];
  for (const [query, expected] of cases) {
    const message = parse(query);
    assert.equal(typeof message, 'string', query);
    assert.match(message as string, expected);
  }
});

test('an event matches if it has one value of each part', () => {
  const facts = {
    stream: 'clicks',
    outcome: 'rejected',
    code: 'schema',
    identity: 'web',
  } as const;
  const matching: TailFilter[] = [
    {},
    { stream: ['orders', 'clicks'] },
    { outcome: ['rejected'], code: ['too_large', 'schema'], identity: ['web'] },
  ];
  for (const filter of matching) assert(matchesFacts(filter, facts), JSON.stringify(filter));
  const others: TailFilter[] = [
    { stream: ['orders'] },
    { outcome: ['accepted'] },
    { code: ['too_large'] },
    { identity: [''] },
    { stream: ['clicks'], identity: ['app'] },
  ];
  for (const filter of others) assert(!matchesFacts(filter, facts), JSON.stringify(filter));
  assert(!matchesFacts({ code: ['schema'] }, { ...facts, code: undefined }));
});
