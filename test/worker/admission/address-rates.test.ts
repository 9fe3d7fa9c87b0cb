import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LIMITS } from '../../../src/config/limits.ts';
import { AddressRates } from '../../../src/worker/admission/address-rates.ts';

const RATE = { eventsPerSecond: 10, burst: 10 };
/** From the first of 10 tokens that are taken at 0. */
const FULL_MS = 1_000;

test('each address has one bucket for all its traffic', () => {
  const rates = new AddressRates(RATE);
  const bucket = rates.of('a', 1);
  rates.enter('a', 2);
  assert.equal(rates.of('a', 3), bucket);
  rates.enter('a', 4);
  rates.leave('a', 5);
  assert.equal(rates.of('a', 6), bucket, 'one of two has left');
  rates.leave('a', 7);
  assert.equal(rates.of('a', 8), bucket, 'it has not been full for long');
  assert.notEqual(rates.of('b', 9), bucket);
  assert.throws(() => rates.leave('a'), /only a WebSocket that has entered/);
});

test("the first request of an address creates its bucket, whatever the worker's uptime", () => {
  const rates = new AddressRates(RATE);
  const nowMs = 10 * LIMITS.addressIdleMs;
  const bucket = rates.of('a', nowMs);
  assert.equal(rates.of('a', nowMs), bucket, 'the next request');
  rates.enter('a', nowMs);
  assert.equal(rates.of('a', nowMs), bucket, 'together with a WebSocket');
});

test('a full bucket without a WebSocket is dropped, and no other', () => {
  const rates = new AddressRates(RATE);
  for (let token = 0; token < 10; token++) rates.of('spent', 0).take();
  rates.enter('open', 0);
  const endMs = FULL_MS + LIMITS.addressIdleMs;
  rates.of('a', endMs - 1);
  assert.equal(rates.size, 3);
  rates.of('a', endMs);
  assert.equal(rates.size, 2, 'the spent one is full again');
  rates.leave('open', endMs);
  rates.of('a', endMs + LIMITS.addressIdleMs - 1);
  assert.equal(rates.size, 2);
  rates.of('a', endMs + LIMITS.addressIdleMs);
  assert.equal(rates.size, 1);
});

test('of addresses without WebSockets, the most recently used are kept, up to a bound', () => {
  const rates = new AddressRates(RATE);
  const first = rates.of('first', 0);
  const second = rates.of('second', 0);
  rates.enter('open', 0);
  for (let count = 2; count < LIMITS.addressBuckets; count++) rates.of(`${count}`, 0);
  assert.equal(rates.size, LIMITS.addressBuckets + 1);
  assert.equal(rates.of('first', 0), first, 'it is now the most recently used');
  rates.of('one more', 0);
  assert.equal(rates.size, LIMITS.addressBuckets + 1);
  assert.equal(rates.of('first', 0), first);
  assert.notEqual(rates.of('second', 0), second, 'it was least recently used');
});
