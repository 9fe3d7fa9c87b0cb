/** The specifications: valid, consistent with the code's catalogs, and with each other. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import asyncApiSchemas from '@asyncapi/specs';
import { Validator } from '@seriousme/openapi-schema-validator';
import { Ajv } from 'ajv';
import { Ajv2020 } from 'ajv/dist/2020.js';
import {
  EVENT_CODES,
  eventCodes,
  REQUEST_CODES,
  requestCodes,
  retryCodes,
  streamCodes,
} from '../../src/common/errors.ts';
import { KIB, LIMITS } from '../../src/config/limits.ts';
import { BUILT_IN_FIELDS } from '../../src/worker/intake/validator.ts';
import { judge, openSpec, operationsOf, readSpec, schemasOf } from '../support/specs.ts';

const openApi = openSpec('openapi');
const asyncApi = openSpec('asyncapi');
const specs = [openApi, asyncApi];

/** Codes of events and frames that may also reject a whole request. */
const OF_BOTH = [...streamCodes, 'too_large', 'buffer_full', 'draining'];

test('docs/openapi.yaml is OpenAPI 3.1, and each schema in it JSON Schema 2020-12', async () => {
  const validator = new Validator();
  const { valid, errors } = await validator.validate(readSpec('openapi'));
  assert(valid, JSON.stringify(errors));
  assert.equal(validator.version, '3.1');
  const ajv = new Ajv2020();
  const schemas = schemasOf(openApi);
  assert(schemas.length > 30, `${schemas.length} schemas were found`);
  for (const [place, schema] of schemas) {
    assert(ajv.validateSchema(schema), `${place}: ${ajv.errorsText()}`);
  }
});

test('docs/asyncapi.yaml is AsyncAPI 3.0, including its schemas', () => {
  const ajv = new Ajv({ strict: false, validateFormats: false, logger: false });
  const validate = ajv.compile(asyncApiSchemas.schemasWithoutId['3.0.0'] as object);
  assert(validate(readSpec('asyncapi')), ajv.errorsText(validate.errors));
});

test('every example matches its schema', () => {
  const bodies = operationsOf(openApi).flatMap(({ name, operation }) =>
    [operation.requestBody ?? {}, ...Object.values(operation.responses)].flatMap(
      ({ content = {} }) => Object.values(content).map((media) => ({ name, ...media })),
    ),
  );
  const examples = bodies.flatMap(({ name, schema, examples = {} }) =>
    Object.values(examples).map(({ value }) => ({ name, value, wrong: judge(Ajv2020, schema) })),
  );
  for (const [name, { payload, examples: own }] of Object.entries(asyncApi.components.messages)) {
    assert(own.length > 0, `${name} has an example`);
    const wrong = judge(Ajv, payload);
    examples.push(...own.map(({ payload: value }) => ({ name, value, wrong })));
  }
  for (const { name, value, wrong } of examples) {
    assert.equal(wrong(value), undefined, `${name}: ${JSON.stringify(value)}`);
  }
});

test('the codes are those of the catalog', () => {
  for (const { components } of specs) {
    const { CodeForGood, CodeToRetry } = components.schemas;
    assert.deepEqual(CodeToRetry?.enum, retryCodes);
    assert.deepEqual(
      CodeForGood?.enum,
      eventCodes.filter((code) => !EVENT_CODES[code].retry),
    );
  }
  const ofRequests = requestCodes.filter((code) => 'http' in REQUEST_CODES[code]);
  assert.deepEqual(openApi.components.schemas.RequestCode?.enum, [...ofRequests, ...OF_BOTH]);
});

test('an operation that may end with a code has the status of the code', () => {
  const connections = ['not_found', 'too_many_connections'];
  for (const path of ['/events', '/events/{stream}']) {
    const { responses } = openApi.paths[path]!.post!;
    for (const code of requestCodes) {
      const entry = REQUEST_CODES[code];
      if (!('http' in entry) || connections.includes(code)) continue;
      assert(String(entry.http) in responses, `${code} of POST ${path}`);
    }
  }
});

test('the close codes are those of the catalog', () => {
  const closes = asyncApi.channels.acknowledged['x-closes'];
  const byReason = Object.fromEntries(
    closes.flatMap(({ code, reason }) => (reason === undefined ? [] : [[reason, code]])),
  );
  const catalogue = requestCodes.flatMap((code) => {
    const entry = REQUEST_CODES[code];
    return 'ws' in entry ? [[code, entry.ws]] : [];
  });
  assert.deepEqual(byReason, Object.fromEntries(catalogue));
});

test('an event matches the built-in schema', () => {
  for (const { components } of specs) {
    const { required, properties = {} } = components.schemas.Event!;
    const types = (required ?? []).map((field) => [field, properties[field]?.type]);
    assert.deepEqual(Object.fromEntries(types), BUILT_IN_FIELDS);
  }
});

test('limits are those of src/config/limits.ts', () => {
  const most = (spec: unknown) => JSON.stringify(spec).match(/"maxItems":(\d{3,})/g);
  for (const name of ['Events', 'StreamEvents']) {
    const [http, ws] = specs.map(({ components }) => most(components.schemas[name]));
    assert.deepEqual(http, [`"maxItems":${LIMITS.bodyEvents}`], name);
    assert.deepEqual(ws, [`"maxItems":${LIMITS.frameEvents}`], name);
  }
  const shown = JSON.stringify(openApi.components.schemas.Outcome);
  assert(shown.includes(`"maxItems":${LIMITS.shownRecords.count}`));
  assert(shown.includes(`up to ${LIMITS.shownRecords.bytes / KIB} KiB`));
});

test('common definitions of both specifications are equal', () => {
  const [http, ws] = specs.map(({ components }) => components.schemas);
  const shared = Object.keys(http!).filter((name) => name in ws! && !name.endsWith('Events'));
  const expected = ['CodeForGood', 'CodeToRetry', 'Event', 'Refusal', 'StreamEvent'];
  assert.deepEqual(shared.sort(), expected);
  for (const name of shared) assert.deepEqual(ws![name], http![name], name);
});

test('an undocumented field is detected, a documented one may be absent', () => {
  const wrong = judge(Ajv2020, openApi.components.schemas.Outcome!);
  const refusal = { code: 'schema', retry: false, message: 'no' };
  assert.equal(wrong({ accepted: 0, errors: [refusal] }), undefined);
  assert.match(wrong({ accepted: 0, errors: [{ ...refusal, more: 1 }] }) ?? '', /additional/);
  assert.match(wrong({ accepted: 0, errors: [{ ...refusal, retry: true }] }) ?? '', /retryAfterMs/);
  assert.match(wrong({ accepted: 0, errors: [{ ...refusal, code: 'other' }] }) ?? '', /allowed/);
});

test('files named in the specifications exist', () => {
  for (const name of ['openapi', 'asyncapi']) {
    const text = readFileSync(new URL(`../../docs/${name}.yaml`, import.meta.url), 'utf8');
    for (const [path] of text.matchAll(/\bdocs\/[\w.-]+\.\w+/g)) {
      assert.doesNotThrow(() => readFileSync(new URL(`../../${path}`, import.meta.url)), path);
    }
  }
});
