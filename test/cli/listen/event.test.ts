import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fieldAt } from '../../../src/cli/listen/event.ts';

test('a path leads into objects and arrays', () => {
  const event = { user: { name: 'Ann', tags: ['x', { y: 2 }] }, none: null };
  assert.equal(fieldAt(event, 'user.name'), 'Ann');
  assert.equal(fieldAt(event, 'user.tags.0'), 'x');
  assert.equal(fieldAt(event, 'user.tags.1.y'), 2);
  assert.equal(fieldAt(event, 'none'), null);
  for (const path of ['name', 'user.age', 'user.name.x', 'none.x', 'user.', '.user', '']) {
    assert.equal(fieldAt(event, path), undefined, path);
  }
});

test('a field whose own name has dots is found, at every depth', () => {
  const event = { 'a.b': 1, a: { b: 2, 'c.d': { e: 3 } } };
  assert.equal(fieldAt(event, 'a.b'), 1);
  assert.equal(fieldAt(event, 'a.c.d.e'), 3);
});

test('fields of the prototype are not found', () => {
  assert.equal(fieldAt({ a: {} }, 'toString'), undefined);
  assert.equal(fieldAt({ a: {} }, 'a.constructor.name'), undefined);
  assert.equal(fieldAt(JSON.parse('{"__proto__":{"x":1}}'), '__proto__.x'), 1);
});
