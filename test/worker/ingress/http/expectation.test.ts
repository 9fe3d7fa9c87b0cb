import assert from 'node:assert/strict';
import { test } from 'node:test';
import { expectationOf } from '../../../../src/worker/ingress/http/expectation.ts';
import type { HttpRequest } from '../../../../src/worker/ingress/transport/transport.ts';

/** A request with an `Expect` header for each value. */
function expecting(...values: string[]): HttpRequest {
  return {
    getCaseSensitiveMethod: () => 'POST',
    getUrl: () => '/events',
    getQuery: () => '',
    getHeader: (name) => (name === 'expect' ? (values[0] ?? '') : ''),
    forEach: (visit) => {
      visit('host', '100-continue');
      for (const value of values) visit('expect', value);
    },
  };
}

test('100-continue is recognized in any letter case, once or more', () => {
  for (const values of [
    ['100-continue'],
    ['100-Continue'],
    ['100-CONTINUE'],
    [' 100-continue\t'],
    ['100-continue,100-Continue'],
    [',100-continue,'],
    ['100-Continue', '100-continue'],
    ['100-continue', ''],
    ['', '100-Continue'],
    ['', ',', '100-continue'],
  ]) {
    assert.equal(expectationOf(expecting(...values)), 'continue', values.join('|'));
  }
});

test('no header, an empty one and an empty list mean no expectation', () => {
  for (const values of [[], [''], [','], [' , '], ['', '']]) {
    assert.equal(expectationOf(expecting(...values)), 'none', values.join('|'));
  }
});

test('anything else is unknown, also together with 100-continue', () => {
  for (const values of [
    ['x'],
    ['100'],
    ['100-continue=1'],
    ['100-continue;q=1'],
    ['100-continue x'],
    ['100-continue, x'],
    ['100-continue', 'x'],
    ['x', '100-continue'],
    ['', 'x'],
    ['', '100-continue', 'x'],
  ]) {
    assert.equal(expectationOf(expecting(...values)), 'unknown', values.join('|'));
  }
});
