import assert from 'node:assert/strict';
import { test } from 'node:test';
import { commandName } from '../../src/common/command-name.ts';

test('a clone is called by Node, with the path from where one is', () => {
  assert.equal(commandName('/forebay/dist/main.js', '/forebay'), 'node dist/main.js');
  assert.equal(commandName('/forebay/dist/main.js', '/forebay/docs'), 'node ../dist/main.js');
});

test('installed by npm it has a name', () => {
  assert.equal(commandName('/app/node_modules/.bin/forebay', '/app'), 'forebay');
});
