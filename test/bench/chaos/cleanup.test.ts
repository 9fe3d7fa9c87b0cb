import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Cleanup } from '../../../bench/chaos/cleanup.ts';

test('cleanup runs in reverse order, and a failure does not stop it', async () => {
  const cleanup = new Cleanup();
  const ended: string[] = [];
  cleanup.after(() => ended.push('first'));
  cleanup.after(async () => {
    throw new Error('stuck');
  });
  cleanup.after(() => ended.push('last'));
  await assert.rejects(cleanup.end(), /^Error: stuck$/);
  assert.deepEqual(ended, ['last', 'first']);
  await cleanup.end();
  assert.deepEqual(ended, ['last', 'first']);
});
