/** Stream files with schemas of a registry, loaded as the gateway and its commands do. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { EXIT, StartError } from '../../src/common/errors.ts';
import { readConfig } from '../../src/config/config.ts';
import { loadStreams } from '../../src/config/file-check.ts';
import { openRegistry } from '../../src/schema-registry/open.ts';
import { TestRegistry } from '../support/schema-registry.ts';

const folder = mkdtempSync(join(tmpdir(), 'forebay-open-'));
const registry = new TestRegistry();
before(async () => {
  await registry.listen();
  registry.registerJson('events-value', { type: 'object', requird: ['a'] });
});
after(async () => {
  await registry.close();
  rmSync(folder, { recursive: true });
});

function file(name: string, content: string): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

const streamsOf = (subject: string) =>
  `version: 1\nstreams: { a: { topic: t, schema: { subject: ${subject} } } }`;

function configOf(env: Record<string, string> = {}, subject = 'events-value') {
  return readConfig({
    FOREBAY_SCHEMA_REGISTRY_URL: registry.url,
    FOREBAY_SCHEMA_REGISTRY_CACHE_DIR: join(folder, 'copies'),
    FOREBAY_STREAMS_FILE: file('streams.yaml', streamsOf(subject)),
    ...env,
  });
}

async function failure(load: () => unknown) {
  try {
    await load();
  } catch (error) {
    assert(error instanceof StartError, String(error));
    return [error.exitCode, error.message] as const;
  }
  assert.fail('it is usable');
}

test('a file is loaded with the schemas of the registry, and their warnings', async () => {
  const loaded = await loadStreams(configOf());
  const { schema } = loaded!.file.streams[0]!;
  assert.deepEqual([schema?.file, schema?.registered?.id], ['events-value version 1', 1]);
  assert.match(loaded!.warnings.join(), /subject: "events-value" \/requird is not a keyword/);
});

test('without the registry a restart may help, with a wrong file it does not', async () => {
  registry.state = 'broken';
  const [unavailable, reason] = await failure(() => loadStreams(configOf()));
  assert.equal(unavailable, EXIT.failed);
  assert.match(reason, /:2:46: streams\.a\.schema\.subject: "events-value": response 500$/);
  registry.state = 'good';
  const [absent, text] = await failure(() => loadStreams(configOf({}, 'none')));
  assert.deepEqual(absent, EXIT.configuration);
  assert.match(text, /"none": the registry has no such subject \(40401\)$/);
});

test('a gateway keeps what it has read; other schemas are forgotten', async () => {
  const opened = openRegistry(configOf());
  await loadStreams(configOf(), [], opened);
  registry.requests.length = 0;
  await loadStreams(configOf(), [], opened);
  assert.deepEqual(registry.requests, [], 'its polls read later versions');
  await loadStreams(configOf({}, '"events-value", version: 1'), [], opened);
  const latest = { subject: 'events-value', requested: 'latest' } as const;
  assert.equal(opened.ageSeconds(latest), undefined);
});

test('unusable files of credentials and certificates are errors of their settings', async () => {
  const auth = 'FOREBAY_SCHEMA_REGISTRY_AUTH_FILE';
  const ca = 'FOREBAY_SCHEMA_REGISTRY_CA_FILE';
  for (const [env, expected] of [
    [{ [auth]: file('two', 's3cret\nlines') }, /AUTH_FILE: .*two must have one line: user:pass/],
    [{ [auth]: join(folder, 'none') }, /AUTH_FILE: cannot read .*none: no such file/],
    [{ [auth]: file('empty', '') }, /AUTH_FILE: .*empty is empty/],
    [{ [ca]: file('ca', 'no PEM') }, /CA_FILE: .*ca has no PEM certificate/],
  ] as const) {
    const [exitCode, message] = await failure(() => loadStreams(configOf(env)));
    assert.equal(exitCode, EXIT.failed);
    assert.match(message, expected);
    assert(!message.includes('s3cret'));
  }
});

test('the URL is a base address without credentials, and required by the other settings', () => {
  const url = (value: string) => readConfig({ FOREBAY_SCHEMA_REGISTRY_URL: value });
  for (const value of ['http://registry:8081', 'https://r.example/apis/ccompat/v7']) {
    assert.equal(url(value).schemaRegistryUrl?.href.replace(/\/$/, ''), value);
  }
  const parts = [
    'r.example',
    'ftp://r',
    'http://me@r',
    'http://me:s3cret@r',
    'http://r/?a',
    'http://r/#a',
  ];
  for (const value of parts) {
    assert.throws(
      () => url(value),
      (error: Error) => {
        assert.match(error.message, /FOREBAY_SCHEMA_REGISTRY_URL must be an http or https address/);
        assert(!error.message.includes('s3cret'));
        return true;
      },
    );
  }
  assert.throws(() => readConfig({ FOREBAY_SCHEMA_REGISTRY_AUTH_FILE: 'x' }), {
    message: /FOREBAY_SCHEMA_REGISTRY_\*_FILE requires FOREBAY_SCHEMA_REGISTRY_URL/,
  });
});
