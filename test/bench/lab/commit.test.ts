import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { commitOf, knowsSetting } from '../../../bench/lab/commit.ts';
import { StartError } from '../../../src/common/errors.ts';

const HEAD = execFileSync('git', ['rev-parse', 'HEAD'], { encoding: 'utf8' }).trim();

test('a commit is found by anything that git accepts', () => {
  const commit = commitOf('HEAD');
  assert.equal(commit.hash, HEAD);
  assert(HEAD.startsWith(commit.short), commit.short);
  assert.match(commit.date, /^20\d\d-\d\d-\d\d$/);
  assert.deepEqual(commitOf(HEAD.slice(0, 12)), commit);
});

test('anything else is rejected in one line, and never an option of git', () => {
  const other = [
    '',
    ' ',
    'no-such-branch',
    '--all',
    '-n1',
    'HEAD HEAD',
    'HEAD:src',
    '0'.repeat(40),
  ];
  for (const revision of other) {
    assert.throws(
      () => commitOf(revision),
      (error: unknown) => {
        assert(error instanceof StartError, String(error));
        assert.equal(error.exitCode, 2);
        assert.match(error.message, /^COMMIT must be a commit of this repository, not ".*"$/);
        return true;
      },
      JSON.stringify(revision),
    );
  }
});

test('the sources of a commit tell which settings it has', () => {
  const commit = commitOf('HEAD');
  assert.equal(knowsSetting(commit, 'FOREBAY_EVENT_SCHEMA'), true);
  assert.equal(knowsSetting(commit, 'FOREBAY_EVENT_SCHEM'), false, 'a part of a name');
});
