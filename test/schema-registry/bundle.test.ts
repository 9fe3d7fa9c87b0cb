import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bundled } from '../../src/schema-registry/bundle.ts';
import type { SchemaReference, SubjectVersion } from '../../src/schema-registry/client.ts';
import { REGISTRY_LIMITS } from '../../src/schema-registry/limits.ts';
import { compileSchema, warningsOf } from '../../src/worker/intake/compile-schema.ts';
import { loadValidator } from '../../src/worker/intake/validator.ts';

type Schema = Readonly<Record<string, unknown>>;

function versionOf(schema: Schema | string, references: SubjectVersion['references'] = []) {
  const text = typeof schema === 'string' ? schema : JSON.stringify(schema);
  return { version: 1, id: 1, guid: undefined, schema: text, references, etag: undefined };
}

/** Reads references by subject. */
function readerOf(subjects: Readonly<Record<string, SubjectVersion>>) {
  return async ({ subject }: SchemaReference) => subjects[subject]!;
}

const reference = (name: string, subject = name) => ({ name, subject, version: 1 });

const COUNTRY = { type: 'string', minLength: 2, maxLength: 2 };

test('a schema without references stays as it is', async () => {
  const text = '{ "type":"object" }';
  assert.equal(await bundled(versionOf(text), readerOf({})), text);
});

for (const draft of [
  'http://json-schema.org/draft-04/schema#',
  'http://json-schema.org/draft-06/schema#',
  'http://json-schema.org/draft-07/schema#',
  'https://json-schema.org/draft/2019-09/schema',
  'https://json-schema.org/draft/2020-12/schema',
]) {
  const id = draft.includes('draft-04') ? 'id' : '$id';
  for (const [base, names] of [
    ['no id', ['address.json', 'country.json']],
    ['https://a.example/schemas/order.json', ['address.json', 'country.json']],
    ['https://a.example/order', ['https://b.example/address', 'https://c.example/country']],
    ['https://a.example/order.json', ['parts/address.json', '../country.json']],
  ] as const) {
    test(`references of references resolve: ${draft}, ${base}`, async () => {
      const [address, country] = names;
      const root = {
        $schema: draft,
        ...(base !== 'no id' && { [id]: base }),
        type: 'object',
        properties: { home: { $ref: address }, work: { $ref: `${address}#/definitions/part` } },
        definitions: { own: { type: 'null' } },
      };
      const subjects = {
        address: versionOf(
          {
            $schema: draft,
            [id]: 'https://elsewhere.example/address.json',
            type: 'object',
            required: ['country'],
            properties: { country: { $ref: country }, part: { $ref: '#/definitions/part' } },
            definitions: { part: { type: 'integer' } },
          },
          [reference(country, 'country')],
        ),
        country: versionOf({ $schema: draft, ...COUNTRY }),
      };
      const version = versionOf(root, [reference(address, 'address')]);
      const text = await bundled(version, readerOf(subjects));
      assert.deepEqual(warningsOf(compileSchema(text)), { ignored: [], unmatchable: [] });
      const validate = loadValidator('order', 'SCHEMA', text);
      assert.equal(validate({ home: { country: 'de', part: 1 }, work: 2 }), undefined);
      for (const [event, problem] of [
        [{ home: {} }, /country/],
        [{ home: { country: 'deu' } }, /2 characters/],
        [{ home: { country: 'de', part: 'x' } }, /integer/],
        [{ work: 'x' }, /integer/],
      ] as const) {
        assert.match(validate(event) ?? 'valid', problem);
      }
      assert.deepEqual((JSON.parse(text) as typeof root).definitions.own, { type: 'null' });
    });
  }
}

test('schemas that refer to each other are included once', async () => {
  const person = (next: string) => ({
    type: 'object',
    properties: { name: { type: 'string' }, friend: { $ref: next } },
  });
  const version = versionOf(person('b.json'), [reference('b.json')]);
  const subjects = {
    'b.json': versionOf(person('c.json'), [reference('c.json')]),
    'c.json': versionOf(person('b.json'), [reference('b.json')]),
  };
  const validate = loadValidator('a', 'SCHEMA', await bundled(version, readerOf(subjects)));
  assert.equal(validate({ friend: { friend: { friend: { name: 'x' } } } }), undefined);
  assert.match(validate({ friend: { friend: { friend: { name: 1 } } } }) ?? '', /string/);
});

test('schemas that cannot be bundled have a reason', async () => {
  const many = Array.from({ length: REGISTRY_LIMITS.references + 1 }, (_, index) =>
    reference(`s${index}`, 'one'),
  );
  const long = { title: 'x'.repeat(REGISTRY_LIMITS.bytes) };
  const subjects = {
    one: versionOf({}),
    broken: versionOf('{'),
    bool: versionOf('true'),
    long: versionOf(long),
  };
  for (const [root, references, message] of [
    ['{', [reference('one')], /^the schema is not valid JSON: /],
    ['[]', [reference('one')], /^the schema is not a JSON object$/],
    ['{}', [reference('x', 'broken')], /^the reference x is not valid JSON: /],
    ['{}', [reference('x', 'bool')], /^the reference x is not a JSON object$/],
    ['{}', many, /^the schema has more than 64 references$/],
    ['{}', [reference('long')], /^the schema and its references are longer than \d+ bytes$/],
  ] as const) {
    const version = versionOf(root, references);
    await assert.rejects(bundled(version, readerOf(subjects)), { message });
  }
});
