import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JsonObject } from '../../../src/common/json-object.ts';
import { compileSchema, inFile, warningsOf } from '../../../src/worker/intake/compile-schema.ts';

const DRAFT: Readonly<Record<string, string>> = {
  'draft-04': 'http://json-schema.org/draft-04/schema#',
  'draft-06': 'http://json-schema.org/draft-06/schema#',
  'draft-07': 'http://json-schema.org/draft-07/schema#',
  '2019-09': 'https://json-schema.org/draft/2019-09/schema',
  '2020-12': 'https://json-schema.org/draft/2020-12/schema',
};

/** Warnings for a schema. */
function ignored(schema: JsonObject, draft = 'draft-07'): string[] {
  const text = JSON.stringify({ $schema: DRAFT[draft], ...schema });
  const start = inFile('SETTING', 'file', '');
  return warningsOf(compileSchema(text)).ignored.map((line) =>
    inFile('SETTING', 'file', line).slice(start.length),
  );
}

const unknown = (pointer: string, draft = 'draft-07') =>
  `${pointer} is not a keyword of ${draft} and is ignored`;

test('a misspelled keyword is reported with its pointer, in each draft', () => {
  for (const draft of Object.keys(DRAFT)) {
    assert.deepEqual(ignored({ requird: ['msg'] }, draft), [
      `${unknown('/requird', draft)}; did you mean required?`,
    ]);
  }
});

test('typos and letter case suggest a keyword, other words do not', () => {
  const suggested = {
    Required: 'required',
    propertys: 'properties',
    aditionalProperties: 'additionalProperties',
    'min-length': 'minLength',
    maxlength: 'maxLength',
    emum: 'enum',
    patern: 'pattern',
    oneof: 'oneOf',
    formt: 'format',
    descripton: 'description',
  };
  for (const [name, keyword] of Object.entries(suggested)) {
    const [line] = ignored({ [name]: 1 });
    assert.equal(line, `${unknown(`/${name}`)}; did you mean ${keyword}?`);
  }
  for (const name of ['example', 'markdownDescription', 'zzz', '']) {
    const [line] = ignored({ [name]: 1 });
    assert.match(
      line!,
      new RegExp(`^/${name} is not a keyword of draft-07 and is ignored(; did|$)`),
    );
  }
  assert.deepEqual(ignored({ zzz: 1 }), [unknown('/zzz')]);
});

test('all of them are reported at once, at every position of a schema', () => {
  const bad = { tpye: 'string' };
  const schema: JsonObject = {
    $defs: { a: bad },
    definitions: { 'a/b~c': bad },
    properties: { a: bad, b: { properties: { c: bad } } },
    patternProperties: { '^a': bad },
    additionalProperties: bad,
    propertyNames: bad,
    dependentSchemas: { a: bad },
    items: bad,
    prefixItems: [{}, bad],
    contains: bad,
    unevaluatedItems: bad,
    unevaluatedProperties: bad,
    allOf: [bad],
    anyOf: [{}, bad],
    oneOf: [bad],
    not: { allOf: [bad] },
    if: bad,
    else: bad,
  };
  const expected = [
    '/$defs/a',
    '/definitions/a~1b~0c',
    '/properties/a',
    '/properties/b/properties/c',
    '/patternProperties/^a',
    '/additionalProperties',
    '/propertyNames',
    '/dependentSchemas/a',
    '/items',
    '/prefixItems/1',
    '/contains',
    '/unevaluatedItems',
    '/unevaluatedProperties',
    '/allOf/0',
    '/anyOf/1',
    '/oneOf/0',
    '/not/allOf/0',
    '/if',
    '/else',
  ].map((pointer) => `${unknown(`${pointer}/tpye`, '2020-12')}; did you mean type?`);
  assert.deepEqual(ignored(schema, '2020-12').sort(), expected.sort());
  const old = { items: [{}, bad], additionalItems: bad, dependencies: { a: bad, b: ['c'] } };
  assert.deepEqual(
    ignored(old).map((line) => line.split(' ')[0]),
    ['/additionalItems/tpye', '/dependencies/a/tpye', '/items/1/tpye'],
  );
});

