import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, test } from 'node:test';
import {
  authorizationOf,
  RegistryClient,
  type RegistryClientOptions,
  RegistryUnavailable,
  UnusableVersion,
} from '../../src/schema-registry/client.ts';
import { REGISTRY_LIMITS } from '../../src/schema-registry/limits.ts';
import { Authority } from '../../testing/certificates.ts';
import { type RegistryState, TestRegistry } from '../support/schema-registry.ts';

const GUID = '01234567-89AB-cdef-0123-456789abcdef';
const SCHEMA = { type: 'object', required: ['a'] };
const folder = mkdtempSync(join(tmpdir(), 'forebay-registry-client-'));
const authFile = join(folder, 'auth');
const registry = new TestRegistry();

before(async () => {
  await registry.listen();
  registry.registerJson('plain', SCHEMA);
  registry.registerJson('plain', { type: 'object' }, { guid: GUID });
  registry.register('a/b: ü', { schema: SCHEMA, schemaType: 'JSON', id: 7 });
  registry.register('avro', { schema: '"string"' });
  registry.register('proto', { schema: 'message A {}', schemaType: 'PROTOBUF' });
});
after(async () => {
  await registry.close();
  rmSync(folder, { recursive: true });
});
afterEach(() => {
  registry.state = 'good';
  registry.authorization = undefined;
  registry.hasEtags = false;
  registry.prefix = '';
});

function clientOf(options: Partial<RegistryClientOptions> = {}) {
  return new RegistryClient({ url: new URL(registry.url), ...options });
}

function read(subject: string, version: 'latest' | number = 'latest', options = {}) {
  const client = clientOf(options);
  return client.read(subject, version, client.deadline());
}

test('a version is read by its number, or as the latest', async () => {
  const first = await read('plain', 1);
  const schema = JSON.stringify(SCHEMA);
  const expected = { version: 1, id: 1, guid: undefined, schema, references: [], etag: undefined };
  assert.deepEqual(first, expected);
  const latest = await read('plain');
  assert.deepEqual([latest?.version, latest?.guid], [2, GUID.toLowerCase()]);
});

test('names of subjects are encoded, and the path of the base URL is a prefix', async () => {
  registry.prefix = '/apis/ccompat/v7';
  registry.requests.length = 0;
  assert.equal((await read('a/b: ü'))?.id, 7);
  const url = new URL(`${registry.url}/`);
  assert.equal((await read('a/b: ü', 1, { url }))?.id, 7);
  const path = '/apis/ccompat/v7/subjects/a%2Fb%3A%20%C3%BC/versions';
  assert.deepEqual(registry.requests, [`GET ${path}/latest`, `GET ${path}/1`]);
});

test('what the registry does not have, and other types of schemas, are unusable', async () => {
  for (const [subject, version, message] of [
    ['none', 'latest', /^the registry has no such subject \(40401\)$/],
    ['plain', 3, /^the registry has no such version \(40402\)$/],
    ['avro', 'latest', /^version 1 has the type AVRO; JSON is required$/],
    ['proto', 1, /^version 1 has the type PROTOBUF; JSON is required$/],
  ] as const) {
    await assert.rejects(read(subject, version), (error: Error) => {
      assert(error instanceof UnusableVersion, subject);
      assert.match(error.message, message);
      return true;
    });
  }
});

test('a registry that does not respond as its API describes is unavailable', async () => {
  for (const [state, message] of [
    ['silent', /^no response within 100 ms$/],
    ['broken', /^response 500$/],
    ['redirecting', /^redirected to http:\/\/127\.0\.0\.1:9, which is not followed \(302\)$/],
    ['not JSON', /^the response is not one of a schema registry: no JSON object$/],
    ['wrong JSON', /^the response is not one of a schema registry: id$/],
    ['endless', new RegExp(`^the response is longer than ${REGISTRY_LIMITS.bytes} bytes$`)],
  ] as const satisfies readonly (readonly [RegistryState, RegExp])[]) {
    registry.state = state;
    const timeoutMs = state === 'silent' ? 100 : 30_000;
    await assert.rejects(read('plain', 1, { timeoutMs }), (error: Error) => {
      assert(error instanceof RegistryUnavailable, state);
      assert.match(error.message, message, state);
      return true;
    });
  }
  const closed = await new TestRegistry().listen();
  const url = new URL(closed.url);
  await closed.close();
  await assert.rejects(read('plain', 1, { url }), {
    name: 'Error',
    message: /^connection refused \(ECONNREFUSED\)$/,
  });
});

test('credentials come from a file, which may change, and appear in no message', async () => {
  registry.authorization = `Basic ${Buffer.from('me:se:cret').toString('base64')}`;
  writeFileSync(authFile, 'me:wrong');
  const refused = /^the registry refused access 401: Unauthorized$/;
  await assert.rejects(read('plain', 1, { authFile }), { message: refused });
  await assert.rejects(read('plain', 1), { message: refused });
  writeFileSync(authFile, 'me:se:cret\n');
  assert.equal((await read('plain', 1, { authFile }))?.version, 1);
  registry.authorization = 'Bearer ey.J-_~+/0=';
  writeFileSync(authFile, 'ey.J-_~+/0=\r\n');
  assert.equal((await read('plain', 1, { authFile }))?.version, 1);
  writeFileSync(authFile, 'two\nlines');
  const lines = /auth must have one line: user:password, or a token$/;
  await assert.rejects(read('plain', 1, { authFile }), { message: lines });
  const none = join(folder, 'none');
  await assert.rejects(read('plain', 1, { authFile: none }), { message: /cannot be read: / });
});

test('a text with a colon is user and password, any other a token', () => {
  const basic = (text: string) => `Basic ${Buffer.from(text).toString('base64')}`;
  for (const [content, expected] of [
    ['user:pass word', basic('user:pass word')],
    ['user:', basic('user:')],
    ['token', 'Bearer token'],
    ['', undefined],
    [':', undefined],
    ['to ken', undefined],
    ['a:b\nc:d', undefined],
  ] as const) {
    assert.equal(authorizationOf(content), expected, content);
  }
});

test('a known version is requested conditionally', async () => {
  registry.hasEtags = true;
  const client = clientOf();
  const found = await client.read('plain', 'latest', client.deadline());
  const again = await client.read('plain', 'latest', client.deadline(), found?.etag);
  assert.deepEqual([typeof found?.etag, again], ['string', undefined]);
  registry.registerJson('plain', { type: 'object', title: 'third' });
  const next = await client.read('plain', 'latest', client.deadline(), found?.etag);
  assert.equal(next?.version, 3);
});

test('a registry over https is verified against the CA of the settings', async () => {
  const authority = new Authority();
  const { certFile, keyFile } = authority.issue('registry');
  const tls = { cert: readFileSync(certFile, 'utf8'), key: readFileSync(keyFile, 'utf8') };
  const secure = await new TestRegistry(tls).listen();
  try {
    secure.registerJson('plain', SCHEMA);
    const url = new URL(secure.url);
    const ca = readFileSync(authority.caFile, 'utf8');
    assert.equal((await read('plain', 1, { url, ca }))?.version, 1);
    await assert.rejects(read('plain', 1, { url }), RegistryUnavailable);
  } finally {
    await secure.close();
  }
});
