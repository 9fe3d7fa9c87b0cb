import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import {
  type IncomingHttpHeaders,
  type RequestOptions,
  request,
  type ServerResponse,
} from 'node:http';
import { type AddressInfo, connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, type TestContext, test } from 'node:test';
import type { Readiness } from '../../src/ipc.ts';
import { Admin, type AdminSources } from '../../src/primary/admin.ts';
import { readAdminToken, refuseCommand, refuseViewer } from '../../src/primary/commands.ts';
import type { StreamViolations } from '../../src/primary/violations.ts';
import { describeStreams, type StreamsDescription } from '../../src/streams/description.ts';
import type { TailFilter } from '../../src/tail/filter.ts';
import { freePort } from '../../testing/child.ts';
import { parse } from '../streams/support.ts';

let readiness: Readiness = { ready: true, reasons: [] };
let broken = false;
const failures: Error[] = [];
const endpoint = (port: number) => ({
  host: '127.0.0.1',
  port,
  hostEnv: 'FOREBAY_ADMIN_HOST',
  portEnv: 'FOREBAY_ADMIN_PORT',
});
/** Commands received. */
const taken: string[] = [];
let restart: 'begun' | 'queued' | 'draining' = 'begun';
const commands = {
  streams: () => streams,
  violations: () => violations,
  drain: () => taken.push('drain'),
  restartWorkers: () => {
    taken.push('restart');
    return restart;
  },
};
let streams: StreamsDescription | undefined;
const liveView = {
  watch: (response: ServerResponse) => {
    if (full) return false;
    response.writeHead(200, { 'Content-Type': 'text/event-stream' }).end('event: past\n\n');
    return true;
  },
};
/** Filters of the viewers that were accepted. */
const tailed: TailFilter[] = [];
const tail = {
  streams: ['clicks', '(none)'],
  watch: (response: ServerResponse, filter: TailFilter) => {
    if (full) return false;
    tailed.push(filter);
    response.writeHead(200, { 'Content-Type': 'text/event-stream' }).end('event: begin\n\n');
    return true;
  },
};
let full = false;
let violations: readonly StreamViolations[] = [];
const admin = new Admin({
  ...commands,
  liveView,
  tail,
  tailAccess: '0',
  host: '127.0.0.1',
  hosts: [],
  token: undefined,
  metrics: async () => {
    if (broken) throw new Error('seeded');
    return { contentType: 'text/plain; version=0.0.4', text: 'forebay_draining 0\n' };
  },
  readiness: () => readiness,
  version: '1.2.3',
  transport: 'uws',
  failed: (error) => failures.push(error),
});
let base = '';

before(async () => {
  const port = await freePort();
  await admin.listen(endpoint(port));
  base = `http://127.0.0.1:${port}`;
});
after(() => admin.close());

test('GET and HEAD /metrics, also with a query', async () => {
  const response = await fetch(`${base}/metrics?name=x`);
  assert.equal(response.status, 200);
  assert.equal(response.headers.get('content-type'), 'text/plain; version=0.0.4');
  assert.equal(response.headers.get('x-content-type-options'), 'nosniff');
  assert.equal(response.headers.get('cache-control'), 'no-store');
  assert.equal(await response.text(), 'forebay_draining 0\n');
  const head = await fetch(`${base}/metrics`, { method: 'HEAD' });
  assert.equal(head.status, 200);
  assert.equal(head.headers.get('content-length'), '19');
  assert.equal(await head.text(), '');
});

test('/livez is 200 regardless of readiness', async () => {
  readiness = { ready: false, reasons: ['draining'] };
  const response = await fetch(`${base}/livez`);
  assert.equal(response.status, 200);
  assert.equal(response.headers.get('content-length'), '15');
  assert.equal(await response.text(), '{"alive":true}\n');
});

test('/readyz returns readiness, reasons and version', async () => {
  readiness = { ready: false, reasons: ['Kafka cannot be reached', 'draining'] };
  const not = await fetch(`${base}/readyz`);
  assert.equal(not.status, 503);
  assert.deepEqual(await not.json(), { ...readiness, version: '1.2.3', transport: 'uws' });
  assert.equal((await fetch(`${base}/readyz`, { method: 'HEAD' })).status, 503);
  readiness = { ready: true, reasons: [] };
  const ready = await fetch(`${base}/readyz`);
  assert.equal(ready.status, 200);
  const content = { ready: true, reasons: [], version: '1.2.3', transport: 'uws' };
  assert.deepEqual(await ready.json(), content);
});

