import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { EXIT, StartError } from '../../../src/common/errors.ts';
import type { JsonObject } from '../../../src/common/json-object.ts';
import {
  compileSchema,
  readSchema,
  warningsOf,
} from '../../../src/worker/intake/compile-schema.ts';
import { loadValidator } from '../../../src/worker/intake/validator.ts';

const folder = mkdtempSync(join(tmpdir(), 'forebay-validator-'));
after(() => rmSync(folder, { recursive: true }));

let files = 0;
function schemaFile(content: unknown): string {
  const path = join(folder, `schema-${files++}.json`);
  const isText = typeof content === 'string' || Buffer.isBuffer(content);
  writeFileSync(path, isText ? content : JSON.stringify(content));
  return path;
}

const load = (schema: unknown) => loadValidator(schemaFile(schema));
const utf16 = (text: string) => Buffer.from(`\ufeff${text}`, 'utf16le');
const event = (json: string) => JSON.parse(json) as JsonObject;

const DRAFTS = [
  'http://json-schema.org/draft-04/schema#',
  'http://json-schema.org/draft-06/schema#',
  'http://json-schema.org/draft-07/schema#',
  'https://json-schema.org/draft/2019-09/schema',
  'https://json-schema.org/draft/2020-12/schema',
];

/** A string: Biome mistakes an object with `then` for a promise. */
const CONDITION = '{"if":{},"then":{"required":["n"]}}';

const builtIn = loadValidator(undefined);
const GOOD = '{"msg":"m","clientId":"c","timestamp":1}';

test('the built-in schema accepts a valid event, with extra fields or digits beyond 2^53', () => {
  assert.equal(builtIn(event(GOOD)), undefined);
  assert.equal(
    builtIn(event('{"msg":"","clientId":"","timestamp":1.0,"more":[1e400]}')),
    undefined,
  );
  assert.equal(
    builtIn(event('{"msg":"m","clientId":"c","timestamp":-12345678901234567890}')),
    undefined,
  );
});

test('the built-in schema names the missing or invalid field', () => {
  for (const field of ['msg', 'clientId', 'timestamp']) {
    const { [field]: _, ...rest } = event(GOOD);
    assert.equal(builtIn(rest), `must have required property '${field}'`);
  }
  assert.equal(builtIn({ ...event(GOOD), msg: 1 }), '/msg must be string');
  assert.equal(builtIn({ ...event(GOOD), clientId: null }), '/clientId must be string');
  for (const timestamp of ['1', 1.5, true, null]) {
    assert.equal(builtIn({ ...event(GOOD), timestamp }), '/timestamp must be integer');
  }
});

test('inherited fields do not replace missing ones', () => {
  const viaPrototype = event(`{"__proto__":${GOOD}}`);
  assert.equal(builtIn(viaPrototype), "must have required property 'msg'");
  const needsConstructor = load({ required: ['constructor'] });
  assert.equal(needsConstructor({}), "must have required property 'constructor'");
  assert.equal(load({ properties: { toString: { type: 'string' } } })({}), undefined);
});

test('1e400 is not an integer in any draft', () => {
  const huge = event('{"msg":"m","clientId":"c","timestamp":1e400}');
  assert.equal(builtIn(huge), '/timestamp must be integer');
  for (const $schema of DRAFTS) {
    const validate = load({ $schema, properties: { timestamp: { type: 'integer' } } });
    assert.equal(validate(huge), '/timestamp must be integer', $schema);
    assert.equal(validate({ timestamp: 1 }), undefined, $schema);
  }
});

test('$schema selects the draft, each tested by a keyword of its own', () => {
  const keywords: [string, JsonObject][] = [
    ['draft-04', { properties: { n: { minimum: 5, exclusiveMinimum: true } } }],
    ['draft-06', { properties: { n: { exclusiveMinimum: 5 } } }],
    ['draft-07', { if: { required: ['n'] }, else: false, properties: { n: { minimum: 6 } } }],
    ['2019-09', { dependentRequired: { n: ['m'] } }],
    ['2020-12', { properties: { l: { prefixItems: [{ minimum: 6 }] } } }],
  ];
  for (const [draft, keyword] of keywords) {
    const $schema = DRAFTS.find((each) => each.includes(draft));
    assert.notEqual(load({ $schema, ...keyword })({ n: 5, l: [5] }), undefined, draft);
  }
});

