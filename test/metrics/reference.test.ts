import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { CATALOGUE } from '../../src/metrics/catalogue.ts';
import { metricsMarkdown } from '../../src/metrics/reference.ts';

test('docs/metrics.md comes from the catalog', () => {
  const page = readFileSync(new URL('../../docs/metrics.md', import.meta.url), 'utf8');
  assert.equal(page, metricsMarkdown(), 'docs/metrics.md is old: run `make docs`');
  for (const { name } of CATALOGUE) assert(page.includes(`| \`${name}\` |`), name);
});
