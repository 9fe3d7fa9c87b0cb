import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mirrorOf } from '../../../scripts/platforms/debian-root.ts';

test('the mirror is that of the main archive, not that of another vendor or of updates', () => {
  const targets = [
    'https://vendor.example/apt/ bookworm stable',
    'https://tools.example/apt/ tools-bookworm main',
    'http://mirror.example/debian-security/ bookworm-security main',
    'http://mirror.example/debian/ bookworm-updates main',
    'http://mirror.example/debian/ bookworm main',
    '',
  ].join('\n');
  assert.equal(mirrorOf(targets, 'bookworm'), 'http://mirror.example/debian/');
  assert.equal(mirrorOf(targets, 'trixie'), undefined);
  assert.equal(mirrorOf('', 'bookworm'), undefined);
});
