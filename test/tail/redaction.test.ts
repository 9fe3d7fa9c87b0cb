import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TAIL_LIMITS } from '../../src/tail/limits.ts';
import { type Redaction, shownKey, shownValue } from '../../src/tail/redaction.ts';

const EVENT = {
  name: 'Ada',
  user: { email: 'ada@example.com', age: 36, tags: ['a', 'b'] },
  items: [
    { note: 'gift', price: 1.5 },
    { note: null, price: 2 },
  ],
  'a.b': 'dotted',
  ok: true,
};
/** The shown event without its prototype-less objects. */
const shown = (value: unknown, redaction: Redaction, bytes?: number) => {
  const result = shownValue(value, redaction, bytes);
  return { ...result, value: JSON.parse(JSON.stringify(result.value)) };
};

test('by default no value is shown, only types: neither at the top nor anywhere below', () => {
  const { value, redacted, isCut } = shown(EVENT, 'all');
  assert.equal(redacted, 'all');
  assert.equal(isCut, false);
  assert.deepEqual(value, {
    name: 'string(3)',
    user: { email: 'string(15)', age: 'integer', tags: ['string(1)', 'string(1)'] },
    items: [
      { note: 'string(4)', price: 'number' },
      { note: 'null', price: 'integer' },
    ],
    'a.b': 'string(6)',
    ok: 'boolean',
  });
  for (const secret of ['Ada', 'ada@', '36', 'gift', '1.5', 'dotted', 'true']) {
    assert(!JSON.stringify(value).includes(secret), secret);
  }
});

test('without redaction every value is shown', () => {
  assert.deepEqual(shown(EVENT, 'none'), { value: EVENT, redacted: [], isCut: false });
});

test('a field is hidden with all that is in it, in each item of an array, and by * for any name', () => {
  const hidden = (...paths: string[][]) => shown(EVENT, paths).redacted;
  assert.deepEqual(hidden(['name']), ['/name']);
  assert.deepEqual(hidden(['user']), ['/user/email', '/user/age', '/user/tags/0', '/user/tags/1']);
  assert.deepEqual(hidden(['items', 'note']), ['/items/0/note', '/items/1/note']);
  assert.deepEqual(hidden(['*', 'email'], ['user', 'tags']), [
    '/user/email',
    '/user/tags/0',
    '/user/tags/1',
  ]);
  assert.deepEqual(hidden(['email'], ['user', 'name'], ['nothing']), [], 'paths begin at the top');
});

test('a name with dots is hidden by its spelling, and so is the path with that spelling', () => {
  const paths = [['a', 'b']];
  assert.deepEqual(shown({ 'a.b': 1, a: { b: 2, c: 3 } }, paths).redacted, ['/a.b', '/a/b']);
});

test('names that objects inherit or pointers escape are names like any other', () => {
  const event = JSON.parse('{"__proto__":{"x":"secret"},"a/b~c":"secret"}');
  const { value, redacted } = shownValue(event, [['__proto__', 'x'], ['a/b~c']]);
  assert.equal(JSON.stringify(value), '{"__proto__":{"x":"string(6)"},"a/b~c":"string(6)"}');
  assert.deepEqual(redacted, ['/__proto__/x', '/a~1b~0c']);
});

test('the size and depth are bounded, whatever the event', () => {
  const wide = Object.fromEntries(Array.from({ length: 10_000 }, (_, i) => [`field ${i}`, i]));
  let deep: unknown = 'bottom';
  for (let level = 0; level < 900; level++) deep = level % 2 === 0 ? [deep] : { deep };
  const long = { text: '\u0001ü'.repeat(50_000) };
  const name = { ['n'.repeat(100_000)]: 1 };
  const array = Array.from({ length: 100_000 }, () => [[]]);
  for (const redaction of ['all', 'none', [['field 1'], ['deep']]] as const) {
    for (const value of [wide, deep, long, name, array]) {
      const result = shownValue(value, redaction);
      const bytes = Buffer.byteLength(JSON.stringify([result.value, result.redacted]));
      assert(bytes <= TAIL_LIMITS.eventBytes + 100, `${bytes} bytes`);
      assert.equal(result.isCut, value !== long || redaction !== 'all');
    }
  }
});

test('a key is hidden if any of its fields is', () => {
  const key = 'ada|36';
  const fields = [['user', 'name'], ['age']];
  assert.equal(shownKey(key, fields, 'all'), 'string(6)');
  assert.equal(shownKey(key, fields, 'none'), key);
  assert.equal(shownKey(key, fields, [['other'], ['user', 'email']]), key);
  for (const path of [['age'], ['user'], ['*', 'name'], ['user', 'name']]) {
    assert.equal(shownKey(key, fields, [path]), 'string(6)', path.join('.'));
  }
  assert.equal(shownKey('k'.repeat(1_000), fields, 'none').length, TAIL_LIMITS.keyChars);
});
