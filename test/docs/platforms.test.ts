/** docs/platforms.md lists the differences that the transport suite expects. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { DIFFERENCES } from '../fixtures/transport-differences.ts';

const page = readFileSync(new URL('../../docs/platforms.md', import.meta.url), 'utf8');

test('the table of differences is the one of the transport suite', () => {
  const [, section = ''] = page.split('## Differences');
  const [, , ...rows] = section.split('\n').filter((line) => line.startsWith('|'));
  const expected = Object.values(DIFFERENCES).map(
    ({ input, uws, node }) => `| ${input} | ${uws} | ${node} |`,
  );
  assert.deepEqual(rows, expected);
});
