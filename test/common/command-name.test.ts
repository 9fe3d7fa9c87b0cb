import assert from 'node:assert/strict';
import { test } from 'node:test';
import { commandName } from '../../src/common/command-name.ts';

test('in a clone: Node.js with the relative path', () => {
  assert.equal(commandName('/forebay/dist/main.js', '/forebay'), 'node dist/main.js');
  assert.equal(commandName('/forebay/dist/main.js', '/forebay/docs'), 'node ../dist/main.js');
  assert.equal(commandName('/my apps/dist/main.js', '/srv'), 'node "../my apps/dist/main.js"');
});

test('installed by npm: its name', () => {
  assert.equal(commandName('/app/node_modules/.bin/forebay', '/app'), 'forebay');
});
