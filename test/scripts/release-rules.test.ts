import assert from 'node:assert/strict';
import { test } from 'node:test';
import { refusals } from '../../scripts/release-rules.ts';

const CHANGELOG = `# Changelog

## Unreleased

* Something.

## 1.2.0 – 2026-11-25

* Something else.

## 1.1.0 – 2026-10-01

## 1.0.0

* No date.
`;
const clean = { status: '', changelog: CHANGELOG };

test('a clean tree and a section of the version allow a release', () => {
  assert.deepEqual(refusals({ ...clean, version: '1.2.0' }), []);
});

test('uncommitted changes, or no dated section with content, prevent a release', () => {
  const missing = (version: string) => `CHANGELOG.md has no section "## ${version} – YYYY-MM-DD"`;
  const dirty = refusals({ ...clean, version: '1.2.0', status: ' M src/main.ts' });
  assert.deepEqual(dirty, ['there are uncommitted changes']);
  for (const version of ['1.2', '1.2.1', '1.0.0', 'Unreleased', '']) {
    assert.deepEqual(refusals({ ...clean, version }), [missing(version)]);
  }
  const empty = refusals({ ...clean, version: '1.1.0' });
  assert.deepEqual(empty, ['CHANGELOG.md says nothing about 1.1.0']);
});