test('referenced schemas under other names are examined too', () => {
  const schema = {
    $id: 'https://example.com/event.json',
    properties: {
      user: { $ref: '#/components/schemas/user' },
      at: { $ref: 'https://example.com/event.json#/components/schemas/a%20b' },
    },
    components: { schemas: { user: { requird: [] }, 'a b': { formatt: '' }, other: {} } },
  };
  assert.deepEqual(ignored(schema), [
    `${unknown('/components/schemas/user/requird')}; did you mean required?`,
    `${unknown('/components/schemas/a b/formatt')}; did you mean format?`,
  ]);
  assert.deepEqual(ignored({ components: { schemas: {} } }), [unknown('/components')]);
  const loop = { $defs: { a: { properties: { a: { $ref: '#/$defs/a' }, b: { $ref: '#' } } } } };
  assert.deepEqual(ignored(loop), []);
});

test('annotations, extensions and names of properties are not reported', () => {
  const fine = {
    title: '',
    description: '',
    $comment: '',
    default: {},
    examples: [{ requird: 1 }],
    deprecated: true,
    readOnly: true,
    writeOnly: false,
    contentEncoding: 'base64',
    contentMediaType: 'text/plain',
    'x-vendor': { requird: 1 },
    'X-Vendor': 1,
    const: { requird: 1 },
    enum: [{ requird: 1 }],
    properties: { requird: {}, tpye: {}, 'x-a': {}, format: { type: 'string' } },
    $defs: { requird: { type: 'string' } },
    definitions: { tpye: {} },
  };
  for (const draft of Object.keys(DRAFT)) assert.deepEqual(ignored(fine, draft), [], draft);
});

test('keywords of one draft are accepted there and reported in other drafts', () => {
  const of = {
    '2019-09': { $anchor: 'a', $recursiveAnchor: true, minContains: 1, dependentRequired: {} },
    '2020-12': { $dynamicAnchor: 'a', prefixItems: [], unevaluatedProperties: true },
    'draft-07': { if: {}, else: {}, additionalItems: {}, dependencies: {} },
    'draft-06': { exclusiveMinimum: 1, contains: {}, propertyNames: {} },
    'draft-04': { id: 'http://a/b', minimum: 1, exclusiveMinimum: true },
  };
  for (const [draft, schema] of Object.entries(of)) {
    const given = draft === '2020-12' ? { ...schema, prefixItems: [{}] } : schema;
    assert.deepEqual(ignored(given, draft), [], draft);
  }
  assert.deepEqual(ignored({ prefixItems: [], dependentRequired: {}, divisibleBy: 2 }), [
    `${unknown('/prefixItems')}; it is one of 2020-12`,
    `${unknown('/dependentRequired')}; it is one of 2019-09 and 2020-12`,
    `${unknown('/divisibleBy')}; it is one of draft-03`,
  ]);
  assert.deepEqual(ignored({ additionalItems: {} }, '2020-12'), [
    `${unknown('/additionalItems', '2020-12')}; it is one of drafts up to 2019-09`,
  ]);
});

test('an unchecked format is reported at every position', () => {
  for (const draft of Object.keys(DRAFT)) {
    const schema = {
      properties: {
        mail: { format: 'emial' },
        at: { items: { format: 'datetime' } },
        host: { format: 'idn-hostname' },
        other: { format: 'x-colour' },
        fine: { format: 'date-time' },
      },
    };
    assert.deepEqual(
      ignored(schema, draft),
      [
        '/properties/mail/format names the format "emial", which is not checked; did you mean email?',
        '/properties/host/format names the format "idn-hostname", which is not checked',
        '/properties/other/format names the format "x-colour", which is not checked',
        '/properties/at/items/format names the format "datetime", which is not checked; ' +
          'did you mean date-time?',
      ],
      draft,
    );
  }
});

test('an inner $schema of another draft is reported', () => {
  const inner = { $schema: DRAFT['draft-04'], type: 'string' };
  assert.deepEqual(ignored({ properties: { a: inner } }), [
    '/properties/a/$schema is ignored: the whole file is read as draft-07',
  ]);
});

test('lines are bounded in number and length, without control characters', () => {
  const names = Array.from({ length: 250 }, (_, index) => [`zzz${index}`, 1]);
  const many = ignored(Object.fromEntries(names));
  assert.equal(many.length, 101);
  assert.equal(many.at(-1), 'and 150 more such parts');
  const [long] = ignored({ properties: { [`a\n\u001b[31m${'n'.repeat(5_000)}`]: { zzz: 1 } } });
  assert(long!.length < 400, long);
  const [strange] = ignored({ 'zzz\n\u001b[31m': 1 });
  assert.equal(strange, unknown('/zzz [31m').replace('zzz [', 'zzz ['));
});