test('/streams returns the streams in use, to every client; 404 without a stream file', async (t) => {
  const none = await fetch(`${base}/streams`);
  assert.equal(none.status, 404);
  const message = 'no stream file: FOREBAY_STREAMS_FILE is not set';
  assert.deepEqual(await none.json(), { error: { code: 'not_found', message } });
  const { file } = parse('version: 1\nstreams: { a: { topic: t, schema: { file: s/a.json } } }');
  streams = describeStreams(file!, 3);
  t.after(() => {
    streams = undefined;
  });
  const response = await fetch(`${base}/streams`);
  assert.equal(response.status, 200);
  assert.equal(response.headers.get('cache-control'), 'no-store');
  assert.deepEqual(await response.json(), {
    version: 3,
    routing: { unknown: 'refuse' },
    streams: {
      a: {
        topic: 't',
        match: [],
        schema: { file: 'a.json', sha256: createHash('sha256').update('{}').digest('hex') },
        schemaMode: 'enforce',
        key: ['user.id'],
        headers: [],
        idField: 'id',
        time: 'arrival',
        ip: 'truncated',
        value: 'json',
        limits: { bufferShare: 1 },
        access: 'keyed',
        plain: 'accept',
        required: true,
      },
    },
  });
  assert.equal((await fetch(`${base}/streams`, { method: 'POST' })).status, 405);
  const foreign = await ask(`${base}/streams`, { headers: { host: 'evil.example' } });
  assert.equal(foreign.status, 403);
});

test('/violations returns the violations as JSON, to every client with a known host name', async () => {
  const seen = { code: 'schema', reason: '/price must be number', events: 2, atMs: 5 } as const;
  const reasons = [{ ...seen, example: '{"price": string(3)}' }];
  violations = [{ stream: 'clicks', kind: 'rejected', events: 3, reasons, otherEvents: 1 }];
  const response = await fetch(`${base}/violations`);
  assert.equal(response.status, 200);
  assert.equal(response.headers.get('content-type'), 'application/json');
  assert.equal(response.headers.get('x-content-type-options'), 'nosniff');
  assert.deepEqual(await response.json(), { streams: violations });
  assert.equal((await fetch(`${base}/violations`, { method: 'HEAD' })).status, 200);
  assert.equal((await fetch(`${base}/violations`, { method: 'POST' })).status, 405);
  const foreign = await ask(`${base}/violations`, { headers: { host: 'evil.example' } });
  assert.equal(foreign.status, 403);
});

test('404 for unknown paths, 405 with Allow for other methods', async () => {
  for (const path of ['/index.html', '/metrics/', '/ws', '//livez', '/constructor']) {
    const response = await fetch(`${base}${path}`);
    assert.equal(response.status, 404, path);
    const { error } = (await response.json()) as { error: { code: string; message: string } };
    assert.equal(error.code, 'not_found');
    assert.equal(typeof error.message, 'string');
  }
  for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS']) {
    const response = await fetch(`${base}/metrics`, { method });
    assert.equal(response.status, 405, method);
    assert.equal(response.headers.get('allow'), 'GET, HEAD');
    const { error } = (await response.json()) as { error: { code: string } };
    assert.equal(error.code, 'method_not_allowed');
    assert.equal((await fetch(`${base}/`, { method })).headers.get('allow'), 'GET, HEAD');
    assert.equal((await fetch(`${base}/live`, { method })).headers.get('allow'), 'GET');
  }
});

test('the live view has the security headers of a page, and its data is streamed', async () => {
  const page = await fetch(`${base}/`);
  assert.equal(page.headers.get('content-type'), 'text/html; charset=utf-8');
  assert.equal(page.headers.get('cache-control'), 'no-cache');
  assert.match(page.headers.get('content-security-policy') ?? '', /default-src 'none'/);
  assert.match(await page.text(), /<title>Forebay, live</);
  const live = await fetch(`${base}/live`);
  assert.equal(live.headers.get('content-type'), 'text/event-stream');
  assert.equal(await live.text(), 'event: past\n\n');
});

test('a viewer above the limit gets 503 with Retry-After', async (t) => {
  full = true;
  t.after(() => {
    full = false;
  });
  const response = await fetch(`${base}/live`);
  assert.equal(response.status, 503);
  assert.equal(response.headers.get('retry-after'), '5');
  const { error } = (await response.json()) as { error: { code: string } };
  assert.equal(error.code, 'too_many_connections');
});

