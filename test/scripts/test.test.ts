import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';

test('test files that are not there are named in a line, and none of the others runs', () => {
  const files = ['test/none.test.ts', 'test/called-as.test.ts', 'test/no.test.ts'];
  const args = ['--import', 'tsx', 'scripts/test.ts', ...files];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  assert.equal(stderr, 'test: there is no test/none.test.ts, no test/no.test.ts\n');
  assert.deepEqual([status, stdout], [2, '']);
});
