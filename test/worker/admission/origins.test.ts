import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Origins } from '../../../src/worker/admission/origins.ts';

const HOST = 'gateway.example';
const SAME = 'https://gateway.example';
const LISTED = 'https://app.example';

/** Of all kinds of origins those that pass. */
function passing(listed: readonly string[] | undefined): string[] {
  const kinds = ['', SAME, LISTED, 'https://evil.example', 'null', 'capacitor://localhost'];
  const origins = new Origins(listed);
  return kinds.filter((origin) => origins.allows(origin, HOST));
}

test('by default pages of the same host, and who is no browser', () => {
  assert.deepEqual(passing(undefined), ['', SAME]);
});

test('a list is exact: the same host is not on it by itself', () => {
  assert.deepEqual(passing([LISTED]), ['', LISTED]);
  assert.deepEqual(passing([LISTED, SAME]), ['', SAME, LISTED]);
  assert.deepEqual(passing(['capacitor://localhost']), ['', 'capacitor://localhost']);
});

test('* lets every page in, null too', () => {
  assert.equal(passing(['*']).length, 6);
});

test('nothing like a listed origin passes', () => {
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
