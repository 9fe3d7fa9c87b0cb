import assert from 'node:assert/strict';
import { test } from 'node:test';
import { connectionBounds, openFilesMax } from '../../src/config/fd-limits.ts';

test('the hard limit applies, if any', () => {
  const limit = (hard: string) =>
    openFilesMax(() => `Max open files            1024   ${hard}         files     \n`);
  assert.deepEqual([limit('20000'), limit('unlimited')], [20_000, Number.POSITIVE_INFINITY]);
  assert(openFilesMax() > 0);
});

test('without /proc, the limit of the diagnostic report applies, if it has one', () => {
  const missing = () => {
    throw new Error('ENOENT');
  };
  const reported = openFilesMax(missing);
  assert(reported > 0 && reported <= openFilesMax(), `${reported}`);
  for (const [soft, expected] of [
    [10_240, 10_240],
    ['unlimited', Number.POSITIVE_INFINITY],
    [undefined, Number.POSITIVE_INFINITY],
  ] as const) {
    assert.equal(
      openFilesMax(missing, () => soft),
      expected,
    );
  }
  assert.equal(openFilesMax(missing, missing), Number.POSITIVE_INFINITY);
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
