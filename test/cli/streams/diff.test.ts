import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, test } from 'node:test';
import { readConfig } from '../../../src/config/config.ts';
import { streamLoader } from '../../../src/config/file-check.ts';
import { describeStreams } from '../../../src/streams/description.ts';
import { Child, freePort } from '../../../testing/child.ts';
import { fencesOf } from '../../docs/fences.ts';

const folder = mkdtempSync(join(tmpdir(), 'forebay-diff-'));
const children: Child[] = [];
const servers: Server[] = [];
after(async () => {
  for (const child of children) await child.kill();
  for (const server of servers) server.close().closeAllConnections();
  rmSync(folder, { recursive: true });
});

function write(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

const FILE = write(
  'old.yaml',
  `version: 1
routing: { field: type }
streams:
  clicks: { topic: web.clicks, match: [click, tap], schema: { file: click.json } }
  orders: { topic: shop.orders, owner: team }
  logs: { topic: ops.logs }
`,
);
const SCHEMA = write('click.json', '{"type":"object"}');

/** An admin port with this response. @returns its port */
async function adminPort(status: number, body: string): Promise<number> {
  const server = createServer(({ url }, response) => {
    response.writeHead(url === '/streams' ? status : 500).end(body);
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

/** A gateway with these streams. */
async function running(file = FILE): Promise<number> {
  const load = await streamLoader(readConfig({}), file);
  return adminPort(200, JSON.stringify(describeStreams(load().file)));
}

async function diff(port: number, args: readonly string[], env: Record<string, string> = {}) {
  const settings = { FOREBAY_ADMIN_PORT: String(port), ...env };
  const child = new Child('dist/main.js', ['streams', 'diff', ...args], settings);
  children.push(child);
  const { code } = await child.ended;
  return { code, stdout: child.stdout, stderr: child.stderr };
}

test('without differences: one line, exit code 0', async () => {
  const port = await running();
  const base = `http://127.0.0.1:${port}`;
  const none = { code: 0, stdout: `no differences from ${base}\n`, stderr: '' };
  assert.deepEqual(await diff(port, [FILE]), none);
  assert.deepEqual(await diff(1, ['--gateway', `${base}/`], { FOREBAY_STREAMS_FILE: FILE }), none);
  const { code, stdout } = await diff(port, [FILE, '--json']);
  const parts = { added: {}, removed: {}, changed: {}, routing: {} };
  assert.deepEqual(JSON.parse(stdout), { gateway: base, differs: false, ...parts });
  assert.equal(code, 0);
});

test('each difference on a line, exit code 1', async (t) => {
  const port = await running();
  const file = write(
    'new.yaml',
    `version: 1
routing: { field: kind, unknown: orders }
streams:
  clicks:
    topic: web.clicks
    match: [click, tap]
    schema: { file: click.json, mode: warn, candidate: click.json }
  orders: { topic: shop.orders.v2, create: { partitions: 3 }, owner: web }
  returns: { topic: shop.returns }
`,
  );
  writeFileSync(SCHEMA, '{"type":"object","required":["a"]}');
  t.after(() => writeFileSync(SCHEMA, '{"type":"object"}'));
  const { code, stdout, stderr } = await diff(port, [file]);
  assert.deepEqual(
    stdout.split('\n').map((line) => line.replace(/\([0-9a-f]{12}\)/g, '(DIGEST)')),
    [
      '- logs (topic ops.logs)',
      '+ returns (topic shop.returns)',
      '~ clicks',
      '    schema: click.json (DIGEST) -> click.json (DIGEST)',
      '    schemaMode: enforce -> warn',
      '    schemaCandidate: none -> click.json (DIGEST)',
      '~ orders',
      '    topic: shop.orders -> shop.orders.v2 (the old topic drains first)',
      '    create: none -> {"partitions":3,"config":{}} (only for a topic that does not exist)',
      '    owner: team -> web',
      '~ routing',
      '    field: type -> kind',
      '    unknown: refuse -> orders',
      '',
    ],
  );
  assert.deepEqual([code, stderr], [1, '']);
  const json = await diff(port, [file, '--json']);
  assert.equal(json.code, 1);
  const { differs, changed, removed } = JSON.parse(json.stdout);
  assert.equal(differs, true);
  assert.deepEqual(Object.keys(removed), ['logs']);
  assert.deepEqual(changed.orders.topic, { old: 'shop.orders', new: 'shop.orders.v2' });
});

test('the page shows the differences of its example', async () => {
  const example = 'examples/streams/streams.yaml';
  const fences = fencesOf('docs/streams.md', readFileSync('docs/streams.md', 'utf8'));
  const block = fences.find(({ text }) => text.includes('streams diff examples/streams/new.yaml'));
  const [, ...shown] = block!.text.split('\n');
  const changed = readFileSync(example, 'utf8')
    .replace('eventBytes: 4096', 'eventBytes: 8192')
    .replace('shop.orders.v1', 'shop.orders.v2')
    .replaceAll('schemas/', `${resolve('examples/streams/schemas')}/`);
  const { code, stdout } = await diff(await running(example), [write('example.yaml', changed)]);
  assert.deepEqual([code, stdout.split('\n')], [1, shown]);
});

test('no gateway, another server, no stream file there, invalid file: one line, exit code 2', async () => {
  const error = { code: 'not_found', message: 'no stream file: FOREBAY_STREAMS_FILE is not set' };
  const [none, page, odd, old, free] = await Promise.all([
    adminPort(404, JSON.stringify({ error })),
    adminPort(502, '<html>'),
    adminPort(200, '{"streams":[]}'),
    adminPort(200, '{"routing":{},"streams":{"a":1}}'),
    freePort(),
  ]);
  const broken = write('broken.yaml', 'version: 1\nstreams: { a: {} }');
  const rows: [number, string[], RegExp][] = [
    [free, [FILE], /\/streams: connection refused \(ECONNREFUSED\)/],
    [none, [FILE], /\/streams: 404 no stream file: FOREBAY_STREAMS_FILE is not set$/m],
    [page, [FILE], /\/streams: 502 not a gateway’s response$/m],
    [odd, [FILE], /\/streams: 200 not a gateway’s response$/m],
    [old, [FILE], /\/streams: 200 not a gateway’s response$/m],
    [free, [broken], /broken\.yaml:2:12: streams\.a/],
    [free, [FILE, 'x'], /unexpected argument "x"/],
    [free, [], /the file is missing: name it, or set FOREBAY_STREAMS_FILE/],
    [free, [FILE, '--gateway', 'localhost:9001'], /--gateway must be a URL without a path/],
    [free, [FILE, '--gateway', 'http://a/x'], /--gateway must be a URL without a path/],
  ];
  for (const [port, args, message] of rows) {
    const { code, stdout, stderr } = await diff(port, args);
    assert.deepEqual([code, stdout], [2, ''], args.join(' '));
    assert.match(stderr, message);
    assert.equal(stderr.trimEnd().split('\n').length, 1, stderr);
  }
});
