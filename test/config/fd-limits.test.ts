import assert from 'node:assert/strict';
import { test } from 'node:test';
import { connectionBounds, openFilesMax } from '../../src/config/fd-limits.ts';

test('the hard limit applies, if any', () => {
  const lines = (hard: string) => `Max open files            1024   ${hard}         files     \n`;
  assert.deepEqual(
    [openFilesMax(lines('20000')), openFilesMax(lines('unlimited'))],
    [20_000, Number.POSITIVE_INFINITY],
  );
  assert(openFilesMax() > 0);
});

test('a worker reserves a tenth of its files, at least 64, from WebSockets, most of these from all', () => {
  const bounds = [128, 512, 10_000].map((files) => connectionBounds(20_000, files));
  assert.deepEqual(
    bounds.map(({ webSockets, all }) => [webSockets, all]),
    [
      [64, 80],
      [448, 464],
      [9_000, 9_250],
    ],
  );
  const { webSockets, all } = connectionBounds(7, Number.POSITIVE_INFINITY);
  assert.deepEqual([webSockets, all], [7, Number.POSITIVE_INFINITY]);
  assert.equal(connectionBounds(20_000, 10).webSockets, 1);
});
