import assert from 'node:assert/strict';
import { test } from 'node:test';
import { residentBytes } from '../../src/worker/resident-memory.ts';

test('resident memory that cannot be read, since no file is left, is unknown', (t) => {
  assert((residentBytes() ?? 0) > 0, 'this process has some');
  const rss = t.mock.method(process.memoryUsage, 'rss', () => {
    throw new Error('EMFILE');
  });
  assert.equal(residentBytes(), undefined);
  assert.equal(rss.mock.callCount(), 1);
});
