import assert from 'node:assert/strict';
import { test } from 'node:test';
import { residentBytes } from '../../src/worker/resident-memory.ts';

test('resident memory is undefined if no file descriptor is left', (t) => {
  assert((residentBytes() ?? 0) > 0, 'it is read');
  const rss = t.mock.method(process.memoryUsage, 'rss', () => {
    throw new Error('EMFILE');
  });
  assert.equal(residentBytes(), undefined);
  assert.equal(rss.mock.callCount(), 1);
});
