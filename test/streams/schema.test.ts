/** docs/streams.schema.json and docs/streams.md describe the format that the code accepts. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { isObject, type JsonObject } from '../../src/common/json-object.ts';
import { STREAM_FILE_SCHEMA, streamFileSchemaText } from '../../src/streams/stream-file-schema.ts';

const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');

test('docs/streams.schema.json comes from the code', () => {
  assert.equal(read('docs/streams.schema.json'), streamFileSchemaText(), 'run `make docs`');
});

test('it is a JSON Schema of draft 2020-12', () => {
  const ajv = new Ajv2020({ strict: false });
  assert.equal(ajv.validateSchema(JSON.parse(streamFileSchemaText())), true, ajv.errorsText());
});

/** Every property of the schema, with its path and its subschema. */
function propertiesOf(schema: JsonObject, path: readonly string[] = []): [string, JsonObject][] {
  const inner = schema.additionalProperties;
  const { $ref } = schema;
  if (typeof $ref === 'string') {
    const definitions = STREAM_FILE_SCHEMA.$defs as JsonObject;
    return propertiesOf(definitions[$ref.split('/').at(-1)!] as JsonObject, path);
  }
  const own = Object.entries(isObject(schema.properties) ? schema.properties : {});
  return [
    ...own.flatMap(([name, property]): [string, JsonObject][] => {
      const at = [...path, name];
      return [[at.join('.'), property as JsonObject], ...propertiesOf(property as JsonObject, at)];
    }),
    ...(isObject(inner) ? propertiesOf(inner, [...path, 'NAME']) : []),
  ];
}

const PROPERTIES = propertiesOf(STREAM_FILE_SCHEMA);

test('each property has a title and a description, for editors', () => {
  assert(PROPERTIES.length > 25, `${PROPERTIES.length} properties`);
  const key = STREAM_FILE_SCHEMA.$defs.key as JsonObject;
  for (const [path, property] of PROPERTIES) {
    const { title, description } = '$ref' in property ? key : property;
    assert(typeof title === 'string' && title !== '', `${path} has a title`);
    assert(typeof description === 'string' && description.endsWith('.'), `${path} is described`);
  }
});

/** Paths in the first column of the tables of the reference. */
function documented(page: string): string[] {
  const [, reference = ''] = page.split('\n## Reference\n');
  const rows = reference.split('\n## ')[0]!.matchAll(/^\| `([^`]+)` \|/gm);
  return [...rows].map(([, path]) => path!);
}

test('docs/streams.md documents each property, and no other', () => {
  // A key has the same properties in `defaults` and in a stream.
  const paths = PROPERTIES.map(([path]) => path).filter((path) => !/^defaults\.key\./.test(path));
  assert.deepEqual(documented(read('docs/streams.md')), paths);
});
