/** `streams spec`: valid documents that describe the streams as the gateway treats them. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import asyncApiSchemas from '@asyncapi/specs';
import { Validator } from '@seriousme/openapi-schema-validator';
import { Ajv } from 'ajv';
import { Ajv2020 } from 'ajv/dist/2020.js';
import ajvFormats from 'ajv-formats';
import { parse as parseYaml } from 'yaml';
import { asyncApiOf } from '../../../src/cli/streams/specs/asyncapi.ts';
import type { Document } from '../../../src/cli/streams/specs/document.ts';
import { inlineSchema } from '../../../src/cli/streams/specs/inline-schema.ts';
import { installationOf } from '../../../src/cli/streams/specs/installation.ts';
import { openApiOf } from '../../../src/cli/streams/specs/openapi.ts';
import { readConfig } from '../../../src/config/config.ts';
import { streamLoader } from '../../../src/config/file-check.ts';
import { implicitStream } from '../../../src/streams/implicit-stream.ts';
import { Child } from '../../../testing/child.ts';
import { readSpec } from '../../support/specs.ts';

const EXAMPLE = 'examples/streams/streams.yaml';
const folder = mkdtempSync(join(tmpdir(), 'forebay-spec-'));
const children: Child[] = [];
after(async () => {
  for (const child of children) await child.kill();
  rmSync(folder, { recursive: true });
});

function write(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

/** Both documents for a stream file, or the settings alone. */
async function specsOf(path: string | undefined, env: Record<string, string> = {}, url?: string) {
  const config = readConfig(env);
  const file =
    path === undefined ? implicitStream(config) : (await streamLoader(config, path))().file;
  const installation = installationOf(config, file, path !== undefined, url);
  const openApi = openApiOf(readSpec('openapi'), installation);
  const asyncApi = asyncApiOf(readSpec('asyncapi'), installation);
  return { openApi, asyncApi };
}

async function assertValid({ openApi, asyncApi }: Awaited<ReturnType<typeof specsOf>>) {
  const validator = new Validator();
  const { valid, errors } = await validator.validate(structuredClone(openApi));
  assert(valid, JSON.stringify(errors));
  assert.equal(validator.version, '3.1');
  const ajv = new Ajv({ strict: false, validateFormats: false, logger: false });
  const validate = ajv.compile(asyncApiSchemas.schemasWithoutId['3.0.0'] as object);
  assert(validate(asyncApi), ajv.errorsText(validate.errors));
  for (const document of [openApi, asyncApi]) {
    for (const reference of referencesIn(document)) {
      assert.notEqual(valueAt(document, reference), undefined, reference);
    }
    assert.doesNotMatch(JSON.stringify(document), /x-request|x-frames|\{stream\}/);
  }
}

/** Local references of a document. */
function referencesIn(value: unknown): string[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, inner]) =>
    name === '$ref' && typeof inner === 'string' && inner.startsWith('#/')
      ? [inner]
      : referencesIn(inner),
  );
}

function valueAt(document: Document, pointer: string): unknown {
  const names = pointer.split('/').slice(1);
  return names.reduce<unknown>((inner, name) => (inner as Document | undefined)?.[name], document);
}

/** Whether the schema at a place of the document accepts the event. */
function accepts(document: Document, pointer: string, event: unknown): boolean {
  const { $schema = '2020-12' } = valueAt(document, pointer) as { $schema?: string };
  const ajv = String($schema).includes('2020-12')
    ? new Ajv2020({ strict: false })
    : new Ajv({ strict: false });
  ajvFormats.default(ajv);
  ajv.addSchema({ ...document, $schema }, 'doc');
  return ajv.compile({ $ref: `doc${pointer}` })(event) === true;
}