test('only the live view’s own page, under a name of this machine, may read its data', async () => {
  const see = (headers: Record<string, string>) => ask(`${base}/live`, { headers, json: false });
  const host = new URL(base).host;
  const allowed: Record<string, string>[] = [
    {},
    { host: 'localhost:9001', origin: 'http://localhost:9001' },
    { origin: base, 'sec-fetch-site': 'same-origin' },
    { 'sec-fetch-site': 'none' },
  ];
  for (const headers of allowed) {
    assert.equal((await see(headers)).status, 200, JSON.stringify(headers));
  }
  const foreign: Record<string, string>[] = [
    { origin: 'http://example.com' },
    { origin: 'null' },
    { origin: `http://${host}.example.com` },
    { 'sec-fetch-site': 'cross-site' },
    { 'sec-fetch-site': 'same-site' },
    { host: 'evil.example:9001' },
    { host: 'evil.example', origin: 'http://evil.example' },
  ];
  for (const headers of foreign) {
    assert.equal((await see(headers)).status, 403, JSON.stringify(headers));
  }
  const named = { host: 'forebay.example:9001', origin: 'http://forebay.example:9001' };
  assert.equal(refuseViewer(named), undefined);
});

test('a failed scrape is 500 and reported, and the next one works', async () => {
  broken = true;
  assert.equal((await fetch(`${base}/metrics`)).status, 500);
  assert.deepEqual(
    failures.map((error) => error.message),
    ['seeded'],
  );
  broken = false;
  assert.equal((await fetch(`${base}/metrics`)).status, 200);
});

test('a port in use is a one-line error', async () => {
  const holder = createServer();
  await new Promise<void>((resolve) => holder.listen(0, '127.0.0.1', resolve));
  const { port } = holder.address() as AddressInfo;
  const other = new Admin({
    ...commands,
    liveView,
    tail,
    tailAccess: '0',
    host: '127.0.0.1',
    hosts: [],
    token: undefined,
    metrics: () => Promise.reject(new Error('not asked')),
    readiness: () => readiness,
    version: '1.2.3',
    transport: 'uws',
    failed: () => {},
  });
  await assert.rejects(other.listen(endpoint(port)), {
    name: 'StartError',
    message: `FOREBAY_ADMIN_PORT: port ${port} is already in use on 127.0.0.1`,
    exitCode: 1,
  });
  await new Promise((resolve) => holder.close(resolve));
});

const post = (path: string, headers: Record<string, string> = {}) =>
  ask(`${base}${path}`, { method: 'POST', headers });

/** fetch sends its own `Host` and `Origin`. */
function ask(url: string, { json = true, ...options }: RequestOptions & { json?: boolean }) {
  return new Promise<{ status: number; headers: IncomingHttpHeaders; body: unknown }>(
    (resolve, reject) => {
      const asked = request(url, options, async (response) => {
        let text = '';
        for await (const data of response) text += data;
        const { statusCode: status = 0, headers } = response;
        resolve({ status, headers, body: json ? JSON.parse(text) : text });
      });
      asked.on('error', reject).end();
    },
  );
}

test('commands: 202 with the effect, 405 with Allow, 503 while it stops', async () => {
  taken.length = 0;
  const drain = await post('/drain');
  assert.deepEqual([drain.status, drain.body], [202, { drain: 'begun' }]);
  for (const state of ['begun', 'queued'] as const) {
    restart = state;
    const { status, body } = await post('/workers/restart');
    assert.deepEqual([status, body], [202, { restart: state }]);
  }
  restart = 'draining';
  const refused = await post('/workers/restart');
  assert.equal(refused.status, 503);
  assert.deepEqual(refused.body, {
    error: { code: 'draining', message: 'this instance is shutting down' },
  });
  assert.deepEqual(taken.splice(0), ['drain', 'restart', 'restart', 'restart']);
  for (const path of ['/drain', '/workers/restart']) {
    for (const method of ['GET', 'HEAD', 'PUT', 'OPTIONS']) {
      const response = await fetch(`${base}${path}`, { method });
      assert.equal(response.status, 405, method);
      assert.equal(response.headers.get('allow'), 'POST');
    }
  }
  assert.deepEqual(taken, []);
});

