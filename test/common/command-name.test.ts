import assert from 'node:assert/strict';
import { test } from 'node:test';
import { calledAs } from '../../src/common/command-name.ts';

test('a clone is called by Node, with the path from where one is', () => {
  assert.equal(calledAs('/forebay/dist/main.js', '/forebay'), 'node dist/main.js');
  assert.equal(calledAs('/forebay/dist/main.js', '/forebay/docs'), 'node ../dist/main.js');
});

test('installed by npm it has a name', () => {
  assert.equal(calledAs('/app/node_modules/.bin/forebay', '/app'), 'forebay');
});
