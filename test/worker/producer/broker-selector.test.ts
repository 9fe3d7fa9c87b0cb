import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BrokerSelector } from '../../../src/worker/producer/broker-selector.ts';

const [A, B, C] = [1, 2, 3].map((port) => ({ host: 'h', port })) as [Port, Port, Port];
type Port = { host: string; port: number };
const NOW_MS = 100_000;

function portsOf(candidates: BrokerSelector, count: number, nowMs = NOW_MS, besides?: Port) {
  const choose = () => candidates.choose([A, B, C, A], besides, nowMs).port;
  return Array.from({ length: count }, choose);
}

test('each in turn, one that is named twice as well', () => {
  assert.deepEqual(portsOf(new BrokerSelector(), 5), [1, 2, 3, 1, 2]);
});

test('besides the one that is asked: another one, unless there is none', () => {
  const candidates = new BrokerSelector();
  assert.deepEqual(portsOf(candidates, 3, NOW_MS, B), [1, 3, 1]);
  assert.equal(candidates.choose([{ ...A }], A, NOW_MS).port, 1);
});

test('one that failed lately comes last, until that is long ago or it has answered', () => {
  const candidates = new BrokerSelector();
  candidates.failed(A, NOW_MS);
  candidates.failed(B, NOW_MS);
  assert.deepEqual(portsOf(candidates, 2, NOW_MS + 9_999), [3, 3]);
  candidates.answered(B);
  assert.deepEqual(portsOf(candidates, 3, NOW_MS + 9_999), [2, 3, 2]);
  assert.deepEqual(portsOf(candidates, 3, NOW_MS + 10_000), [3, 1, 2]);
});

test('when all failed lately, the one whose failure is the longest ago', () => {
  const candidates = new BrokerSelector();
  candidates.failed(B, NOW_MS);
  candidates.failed(A, NOW_MS + 1);
  candidates.failed(C, NOW_MS + 2);
  assert.deepEqual(portsOf(candidates, 1, NOW_MS + 3), [2]);
});