/** Equivalent spellings of a `$schema`. */
function spellings($schema: string): string[] {
  const rest = $schema.replace('#', '').replace(/^https?/, '');
  const capitals = rest.replace('json-schema.org', 'JSON-Schema.ORG');
  return ['http', 'https', 'HTTPS'].flatMap((scheme) =>
    ['', '#', '/', '/#'].flatMap((end) => [`${scheme}${rest}${end}`, `${scheme}${capitals}${end}`]),
  );
}

test('a schema without $schema is draft-07', () => {
  assert.notEqual(load(CONDITION)({}), undefined);
});

test('a $schema by http or https, with or without an empty fragment or a slash, is the same', () => {
  for (const $schema of DRAFTS) {
    for (const name of spellings($schema)) {
      const validate = load({ $schema: name, properties: { n: { type: 'null' } } });
      assert.equal(validate({ n: 1 }), '/n must be null', name);
      assert.equal(validate({ n: null }), undefined, name);
    }
  }
});

test('an inner $schema may have any spelling', () => {
  for (const $schema of DRAFTS) {
    for (const name of spellings($schema)) {
      const n = { $schema: name, type: 'null' };
      assert.equal(load({ $schema, properties: { n } })({ n: 1 }), '/n must be null', name);
    }
  }
});

test('a $ref to the metaschema may have any spelling', () => {
  for (const $schema of DRAFTS) {
    for (const $ref of spellings($schema).filter((name) => /^https?:\/\/json/.test(name))) {
      const validate = load({ $schema, properties: { schema: { $ref } } });
      assert.equal(validate({ schema: { type: 'string' } }), undefined, $ref);
      assert.notEqual(validate({ schema: { type: 'text' } }), undefined, $ref);
      assert.notEqual(validate({ schema: { properties: { a: { type: 1 } } } }), undefined, $ref);
    }
  }
  const [scheme, at] = ['https', 'json-schema.org/draft-07/schema#/definitions/nonNegativeInteger'];
  const validate = load({ properties: { n: { $ref: `${scheme}://${at}` } } });
  assert.equal(validate({ n: 1 }), undefined);
  assert.equal(validate({ n: -1 }), '/n must be >= 0');
  const part = load({
    $schema: DRAFTS[4],
    properties: { n: { $ref: 'http://json-schema.org/draft/2020-12/meta/validation' } },
  });
  assert.notEqual(part({ n: { minLength: -1 } }), undefined);
});

test('formats are checked in every draft', () => {
  for (const $schema of DRAFTS) {
    const validate = load({ $schema, properties: { at: { format: 'date-time' } } });
    assert.equal(validate({ at: '2026-01-02T03:04:05Z' }), undefined);
    assert.equal(validate({ at: 'yesterday' }), '/at must match format "date-time"');
  }
});

test('validation does not change the event: no coercion, no defaults', () => {
  const validate = load({ properties: { n: { type: 'integer' }, d: { default: 1 } } });
  const given = { n: '1' };
  assert.equal(validate(given), '/n must be integer');
  assert.equal(validate({}), undefined);
  assert.deepEqual(given, { n: '1' });
});

test('a failed condition is reported by the requirement that it imposes', () => {
  const condition = load(CONDITION);
  assert.equal(condition({}), "must have required property 'n'");
});

test('a message is bounded, even with a long field name from a client', () => {
  const validate = load({ additionalProperties: { type: 'string' } });
  assert.equal(validate({ ['x'.repeat(10_000)]: 1 })?.length, 200);
});

