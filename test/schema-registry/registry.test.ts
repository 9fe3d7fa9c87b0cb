import assert from 'node:assert/strict';
import {
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, beforeEach, test } from 'node:test';
import { RegistryClient } from '../../src/schema-registry/client.ts';
import { SchemaCopies } from '../../src/schema-registry/copies.ts';
import { type RegistryListener, SchemaRegistry } from '../../src/schema-registry/registry.ts';
import type { SchemaName } from '../../src/streams/stream-file.ts';
import { compileSchema } from '../../src/worker/intake/compile-schema.ts';
import { until } from '../../testing/wait.ts';
import { TestRegistry } from '../support/schema-registry.ts';

const LATEST: SchemaName = { subject: 'clicks-value', requested: 'latest' };
const FIRST: SchemaName = { subject: 'clicks-value', requested: 1 };
const GUID = '01234567-89ab-cdef-0123-456789abcdef';
const root = mkdtempSync(join(tmpdir(), 'forebay-registry-'));
let folder: string;
let server: TestRegistry;
let opened: SchemaRegistry[] = [];
let folders = 0;

beforeEach(async () => {
  folder = join(root, String(folders++), 'schemas');
  server = await new TestRegistry().listen();
  server.registerJson('clicks-value', { type: 'object', title: 'one' }, { id: 41, guid: GUID });
});
afterEach(async () => {
  for (const registry of opened) registry.stop();
  opened = [];
  await server.close();
});
after(() => rmSync(root, { recursive: true }));

async function check(text: string): Promise<string[]> {
  compileSchema(text);
  return text.includes('warning') ? ['/x is ignored'] : [];
}

/** A registry as after a start of the gateway. */
function open(): SchemaRegistry {
  const client = new RegistryClient({ url: new URL(server.url), timeoutMs: 10_000 });
  const copies = new SchemaCopies(folder, client.address);
  // Polls without pause: the tests wait for conditions.
  const times = { pollMs: 1, retryMs: { first: 1, last: 1 } };
  const registry = new SchemaRegistry({ client, copies, check, times });
  opened.push(registry);
  return registry;
}

/** Records what the listener is called with. */
function listener() {
  const calls: string[] = [];
  const record =
    (name: string) =>
    ({ subject }: SchemaName, reason = '') =>
      void calls.push(`${name} ${subject} ${reason}`.trim());
  const all: RegistryListener = {
    changed: () => void calls.push('changed'),
    rejected: record('rejected'),
    failed: record('failed'),
    recovered: record('recovered'),
    notCopied: record('notCopied'),
  };
  return { calls, all };
}

const titleOf = (registry: SchemaRegistry, name = LATEST) =>
  (JSON.parse(registry.find(name).schema.text) as { title: string }).title;

/** Waits until the copy of the latest version has this title, or there is any copy. */
function untilCopied(title = '') {
  return until(() => {
    const names = folderNames().filter((name) => name.endsWith('.json'));
    return names.some((name) => readFileSync(join(folder, name), 'utf8').includes(title));
  });
}

function folderNames(): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

test('a schema has the version, id and GUID of the registry', async () => {
  const registry = open();
  await registry.provide([LATEST, FIRST]);
  const { schema, warnings, note } = registry.find(LATEST);
  const text = '{"type":"object","title":"one"}';
  assert.deepEqual(schema, { ...LATEST, version: 1, id: 41, guid: GUID, text });
  assert.deepEqual([warnings, note], [[], undefined]);
  assert.deepEqual(registry.find(FIRST).schema, { ...schema, requested: 1 });
  assert((registry.ageSeconds(LATEST) ?? 60) < 60);
  assert.deepEqual(folderNames(), [], 'only a running gateway writes copies');
});

test('a later version replaces the latest, and is announced once', async () => {
  const registry = open();
  await registry.provide([LATEST, FIRST]);
  const { calls, all } = listener();
  registry.start(all);
  server.registerJson('clicks-value', { type: 'object', title: 'a warning' });
  await until(() => calls.length > 0);
  assert.deepEqual([titleOf(registry), titleOf(registry, FIRST)], ['a warning', 'one']);
  assert.deepEqual(registry.find(LATEST).warnings, ['/x is ignored']);
  const seen = server.requests.length;
  await until(() => server.requests.length > seen + 4);
  assert.deepEqual(calls, ['changed']);
});

test('a version that does not compile changes nothing, and is reported once', async () => {
  const registry = open();
  await registry.provide([LATEST]);
  const { calls, all } = listener();
  registry.start(all);
  await untilCopied('one');
  server.registerJson('clicks-value', { type: 'objekt', title: 'two' });
  await until(() => calls.length > 0);
  const seen = server.requests.length;
  await until(() => server.requests.length > seen + 4);
  assert.equal(calls.length, 1);
  assert.match(calls[0]!, /^rejected clicks-value version 2 is not a valid schema of draft-07/);
  assert.equal(titleOf(registry), 'one');
  assert.match(
    registry.find(LATEST).note ?? '',
    /^uses version 1, confirmed .*: version 2 is not /,
  );
  assert.equal(registry.failures, 0, 'the registry has answered');
  const restarted = open();
  await restarted.provide([LATEST]);
  assert.equal(titleOf(restarted), 'one', 'the copy is the last good version');
  server.registerJson('clicks-value', { type: 'object', title: 'three' });
  await until(() => calls.length > 2);
  assert.deepEqual(
    [titleOf(registry), calls.slice(1)],
    ['three', ['recovered clicks-value', 'changed']],
  );
});

