import assert from 'node:assert/strict';
import { test } from 'node:test';
import { resentBody, resentEvents } from '../../../src/worker/ingress/declared-repeats.ts';
import { requestOf } from '../../support/request.ts';

test('resent of a handshake is one decimal number of events', () => {
  const resentOf = (query: string) => resentEvents(requestOf([], `/ws${query}`));
  for (const [query, events] of [
    ['', 0],
    ['?', 0],
    ['?other=1', 0],
    ['?Resent=5', 0],
    ['?resent=0', 0],
    ['?resent=17', 17],
    ['?token=x&resent=17', 17],
    ['?resent=007', 7],
    ['?resent=999999999999999', 999_999_999_999_999],
    // Percent-encoding does not change the meaning of a query.
    ['?resent=%31', 1],
    ['?res%65nt=12', 12],
  ] as const) {
    assert.equal(resentOf(query), events, query);
  }
  for (const value of [
    '',
    '-1',
    '+1',
    '1.0',
    '1e3',
    '0x1',
    ' 1',
    '1,2',
    'x',
    '%',
    '%zz',
    '%00',
    '１',
    '1'.repeat(16),
    '9'.repeat(10_000),
  ]) {
    assert.equal(resentOf(`?resent=${value}`), undefined, value);
  }
  assert.equal(resentOf('?resent'), undefined);
  assert.equal(resentOf('?resent=1&resent=1'), undefined);
  assert.equal(resentOf('?resent=1&res%65nt=2'), undefined);
});

test('resent of a body is one 0 or 1, by header or query', () => {
  const resentOf = (values: readonly string[], query = '') => {
    const lines = values.map((value) => ['Forebay-Resent', value] as const);
    return resentBody(requestOf(lines, `/events${query}`));
  };
  assert.equal(resentOf([]), 0);
  assert.equal(resentOf(['0']), 0);
  assert.equal(resentOf(['']), 0);
  assert.equal(resentOf(['1']), Number.POSITIVE_INFINITY);
  assert.equal(resentOf([], '?resent=1'), Number.POSITIVE_INFINITY);
  assert.equal(resentOf([], '?resent=%31'), Number.POSITIVE_INFINITY);
  assert.equal(resentOf([], '?resent=0'), 0);
  // Marked, if in doubt.
  assert.equal(resentOf(['0'], '?resent=1'), Number.POSITIVE_INFINITY);
  assert.equal(resentOf(['1'], '?resent=0'), Number.POSITIVE_INFINITY);
  for (const value of ['2', '01', 'true', '1, 1', '0,1', '1'.repeat(10_000), '%31']) {
    assert.equal(resentOf([value]), undefined, value);
  }
  assert.equal(resentOf([], '?resent=0&resent=1'), undefined);
  assert.equal(resentOf(['1'], '?resent=2'), undefined);
  assert.equal(resentOf(['x'], '?resent=1'), undefined);
});
