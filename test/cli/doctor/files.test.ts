import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { checkAllFiles } from '../../../src/cli/doctor/files.ts';
import { Report } from '../../../src/cli/doctor/report.ts';
import { readConfig } from '../../../src/config/config.ts';
import { resultsOf } from './doctoring.ts';

function folderOf(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'forebay-doctor-'));
  t.after(() => rmSync(folder, { recursive: true }));
  return folder;
}

async function check(env: Record<string, string>) {
  const report = new Report(() => {});
  const file = await checkAllFiles(readConfig(env), report.section('files'));
  return { topics: file?.streams.map(({ topic }) => topic), found: report };
}

test('a stream file and its schemas: their numbers; warnings are findings', async (t) => {
  const folder = folderOf(t);
  const path = join(folder, 'streams.yaml');
  writeFileSync(join(folder, 'click.json'), '{"type":"object","requird":["a"]}');
  writeFileSync(
    path,
    `version: 1
streams:
  clicks: { topic: a, key: { field: id }, schema: { file: click.json } }
  views: { topic: b, key: none, schema: { file: click.json } }
`,
  );
  const env = { FOREBAY_STREAMS_FILE: path, FOREBAY_SCHEMA_REGISTRY_URL: 'http://127.0.0.1:1' };
  const { topics, found } = await check(env);
  assert.deepEqual(topics, ['a', 'b']);
  assert.deepEqual(resultsOf(found, 'files', 'files'), ['ok: usable: FOREBAY_STREAMS_FILE']);
  const schemas = resultsOf(found, 'files', 'schemas');
  assert.equal(schemas.at(-1), 'ok: 2 streams, 2 topics, schemas: 1 compiled');
  assert.match(schemas[0]!, /^warn: .*requird/);
  assert.deepEqual(resultsOf(found, 'files', 'schema registry'), [
    'warn: no stream has a schema of http://127.0.0.1:1',
  ]);
});

test('an unusable schema fails with its location, and the topics are still known', async (t) => {
  const folder = folderOf(t);
  const path = join(folder, 'streams.yaml');
  writeFileSync(join(folder, 'click.json'), '{"type":"text"}');
  writeFileSync(
    path,
    'version: 1\nstreams:\n  clicks: { topic: a, key: none, schema: { file: click.json } }\n',
  );
  const { topics, found } = await check({ FOREBAY_STREAMS_FILE: path });
  assert.deepEqual(topics, ['a']);
  assert.match(resultsOf(found, 'files', 'files').join(), /^fail: .*streams.yaml:3:\d+: .*\/type/);
  assert.deepEqual(resultsOf(found, 'files', 'schemas'), ['skip: the step files failed']);
});

test('the keys of a JWKS URL are counted; another response is a failure', async (t) => {
  const keys = [{ kty: 'OKP', crv: 'Ed25519', x: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo' }];
  const server = createServer((request, response) => {
    if (request.url === '/keys') response.end(JSON.stringify({ keys }));
    else response.writeHead(404).end();
  });
  t.after(() => server.close().closeAllConnections());
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', () => resolve()));
  const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const result = async (path: string) => {
    const jwt = { FOREBAY_JWT_AUDIENCE: 'a', FOREBAY_JWT_ISSUER: 'a' };
    const { found } = await check({ FOREBAY_JWT_JWKS_URL: `${base}${path}`, ...jwt });
    return resultsOf(found, 'files', 'JWKS').join();
  };
  assert.equal(await result('/keys'), `ok: 1 keys at ${base}`);
  assert.equal(await result('/other'), `fail: ${base}: the response has status 404`);
});
