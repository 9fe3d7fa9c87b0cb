import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LIMITS } from '../src/limits.ts';
import { connectionsMax, openFilesMax } from '../src/open-files.ts';

test('the hard limit counts, and there may be none', () => {
  const lines = (hard: string) => `Max open files            1024   ${hard}         files     \n`;
  assert.deepEqual(
    [openFilesMax(lines('20000')), openFilesMax(lines('unlimited'))],
    [20_000, Number.POSITIVE_INFINITY],
  );
  assert(openFilesMax() > 0);
});

test('a worker keeps a tenth of its files, at least 64, for others than WebSockets', () => {
  assert.deepEqual(
    [128, 512, 10_000].map((files) => connectionsMax(files)),
    [64, 448, 9_000],
  );
  assert.equal(connectionsMax(Number.POSITIVE_INFINITY), LIMITS.connections);
  assert.equal(connectionsMax(10), 1);
});
