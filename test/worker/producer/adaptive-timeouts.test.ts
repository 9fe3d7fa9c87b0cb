import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  AdaptiveTimeouts,
  BASE_TIMEOUTS,
  REQUEST_MS_MAX,
  type Timeouts,
} from '../../../src/worker/producer/adaptive-timeouts.ts';

const FACTORS = [1, 2, 4, 7.5, 7.5, 7.5];

function factorOf({ ackTimeoutMs, ...times }: Timeouts): number {
  const factor = ackTimeoutMs / BASE_TIMEOUTS.ackTimeoutMs;
  for (const [name, ms] of Object.entries(times)) {
    assert.equal(ms, BASE_TIMEOUTS[name as keyof Timeouts] * factor, `${name} keeps its ratio`);
  }
  return factor;
}

test('timeouts double with each consecutive timeout, up to a request of 30 s', () => {
  const timeouts = new AdaptiveTimeouts();
  for (const factor of FACTORS) {
    assert.equal(factorOf(timeouts.current), factor);
    timeouts.timedOut();
  }
  assert.equal(REQUEST_MS_MAX, 30_000);
  assert.equal(timeouts.current.requestMs, REQUEST_MS_MAX);
});

test('a response in time resets the timeouts and the count', () => {
  const timeouts = new AdaptiveTimeouts();
  for (let round = 0; round < 2; round++) {
    for (let count = 0; count < 3; count++) timeouts.timedOut();
    timeouts.inTime();
    assert.equal(factorOf(timeouts.current), 1);
    timeouts.timedOut();
    assert.equal(factorOf(timeouts.current), 2);
    timeouts.inTime();
  }
});

test('the timeouts stay in order at every factor', () => {
  const timeouts = new AdaptiveTimeouts();
  for (const _ of FACTORS) {
    const { ackTimeoutMs, guardMs, requestMs, handshakeMs, connectMs } = timeouts.current;
    assert(ackTimeoutMs < guardMs && guardMs < requestMs && requestMs <= REQUEST_MS_MAX);
    assert(handshakeMs < connectMs);
    assert(Number.isInteger(ackTimeoutMs), 'as the protocol requires');
    timeouts.timedOut();
  }
});