test('the example: valid documents with a path, a schema and limits per stream', async () => {
  const specs = await specsOf(EXAMPLE);
  await assertValid(specs);
  const { openApi, asyncApi } = specs;
  const names = ['page-views', 'orders', 'logs'];
  const paths = Object.keys(openApi.paths as object);
  assert.deepEqual(
    paths.filter((path) => /^.(events|ws)/.test(path)),
    ['/events', ...names.map((name) => `/events/${name}`)].concat([
      '/ws',
      ...names.map((name) => `/ws/${name}`),
    ]),
  );
  const post = valueAt(openApi, '#/paths') as Record<string, { post: Document }>;
  const { description, security, operationId } = post['/events/page-views']!.post;
  assert.equal(
    description,
    'An event may have up to 4096 bytes, otherwise it is `too_large`. Above 5000 events per second ' +
      'and worker, events are `rate_limited`. Events are in order by `clientId`. Owner: team-web.',
  );
  assert.deepEqual([security, operationId], [[{}], 'postEventsToStream_page-views']);
  const { description: routing } = valueAt(openApi, '#/components/schemas/Event') as Document;
  assert.match(
    String(routing),
    /^The field `type` selects .*: "page_view", "page_leave" → `page-v/,
  );
  const channels = Object.entries(asyncApi.channels as Record<string, Document>);
  const addresses = channels.map(([name, { address }]) => `${name} ${address}`);
  assert.deepEqual(addresses, [
    'acknowledged /ws',
    'plain /ws',
    ...['acknowledgedStream_page-views', 'plainStream_page-views'].map(
      (id) => `${id} /ws/page-views`,
    ),
    'acknowledgedStream_orders /ws/orders',
    ...['acknowledgedStream_logs', 'plainStream_logs'].map((id) => `${id} /ws/logs`),
  ]);
});

test('the schemas in the documents decide as those of the files', async () => {
  const draft7 = {
    $id: 'https://shop.example/order.json',
    type: 'object',
    required: ['order'],
    properties: {
      order: { $ref: '#/definitions/order' },
      parent: { $ref: 'https://shop.example/order.json' },
      next: { $ref: '#' },
    },
    definitions: { order: { type: 'object', required: ['id'] } },
  };
  const draft2020 = {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    type: 'object',
    properties: { tuple: { prefixItems: [{ $ref: '#/$defs/number' }] } },
    $defs: { number: { type: 'number' } },
  };
  write('order.json', JSON.stringify(draft7));
  write('tuple.json', JSON.stringify(draft2020));
  const path = write(
    'schemas.yaml',
    `version: 1
streams:
  order: { topic: a, schema: { file: order.json } }
  tuple: { topic: b, schema: { file: tuple.json } }
  any: { topic: c }
`,
  );
  const specs = await specsOf(path);
  await assertValid(specs);
  const places: [Document, string][] = [
    [specs.openApi, '#/components/schemas/order.Event'],
    [specs.asyncApi, '#/components/schemas/order.Event'],
  ];
  const order = { order: { id: 1 } };
  for (const [document, place] of places) {
    assert.equal(accepts(document, place, { ...order, parent: order, next: order }), true, place);
    assert.equal(accepts(document, place, { order: {} }), false, place);
    assert.equal(accepts(document, place, { ...order, parent: {} }), false, place);
    assert.equal(accepts(document, place, { ...order, next: {} }), false, place);
  }
  const tuples: [Document, string][] = [
    [specs.openApi, '#/components/schemas/tuple.Event'],
    [specs.asyncApi, '#/components/schemas/tuple.Event/schema'],
  ];
  for (const [document, place] of tuples) {
    assert.equal(accepts(document, place, { tuple: [1] }), true, place);
    assert.equal(accepts(document, place, { tuple: ['1'] }), false, place);
  }
  assert.equal(accepts(specs.openApi, '#/components/schemas/any.Event', {}), true);
  assert.equal(accepts(specs.openApi, '#/components/schemas/any.Event', []), false);
});

test('references by name or to other documents stay, and so do names and data', () => {
  const schema = {
    $schema: 'x',
    allOf: [{ $ref: '#name' }, { $ref: 'other#/a' }, { $ref: '#/b' }],
    properties: { $ref: { $ref: '#' }, enum: { enum: [{ $ref: '#/b' }] } },
  };
  const { allOf, properties } = inlineSchema(schema).at('#/c');
  assert.deepEqual(allOf, [{ $ref: '#name' }, { $ref: 'other#/a' }, { $ref: '#/c/b' }]);
  assert.deepEqual(properties, { $ref: { $ref: '#/c' }, enum: { enum: [{ $ref: '#/b' }] } });
});

test('permissions: open and keyed streams, origins, plain clients', async () => {
  const path = write(
    'access.yaml',
    `version: 1
streams:
  constructor: { topic: a, access: open, origins: [] }
  keyed: { topic: b, origins: [https://a.example], plain: refuse, key: none }
`,
  );
  const specs = await specsOf(path, { FOREBAY_KEYS_FILE: '/none' });
  await assertValid(specs);
  const paths = specs.openApi.paths as Record<string, Record<string, Document>>;
  const securityOf = (name: string, method: string) => paths[name]![method]!.security;
  const [bearer, subprotocol] = [{ bearer: [] }, { subprotocol: [] }];
  assert.deepEqual(securityOf('/events/constructor', 'post'), [{}, bearer]);
  assert.deepEqual(securityOf('/events/keyed', 'post'), [bearer]);
  assert.deepEqual(securityOf('/ws/keyed', 'get'), [bearer, subprotocol]);
  assert.deepEqual(securityOf('/events', 'post'), [{}, bearer]);
  const text = String(paths['/ws/keyed']!.get!.description);
  assert.match(text, /Of web pages, only https:\/\/a\.example may write; others get `forbidden_/);
  assert.match(text, /need the subprotocol `forebay\.v1`/);
  assert.match(String(paths['/ws/constructor']!.get!.description), /No web page may write/);
  const channels = Object.keys(specs.asyncApi.channels as object);
  assert.equal(channels.includes('plainStream_keyed'), false);
});

test('without a stream file: no paths for streams, and the schema of the settings', async () => {
  const schema = write('event.json', '{"type":"object","required":["own"]}');
  const url = 'https://events.example';
  const specs = await specsOf(undefined, { FOREBAY_EVENT_SCHEMA: schema }, url);
  await assertValid(specs);
  assert.equal(Object.hasOwn(specs.openApi.paths as object, '/events/{stream}'), false);
  assert.deepEqual(specs.openApi.servers, [{ url }]);
  assert.deepEqual(Object.keys(specs.asyncApi.servers as object), ['gatewayTls']);
  assert.equal(valueAt(specs.asyncApi, '#/servers/gatewayTls/host'), 'events.example');
  for (const document of [specs.openApi, specs.asyncApi]) {
    assert.equal(accepts(document, '#/components/schemas/Event', { own: 1 }), true);
    assert.equal(accepts(document, '#/components/schemas/Event', {}), false);
  }
});

async function spec(args: readonly string[], env: Record<string, string> = {}) {
  const child = new Child('dist/main.js', ['streams', 'spec', ...args], env);
  children.push(child);
  const { code } = await child.ended;
  return { code, stdout: child.stdout, stderr: child.stderr };
}

test('the command prints YAML or JSON of each document', async () => {
  const { openApi, asyncApi } = await specsOf(EXAMPLE);
  const [yaml, json, wrong] = await Promise.all([
    spec([EXAMPLE]),
    spec(['--format', 'asyncapi', '--json'], { FOREBAY_STREAMS_FILE: EXAMPLE }),
    spec(['--format', 'raml', EXAMPLE]),
  ]);
  assert.deepEqual([yaml.code, yaml.stderr, parseYaml(yaml.stdout)], [0, '', openApi]);
  assert.deepEqual([json.code, json.stderr, JSON.parse(json.stdout)], [0, '', asyncApi]);
  assert.deepEqual([wrong.code, wrong.stdout], [2, '']);
  assert.match(wrong.stderr, /--format must be openapi or asyncapi, not "raml"/);
});
