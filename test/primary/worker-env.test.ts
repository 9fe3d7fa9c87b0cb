import assert from 'node:assert/strict';
import { test } from 'node:test';
import { workerEnvironment } from '../../src/primary/worker-env.ts';

test('workers lack secrets of the primary', () => {
  const environment = workerEnvironment({ maxRssBytes: 0 });
  assert('FOREBAY_ADMIN_TOKEN' in environment);
  assert(Object.values(environment).every((value) => value === undefined));
});

test('with a memory limit the C heap returns blocks, and leaves half of all mappings to V8', () => {
  const { MALLOC_MMAP_THRESHOLD_: bytes, MALLOC_MMAP_MAX_: blocks } = workerEnvironment({
    maxRssBytes: 300_000_000,
  });
  assert.equal(bytes, '4096');
  // Default of vm.max_map_count in Linux.
  assert(Number(blocks) <= 65_530 / 2 + 1_024, blocks);
});
