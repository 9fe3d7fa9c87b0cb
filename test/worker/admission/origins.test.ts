import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Origins } from '../../../src/worker/admission/origins.ts';

const HOST = 'gateway.example';
const SAME = 'https://gateway.example';
const LISTED = 'https://app.example';
const sameHost = new Origins(undefined);

/** Returns the accepted ones among all kinds of origins. */
function passing(listed: readonly string[] | undefined): string[] {
  const kinds = ['', SAME, LISTED, 'https://evil.example', 'null', 'capacitor://localhost'];
  const origins = new Origins(listed);
  return kinds.filter((origin) => origins.allows(origin, HOST));
}

test('by default, pages of the same host and non-browsers are accepted', () => {
  assert.deepEqual(passing(undefined), ['', SAME]);
  assert(sameHost.allows('', ''), 'a request without Origin and Host');
});

test('by default, pages of the same host are accepted in any spelling', () => {
  for (const [origin, host] of [
    ['http://localhost:9000', 'localhost:9000'],
    ['https://gateway.example', 'gateway.example'],
    ['https://gateway.example', 'gateway.example:443'],
    ['http://gateway.example:80', 'gateway.example'],
    ['https://Gateway.Example', 'gateway.EXAMPLE'],
    ['http://[::1]:9000', '[::1]:9000'],
  ] as const) {
    assert.equal(sameHost.allows(origin, host), true, `${origin} at ${host}`);
  }
});

test('by default, pages of any other host are rejected in any spelling', () => {
  for (const [origin, host] of [
    ['http://evil.example', 'gateway.example'],
    ['http://localhost:9001', 'localhost:9000'],
    ['http://localhost', 'localhost:9000'],
    ['http://gateway.example:443', 'gateway.example'],
    ['http://gateway.example.evil.example', 'gateway.example'],
    ['http://gateway.example@evil.example', 'gateway.example'],
    ['null', 'gateway.example'],
    ['null', ''],
    ['file://', ''],
    ['file://', 'gateway.example'],
    ['data:text/html,x', 'gateway.example'],
    ['not an origin', 'gateway.example'],
    ['http://gateway.example', ''],
    ['http://gateway.example', 'gateway.example:port'],
  ] as const) {
    assert.equal(sameHost.allows(origin, host), false, `${origin} at ${host}`);
  }
});

test('a list is exact: it does not include the same host', () => {
  assert.deepEqual(passing([LISTED]), ['', LISTED]);
  assert.deepEqual(passing([LISTED, SAME]), ['', SAME, LISTED]);
  assert.deepEqual(passing(['capacitor://localhost']), ['', 'capacitor://localhost']);
});

test('* accepts every page, including null', () => {
  assert.equal(passing(['*']).length, 6);
});

test('nothing similar to a listed origin is accepted', () => {
  const origins = new Origins([LISTED]);
  for (const origin of [
    'http://app.example',
    'https://app.example:444',
    'https://app.example.evil.example',
    'https://xapp.example',
    'https://app.example/',
    'https://APP.example',
    'https://app.example https://evil.example',
    '*',
  ]) {
    assert.equal(origins.allows(origin, HOST), false, origin);
  }
});

test('only an origin listed by name is trusted as named, whatever else accepts it', () => {
  const listed = new Origins([LISTED]);
  assert.equal(listed.trustOf(LISTED, HOST), 'named');
  assert.equal(listed.trustOf(SAME, HOST), 'none');
  assert.equal(listed.trustOf('', HOST), 'allowed');
  assert.equal(sameHost.trustOf(SAME, HOST), 'allowed');
  const every = new Origins(['*']);
  for (const origin of [LISTED, SAME, '*', 'null', '']) {
    assert.equal(every.trustOf(origin, HOST), 'allowed', origin);
  }
});