test('a web page cannot send commands: rejected by Origin, or by a rebound host name', async () => {
  for (const origin of [base, 'http://example.com', 'null']) {
    const { status, body } = await post('/drain', { origin });
    assert.equal(status, 403, origin);
    assert.equal((body as { error: { code: string } }).error.code, 'forbidden_origin');
  }
  const foreign = ['evil.example', 'evil.example:9001', '127.0.0.1.evil.example', '10.0.0.1'];
  for (const host of foreign) assert.equal((await post('/drain', { host })).status, 403, host);
  assert.equal(refuseCommand({}, '127.0.0.1', undefined)?.code, 'forbidden_origin');
  assert.deepEqual(taken, []);
  const own = ['localhost', 'LOCALHOST:9001', '127.0.0.1', '127.1.2.3:80', '[::1]', '[::1]:9001'];
  for (const host of own) assert.equal((await post('/drain', { host })).status, 202, host);
  assert.equal(taken.splice(0).length, own.length);
});

test('with a token: 401 without it, also under a listed name; health, metrics, live view need none', async (t) => {
  const port = await freePort();
  const guarded = new Admin({
    ...commands,
    liveView,
    tail,
    tailAccess: '0',
    host: '0.0.0.0',
    hosts: ['forebay.example'],
    token: 'a secret',
    metrics: async () => ({ contentType: 'text/plain', text: '' }),
    readiness: () => readiness,
    version: '1.2.3',
    transport: 'uws',
    failed: (error) => failures.push(error),
  });
  await guarded.listen(endpoint(port));
  t.after(() => guarded.close());
  const url = `http://127.0.0.1:${port}`;
  const drain = (headers: Record<string, string>) =>
    ask(`${url}/drain`, { method: 'POST', headers: { host: 'forebay.example', ...headers } });
  for (const authorization of ['', 'Bearer', 'Bearer a', 'Bearer a secrets', 'Basic a secret']) {
    const { status, headers, body } = await drain(authorization === '' ? {} : { authorization });
    assert.equal(status, 401, authorization);
    assert.equal(headers['www-authenticate'], 'Bearer');
    const error = { code: 'unauthorized', message: 'valid credentials are required' };
    assert.deepEqual(body, { error });
  }
  assert.deepEqual(taken, []);
  const good = { authorization: 'Bearer a secret' };
  assert.equal((await drain({ ...good, origin: 'http://forebay.example' })).status, 403);
  assert.equal((await drain(good)).status, 202);
  assert.deepEqual(taken.splice(0), ['drain']);
  for (const path of ['/livez', '/readyz', '/metrics', '/', '/live']) {
    assert.equal((await fetch(`${url}${path}`)).status, 200, path);
  }
});

test('the live tail is 404 while it is off, and says how to turn it on', async () => {
  const error = { code: 'not_found', message: 'the live tail is off: set FOREBAY_TAIL' };
  for (const path of ['/tail', '/events', '/tail?stream=clicks']) {
    const response = await fetch(`${base}${path}`);
    assert.equal(response.status, 404, path);
    assert.deepEqual(await response.json(), { error });
  }
  assert.deepEqual(tailed, []);
});

/** Another admin port, until the test ends. */
async function openPort(t: TestContext, options: Partial<AdminSources>): Promise<string> {
  const port = await freePort();
  const other = new Admin({
    ...commands,
    liveView,
    tail,
    tailAccess: '1',
    host: '127.0.0.1',
    hosts: [],
    token: 'a secret',
    metrics: async () => ({ contentType: 'text/plain', text: '' }),
    readiness: () => readiness,
    version: '1.2.3',
    transport: 'uws',
    failed: (error) => failures.push(error),
    ...options,
  });
  await other.listen(endpoint(port));
  t.after(() => other.close());
  return `http://127.0.0.1:${port}`;
}

test('the live tail requires the token, and pages of its own port', async (t) => {
  tailed.length = 0;
  const url = await openPort(t, {});
  const see = (headers: Record<string, string>, path = '/tail') =>
    ask(`${url}${path}`, { headers, json: false });
  const good = { authorization: 'Bearer a secret' };
  for (const headers of [{}, { authorization: 'Bearer another' }, { authorization: 'a secret' }]) {
    const { status, headers: answered } = await see(headers);
    assert.equal(status, 401);
    assert.equal(answered['www-authenticate'], 'Bearer');
  }
  for (const headers of [{ origin: 'http://example.com' }, { 'sec-fetch-site': 'cross-site' }]) {
    assert.equal((await see({ ...good, ...headers } as Record<string, string>)).status, 403);
  }
  assert.deepEqual(tailed, []);
  assert.equal((await see(good)).status, 200);
  assert.equal((await see({ ...good, origin: url, 'sec-fetch-site': 'same-origin' })).status, 200);
  assert.equal((await see({}, '/events')).status, 200, 'the page itself has no data');
  assert.equal((await fetch(`${url}/tail`, { method: 'POST' })).status, 405);
  const without = await openPort(t, { token: undefined });
  assert.equal((await ask(`${without}/tail`, {})).status, 401, 'never open by accident');
  const open = await openPort(t, { tailAccess: 'open' });
  assert.equal((await ask(`${open}/tail`, { json: false })).status, 200);
});

