import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  Patience,
  REQUEST_MS_MAX,
  TIMES,
  type Times,
} from '../../../src/worker/producer/adaptive-timeouts.ts';

const FACTORS = [1, 2, 4, 7.5, 7.5, 7.5];

function factorOf({ ackTimeoutMs, ...times }: Times): number {
  const factor = ackTimeoutMs / TIMES.ackTimeoutMs;
  for (const [name, ms] of Object.entries(times)) {
    assert.equal(ms, TIMES[name as keyof Times] * factor, `${name} keeps its ratio`);
  }
  return factor;
}

test('all times double with each time-out in a row, to a request of 30 s at the most', () => {
  const patience = new Patience();
  for (const factor of FACTORS) {
    assert.equal(factorOf(patience.times), factor);
    patience.timedOut();
  }
  assert.equal(REQUEST_MS_MAX, 30_000);
  assert.equal(patience.times.requestMs, REQUEST_MS_MAX);
});

test('what comes in time brings the first ones back, and the row begins anew', () => {
  const patience = new Patience();
  for (let round = 0; round < 2; round++) {
    for (let count = 0; count < 3; count++) patience.timedOut();
    patience.inTime();
    assert.equal(factorOf(patience.times), 1);
    patience.timedOut();
    assert.equal(factorOf(patience.times), 2);
    patience.inTime();
  }
});

test('the times stand in the order that they need, however patient', () => {
  const patience = new Patience();
  for (const _ of FACTORS) {
    const { ackTimeoutMs, guardMs, requestMs, handshakeMs, connectMs } = patience.times;
    assert(ackTimeoutMs < guardMs && guardMs < requestMs && requestMs <= REQUEST_MS_MAX);
    assert(handshakeMs < connectMs);
    assert(Number.isInteger(ackTimeoutMs), 'as the protocol has it');
    patience.timedOut();
  }
});
