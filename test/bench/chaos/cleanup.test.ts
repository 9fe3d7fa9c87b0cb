import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Ends } from '../../../bench/chaos/cleanup.ts';

test('what was begun last is ended first, and one that fails keeps no other from ending', async () => {
  const ends = new Ends();
  const ended: string[] = [];
  ends.after(() => ended.push('first'));
  ends.after(async () => {
    throw new Error('stuck');
  });
  ends.after(() => ended.push('last'));
  await assert.rejects(ends.end(), /^Error: stuck$/);
  assert.deepEqual(ended, ['last', 'first']);
  await ends.end();
  assert.deepEqual(ended, ['last', 'first']);
});
