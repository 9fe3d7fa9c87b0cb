/** Reasons and examples that operators see: no schema makes them quote a value of an event. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JsonObject } from '../../../src/common/json-object.ts';
import { IMPLICIT_SLOTS } from '../../../src/metrics/slots.ts';
import { decodeNdjson, decodeTextBody } from '../../../src/worker/decoder/json/text.ts';
import { loadValidator } from '../../../src/worker/intake/validator.ts';
import { ViolationRecorder } from '../../../src/worker/violation-recorder.ts';

const SECRET = 'secret-4711';
const NUMBER = 471_147;

/** Schemas with an event that violates each, with secret values. */
const CASES: readonly [schema: JsonObject, event: JsonObject][] = [
  [{ properties: { a: { type: 'number' } } }, { a: SECRET }],
  [{ properties: { a: { enum: ['x', 'y'] } } }, { a: SECRET }],
  [{ properties: { a: { const: 'x' } } }, { a: SECRET }],
  [{ properties: { a: { pattern: '^x' } } }, { a: SECRET }],
  [{ properties: { a: { format: 'email' } } }, { a: SECRET }],
  [{ properties: { a: { maxLength: 3 } } }, { a: SECRET }],
  [{ properties: { a: { maximum: 3 } } }, { a: NUMBER }],
  [{ properties: { a: { multipleOf: 2 } } }, { a: NUMBER }],
  [{ properties: { a: { uniqueItems: true } } }, { a: [SECRET, SECRET] }],
  [{ properties: { a: { contains: { const: 1 } } } }, { a: [SECRET] }],
  [{ properties: { a: { items: { type: 'integer' } } } }, { a: [SECRET] }],
  [{ properties: { a: { not: { type: 'string' } } } }, { a: SECRET }],
  [{ properties: { a: { anyOf: [{ type: 'integer' }, { minLength: 99 }] } } }, { a: SECRET }],
  [{ oneOf: [{ properties: { a: { const: 1 } } }, { required: ['b'] }] }, { a: SECRET }],
  [{ required: ['b'] }, { a: SECRET }],
  [{ additionalProperties: false }, { a: SECRET }],
  [{ propertyNames: { maxLength: 0 } }, { a: SECRET }],
  [{ additionalProperties: { type: 'integer' } }, { a: SECRET }],
  [{ minProperties: 2 }, { a: SECRET }],
  [{ dependencies: { a: ['b'] } }, { a: SECRET }],
  [{ if: { required: ['b'] }, else: { required: ['b'] } }, { a: SECRET }],
];

/** Text of everything that is reported. */
function reported(violations: ViolationRecorder): string {
  return JSON.stringify(violations.take());
}

test('reasons of schemas, and examples, contain no value of an event', () => {
  for (const [schema, event] of CASES) {
    const validate = loadValidator('schema.json', 'SETTING', JSON.stringify(schema));
    const reason = validate(event);
    assert(reason !== undefined, `${JSON.stringify(schema)} rejects its event`);
    const violations = new ViolationRecorder(() => IMPLICIT_SLOTS);
    violations.rejected(0, 'schema', reason, event);
    const text = reported(violations);
    assert.match(text, /"example":"\{/);
    assert.doesNotMatch(text, /secret|4711/, JSON.stringify(schema));
  }
});

test('reasons of invalid JSON quote none of it', () => {
  const violations = new ViolationRecorder(() => IMPLICIT_SLOTS);
  const sink = {
    event: () => assert.fail('no event is valid'),
    validEvent: () => assert.fail('no event is valid'),
    rejectEvent: (_index: number, ...[code, message]: Parameters<typeof reject>) =>
      reject(code, message),
    rejectFrame: (...[code, message]: Parameters<typeof reject>) => reject(code, message),
  };
  const reject = (code: 'invalid_json', message: string) => violations.rejected(0, code, message);
  const texts = [
    SECRET,
    `{"a":"${SECRET}`,
    `{"a":${SECRET}}`,
    `{"a":"x" ${SECRET}}`,
    `{"a":"\u0001${SECRET}"}`,
    `{"a":"\\x${SECRET}"}`,
    `[{"a":1},${SECRET}]`,
    `"${SECRET}`,
    `{${NUMBER}:1}`,
  ];
  const bounds = { maxEvents: 10, maxEventBytes: 1_000, maxDepth: 8 };
  for (const text of texts) {
    decodeTextBody(Buffer.from(text), bounds, sink as never);
    decodeNdjson(Buffer.from(text), bounds, sink as never);
  }
  const text = reported(violations);
  assert.match(text, /not valid JSON/);
  assert.doesNotMatch(text, /secret|4711/);
});
