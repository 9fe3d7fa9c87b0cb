import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isEvidentlyLinear, patternsIn } from '../../src/schemas/patterns.ts';
import { compileSchema } from '../../src/worker/intake/compile-schema.ts';

test('patterns are found wherever they apply, with the limit of their texts', () => {
  const { schemas } = compileSchema(
    JSON.stringify({
      properties: { a: { pattern: 'p', maxLength: 3 }, pattern: { type: 'string' } },
      patternProperties: { '^x/': { items: [{ pattern: 'q' }] } },
      propertyNames: { maxLength: 9 },
      definitions: { d: { not: { pattern: 'r' } } },
      'x-more': { t: { pattern: 's' } },
      additionalProperties: { $ref: '#/x-more/t' },
      enum: [{ pattern: 'a value' }],
    }),
  );
  const found = patternsIn(schemas).map(({ pointer, source, maxLength }) => [
    pointer,
    source,
    maxLength,
  ]);
  assert.deepEqual(
    new Set(found),
    new Set([
      ['/patternProperties/^x~1', '^x/', 9],
      ['/properties/a/pattern', 'p', 3],
      ['/patternProperties/^x~1/items/0/pattern', 'q', undefined],
      ['/definitions/d/not/pattern', 'r', undefined],
      ['/x-more/t/pattern', 's', undefined],
    ]),
  );
});

test('only expressions that repeat one atom after ^, or none, are evidently linear', () => {
  const linear = [
    '^[a-z0-9_-]{1,64}$',
    '^\\d+$',
    '^\\p{L}*$',
    '^https:',
    'abc',
    '^.*',
    '^[0-9a-f]{8}-[0-9a-f]{4}$',
    '^[^\\]]+\\]$',
    '^a\\$',
    '',
  ];
  const others = [
    '^(a+)+$',
    'a+b',
    '^a+b+$',
    '^a+?a*$',
    '^(a|a)b$',
    '^a|b*$',
    '^(?=a)b',
    '\\s+$',
    '^(a)\\1$',
    '^\\k<a>$',
    'a{2,}',
    '^[a-z]+[a-z]+$',
    '(',
    '^a**',
  ];
  assert.deepEqual(
    linear.filter((source) => !isEvidentlyLinear(source)),
    [],
  );
  assert.deepEqual(others.filter(isEvidentlyLinear), []);
});