test('an event for which the code of ajv throws is rejected without a crash', () => {
  const validate = load({
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    patternProperties: { '': { minLength: 2 } },
    dependencies: { b: { properties: { z: {} } } },
  });
  assert.equal(validate({ a: { y: 1 } }), 'cannot be validated by the schema');
});

test('an event nested too deeply for a recursive schema is rejected without a crash', () => {
  const validate = load({ properties: { a: { $ref: '#' } } });
  const deep = event(`${'{"a":'.repeat(60_000)}1${'}'.repeat(60_000)}`);
  assert.equal(validate(deep), 'nested too deeply to validate');
  assert.equal(validate({ a: {} }), undefined);
});

test('an unusable schema fails the start with one line and exit code 2', () => {
  const unusable: [string, RegExp][] = [
    [join(folder, 'absent.json'), /cannot be read: no such file or directory \(ENOENT\)$/],
    [folder, /cannot be read: it is a directory, not a file \(EISDIR\)$/],
    [schemaFile('{\n"type":\n}'), /is not valid JSON: /],
    [schemaFile('\ufeff{}'), /begins with a byte order mark \(UTF-8\): save it as UTF-8 without/],
    [schemaFile(utf16('{}')), /begins with a byte order mark \(UTF-16\): save it as UTF-8 without/],
    [schemaFile(Buffer.from('{"enum":["é"]}', 'latin1')), /is not valid UTF-8: save it as UTF-8$/],
    [schemaFile([]), /must contain a JSON object$/],
    [schemaFile('null'), /must contain a JSON object$/],
    [
      schemaFile({ type: 'text' }),
      /is not a valid schema of draft-07: \/type must be one of "array"/,
    ],
    [schemaFile({ pattern: '(' }), /cannot be compiled: .*regular expression/i],
    [schemaFile({ $ref: '#/definitions/absent' }), /cannot be compiled: can't resolve reference/],
    [
      schemaFile({ properties: { a: { $ref: 'https://example.com/a.json' } } }),
      /cannot be compiled: can't resolve reference https:\/\/example\.com\/a\.json/,
    ],
    [
      schemaFile({ $schema: 'http://json-schema.org/draft-03/schema#' }),
      /unsupported \$schema, ".*-03/,
    ],
    [schemaFile({ $schema: 7 }), /unsupported \$schema, 7; supported: /],
    [schemaFile({ $async: true }), /asynchronous/],
  ];
  for (const [path, expected] of unusable) {
    assert.throws(
      () => loadValidator(path),
      (error) => {
        assert(error instanceof StartError);
        assert.equal(error.exitCode, EXIT.configuration);
        assert.match(error.message, expected);
        assert(error.message.startsWith(`FOREBAY_EVENT_SCHEMA: ${path} `));
        assert(!error.message.includes('\n'));
        return true;
      },
      path,
    );
  }
});

test('a schema in any file: its problem or its warnings, without setting and path', () => {
  const path = schemaFile({ requird: ['a'], type: 'string' });
  assert.deepEqual(warningsOf(compileSchema(readSchema(path))), {
    unmatchable: ['/type allows no object: no event can match the schema'],
    ignored: ['/requird is not a keyword of draft-07 and is ignored; did you mean required?'],
  });
  const rows: [content: unknown, message: RegExp][] = [
    [{ type: 'objekt' }, /^is not a valid schema of draft-07: \/type must be one of .*object\?$/],
    [{ $ref: '#/none' }, /^cannot be compiled: can't resolve reference #\/none/],
    [{ $schema: 'x' }, /^has an unsupported \$schema, "x"; supported: http/],
    [{ $async: true }, /^is asynchronous \(\$async\)$/],
    [[], /^must contain a JSON object$/],
  ];
  for (const [content, message] of rows) {
    assert.throws(() => compileSchema(readSchema(schemaFile(content))), { message });
  }
  const none = join(folder, 'none.json');
  assert.throws(() => readSchema(none), { message: /^cannot be read: .*\(ENOENT\)$/ });
});
