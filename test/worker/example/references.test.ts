import assert from 'node:assert/strict';
import { test } from 'node:test';
import { References } from '../../../src/worker/example/references.ts';

const follow = (root: object, $ref: string) => new References({ ...root }).follow({ $ref });

test('a pointer does not reach inherited properties', () => {
  const inner = { type: 'string' };
  for (const $ref of ['#/__proto__', '#/properties/__proto__', '#/constructor', '#/none/x']) {
    assert.equal(follow({ properties: { a: inner } }, $ref), undefined, $ref);
  }
  assert.equal(follow({ properties: { a: inner } }, '#/properties/a'), inner);
  const own = JSON.parse('{"$defs":{"__proto__":{"type":"null"}}}');
  assert.deepEqual(follow(own, '#/$defs/__proto__'), { type: 'null' });
});

test('a pointer can have URI and pointer escapes, and array indices', () => {
  const target = { minimum: 1 };
  const root = { allOf: [true, target], $defs: { 'a/b~c d': target, '100%': target } };
  for (const $ref of ['#/allOf/1', '#/$defs/a~1b~0c%20d', '#/$defs/100%']) {
    assert.equal(follow(root, $ref), target, $ref);
  }
  assert.equal(follow(root, '#/allOf/0'), true);
});