test('filters of the live tail are checked, and a viewer above the limit learns when to retry', async (t) => {
  tailed.length = 0;
  const url = await openPort(t, { tailAccess: 'open' });
  const query = 'stream=clicks&code=schema&code=too_large&text=Shoe';
  assert.equal((await ask(`${url}/tail?${query}`, { json: false })).status, 200);
  const filter = { stream: ['clicks'], code: ['schema', 'too_large'], text: 'shoe' };
  assert.deepEqual(tailed, [filter]);
  const wrong = await ask(`${url}/tail?stream=klicks`, {});
  const message = 'unknown stream "klicks", expected one of clicks, (none)';
  assert.deepEqual([wrong.status, wrong.body], [400, { error: { code: 'bad_request', message } }]);
  full = true;
  t.after(() => {
    full = false;
  });
  const { status, headers, body } = await ask(`${url}/tail`, {});
  assert.deepEqual([status, headers['retry-after']], [503, '5']);
  const { error } = body as { error: { code: string; message: string } };
  assert.equal(error.code, 'too_many_connections');
  assert.match(error.message, /3 viewers/);
});

const PATHS = ['/metrics', '/livez', '/readyz', '/', '/live', '/runbook', '/nothing'];

test('under a foreign host name every path is 403, for any method, and names the setting', async () => {
  for (const path of [...PATHS, '/drain', '/workers/restart']) {
    for (const method of ['GET', 'POST', 'HEAD']) {
      const options = { method, headers: { host: 'evil.example:9001' }, json: method !== 'HEAD' };
      const { status, body } = await ask(`${base}${path}`, options);
      assert.equal(status, 403, `${method} ${path}`);
      if (method === 'HEAD') continue;
      const { code, message } = (body as { error: { code: string; message: string } }).error;
      assert.equal(code, 'forbidden_origin');
      assert.match(message, /FOREBAY_ADMIN_HOSTS$/);
    }
  }
  assert.deepEqual(taken, []);
});

test('an HTTP/1.0 health check without a Host is answered, a command is not', async () => {
  const statusOf = async (line: string) => {
    const socket = connect(Number(new URL(base).port), '127.0.0.1');
    socket.end(`${line} HTTP/1.0\r\n\r\n`);
    let text = '';
    for await (const data of socket.setEncoding('utf8')) text += data;
    return text.split(' ')[1];
  };
  for (const path of ['/livez', '/readyz', '/metrics']) {
    assert.equal(await statusOf(`GET ${path}`), '200', path);
  }
  assert.equal(await statusOf('POST /drain'), '403');
  assert.deepEqual(taken, []);
});

test('beyond loopback without a token: 401 with the missing setting', () => {
  for (const host of ['0.0.0.0', '::', '10.1.2.3', 'forebay.example']) {
    const refusal = refuseCommand({ host: 'localhost' }, host, undefined);
    assert.equal(refusal?.code, 'unauthorized');
    assert.match(refusal.message, /set FOREBAY_ADMIN_TOKEN$/);
  }
  for (const host of ['localhost', '127.0.0.1', '::1']) {
    assert.equal(refuseCommand({ host: 'localhost' }, host, undefined), undefined);
  }
});

test('the token file is read without its final newline, and must not be empty', async (t) => {
  const dir = await mkdtemp(join(tmpdir(), 'forebay-token-'));
  t.after(() => rm(dir, { recursive: true }));
  const adminTokenFile = join(dir, 'token');
  await writeFile(adminTokenFile, 'a secret\n');
  assert.equal(readAdminToken({ adminToken: undefined, adminTokenFile }), 'a secret');
  await writeFile(adminTokenFile, '\n');
  const read = () => readAdminToken({ adminToken: undefined, adminTokenFile });
  assert.throws(read, { name: 'StartError', exitCode: 1, message: /token is empty$/ });
});
