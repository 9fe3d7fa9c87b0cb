import assert from 'node:assert/strict';
import { test } from 'node:test';
import { clockResult } from '../../../src/cli/doctor/clock.ts';

test('clocks more than a second apart are a warning, unless the round trip explains it', () => {
  const result = (aheadMs: number, toleranceMs: number) => {
    const { status, detail } = clockResult(3, aheadMs, toleranceMs);
    return `${status}: ${detail}`;
  };
  assert.equal(result(-999.6, 2), 'ok: broker 3: 1000 ms apart from this machine (± 2 ms)');
  assert.equal(result(1_400, 500), 'ok: broker 3: 1400 ms apart from this machine (± 500 ms)');
  assert.equal(result(5_000, 2), 'warn: broker 3 is 5000 ms ahead of this machine (± 2 ms)');
  assert.equal(result(-5_000, 2), 'warn: broker 3 is 5000 ms behind this machine (± 2 ms)');
});