test('while the registry is down, a start uses the copy, and a running gateway goes on', async () => {
  const first = open();
  await first.provide([LATEST]);
  const { calls, all } = listener();
  first.start(all);
  await untilCopied('one');
  server.state = 'broken';
  await until(() => calls.length > 0);
  assert.deepEqual(calls, ['failed clicks-value response 500']);
  assert.equal(titleOf(first), 'one');
  assert(first.failures > 0);
  first.stop();

  const second = open();
  await second.provide([LATEST]);
  const { schema, note } = second.find(LATEST);
  assert.deepEqual([schema.version, schema.id, schema.guid], [1, 41, GUID]);
  assert.match(note ?? '', /^uses version 1, confirmed 20.*: response 500$/);
  const restarted = listener();
  second.start(restarted.all);
  server.state = 'good';
  await until(() => restarted.calls.length > 0);
  assert.deepEqual(restarted.calls, ['recovered clicks-value'], 'the same version is no change');
  assert.equal(second.find(LATEST).note, undefined);
});

test('the age of a copy survives a restart', async () => {
  const first = open();
  await first.provide([LATEST]);
  first.start(listener().all);
  await untilCopied('one');
  first.stop();
  server.state = 'broken';
  const [name] = folderNames();
  const path = join(folder, name!);
  utimesSync(path, Date.now() / 1_000 - 3_600, Date.now() / 1_000 - 3_600);
  const second = open();
  await second.provide([LATEST]);
  assert.equal(Math.round((second.ageSeconds(LATEST) ?? 0) / 60), 60);
  assert.equal(statSync(path).mode & 0o777, 0o600);
});

test('without a registry and a usable copy, a schema has a reason', async () => {
  const first = open();
  await first.provide([LATEST]);
  first.start(listener().all);
  await untilCopied('one');
  first.stop();
  const path = join(folder, folderNames()[0]!);
  const text = readFileSync(path, 'utf8');
  server.state = 'broken';
  for (const damage of [text.replace('one', 'oen'), text.slice(0, -1), '[]', '']) {
    writeFileSync(path, damage);
    const registry = open();
    await registry.provide([LATEST]);
    assert.throws(() => registry.find(LATEST), {
      message: /^response 500; the copy .* is damaged$/,
    });
    assert(registry.lacks([LATEST]));
  }
  const other = open();
  await other.provide([FIRST]);
  assert.throws(() => other.find(FIRST), { message: 'response 500' }, 'the copy is of `latest`');
  server.state = 'good';
  await other.provide([FIRST]);
  assert.equal(titleOf(other, FIRST), 'one', 'the next attempt asks again');
});

test('a subject that is no JSON Schema or does not exist is not the fault of the registry', async () => {
  server.register('avro', { schema: '"string"' });
  const registry = open();
  const names = ['avro', 'none'].map((subject) => ({ subject, requested: 'latest' as const }));
  await registry.provide(names);
  assert.throws(() => registry.find(names[0]!), { message: /^version 1 has the type AVRO/ });
  assert.throws(() => registry.find(names[1]!), { message: /has no such subject \(40401\)$/ });
  assert(!registry.lacks(names));
});

test('references are included; one that is missing is named', async () => {
  server.registerJson('country', { type: 'string', maxLength: 2 });
  const schema = { type: 'object', properties: { country: { $ref: 'country.json' } } };
  const references = [{ name: 'country.json', subject: 'country', version: 1 }];
  server.registerJson('with', schema, { references });
  const missing = [{ name: 'city.json', subject: 'city', version: 1 }];
  server.registerJson('without', schema, { references: missing });
  const registry = open();
  const names = ['with', 'without'].map((subject) => ({ subject, requested: 'latest' as const }));
  await registry.provide(names);
  assert.match(registry.find(names[0]!).schema.text, /maxLength/);
  assert.throws(() => registry.find(names[1]!), {
    message: /^its reference city\.json \(city, version 1\): the registry has no such subject/,
  });
});

test('a directory that cannot be written is reported once; the schemas are used', async () => {
  const file = join(root, 'file');
  writeFileSync(file, '');
  folder = join(file, 'schemas');
  const registry = open();
  await registry.provide([LATEST]);
  const { calls, all } = listener();
  registry.start(all);
  const seen = server.requests.length;
  await until(() => server.requests.length > seen + 4);
  assert.deepEqual(calls, ['notCopied clicks-value not a directory (ENOTDIR)']);
  assert.equal(registry.find(LATEST).note, undefined);
});

test('only schemas in use are polled', async () => {
  server.registerJson('orders-value', { type: 'object' });
  const orders: SchemaName = { subject: 'orders-value', requested: 'latest' };
  const registry = open();
  await registry.provide([LATEST, orders]);
  registry.retain([orders]);
  server.requests.length = 0;
  registry.start(listener().all);
  await until(() => server.requests.length > 2);
  assert(server.requests.every((line) => line.includes('orders-value')));
  assert.equal(registry.ageSeconds(LATEST), undefined);
});
