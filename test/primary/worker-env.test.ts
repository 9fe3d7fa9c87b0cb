import assert from 'node:assert/strict';
import { test } from 'node:test';
import { workerEnvironment } from '../../src/primary/worker-env.ts';

test('workers lack secrets of the primary, and know the transport', () => {
  const environment = workerEnvironment({ maxRssBytes: 0 }, 'uws');
  assert('FOREBAY_ADMIN_TOKEN' in environment);
  const given = Object.entries(environment).filter(([, value]) => value !== undefined);
  assert.deepEqual(given, [['FOREBAY_TRANSPORT', 'uws']]);
});

test('with a memory limit the C heap returns blocks, and leaves half of all mappings to V8', () => {
  const { MALLOC_MMAP_THRESHOLD_: bytes, MALLOC_MMAP_MAX_: blocks } = workerEnvironment(
    { maxRssBytes: 300_000_000 },
    'uws',
  );
  assert.equal(bytes, '4096');
  // Default of vm.max_map_count in Linux.
  assert(Number(blocks) <= 65_530 / 2 + 1_024, blocks);
});
