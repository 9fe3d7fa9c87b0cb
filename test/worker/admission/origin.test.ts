import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isSameHost } from '../../../src/worker/admission/origin.ts';

test('pages of the same host may connect', () => {
  for (const [origin, host] of [
    ['http://localhost:9000', 'localhost:9000'],
    ['https://gateway.example', 'gateway.example'],
    ['https://gateway.example', 'gateway.example:443'],
    ['http://gateway.example:80', 'gateway.example'],
    ['https://Gateway.Example', 'gateway.EXAMPLE'],
    ['http://[::1]:9000', '[::1]:9000'],
  ] as const) {
    assert.equal(isSameHost(origin, host), true, `${origin} at ${host}`);
  }
});

test('pages of any other host may not, and no trick makes them the same', () => {
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
    assert.equal(isSameHost(origin, host), false, `${origin} at ${host}`);
  }
});

test('without an Origin it is not a browser', () => {
  assert.equal(isSameHost('', 'gateway.example'), true);
  assert.equal(isSameHost('', ''), true);
});
