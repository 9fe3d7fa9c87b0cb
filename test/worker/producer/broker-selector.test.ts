import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BrokerSelector } from '../../../src/worker/producer/broker-selector.ts';

const [A, B, C] = [1, 2, 3].map((port) => ({ host: 'h', port })) as [Port, Port, Port];
type Port = { host: string; port: number };
const NOW_MS = 100_000;

function portsOf(selector: BrokerSelector, count: number, nowMs = NOW_MS, except?: Port) {
  const choose = () => selector.choose([A, B, C, A], except, nowMs).port;
  return Array.from({ length: count }, choose);
}

test('brokers are selected round-robin, also with duplicates', () => {
  assert.deepEqual(portsOf(new BrokerSelector(), 5), [1, 2, 3, 1, 2]);
});

test('another broker than the current one, unless there is none', () => {
  const selector = new BrokerSelector();
  assert.deepEqual(portsOf(selector, 3, NOW_MS, B), [1, 3, 1]);
  assert.equal(selector.choose([{ ...A }], A, NOW_MS).port, 1);
});

test('a broker that failed recently comes last, until it expires or responds', () => {
  const selector = new BrokerSelector();
  selector.failed(A, NOW_MS);
  selector.failed(B, NOW_MS);
  assert.deepEqual(portsOf(selector, 2, NOW_MS + 9_999), [3, 3]);
  selector.answered(B);
  assert.deepEqual(portsOf(selector, 3, NOW_MS + 9_999), [2, 3, 2]);
  assert.deepEqual(portsOf(selector, 3, NOW_MS + 10_000), [3, 1, 2]);
});

test('if all failed recently, the oldest failure comes first', () => {
  const selector = new BrokerSelector();
  selector.failed(B, NOW_MS);
  selector.failed(A, NOW_MS + 1);
  selector.failed(C, NOW_MS + 2);
  assert.deepEqual(portsOf(selector, 1, NOW_MS + 3), [2]);
});
