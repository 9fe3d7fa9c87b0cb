import assert from 'node:assert/strict';
import { type AddressInfo, createServer } from 'node:net';
import { after, before, test } from 'node:test';
import type { Readiness } from '../../src/messages.ts';
import { Admin } from '../../src/primary/admin.ts';
import { freePort } from './fixtures/child.ts';

let readiness: Readiness = { ready: true, reasons: [] };
let broken = false;
const failures: Error[] = [];
const endpoint = (port: number) => ({
  host: '127.0.0.1',
  port,
  hostEnv: 'FOREBAY_ADMIN_HOST',
  portEnv: 'FOREBAY_ADMIN_PORT',
});
const admin = new Admin({
  metrics: async () => {
    if (broken) throw new Error('seeded');
    return { contentType: 'text/plain; version=0.0.4', text: 'forebay_draining 0\n' };
  },
  readiness: () => readiness,
  failed: (error) => failures.push(error),
});
let base = '';

before(async () => {
  const port = await freePort();
  await admin.listen(endpoint(port));
  base = `http://127.0.0.1:${port}`;
});
after(() => admin.close());

test('/metrics, also with a query and as HEAD', async () => {
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

test('/livez is 200 whatever the readiness', async () => {
  readiness = { ready: false, reasons: ['draining'] };
  assert.equal((await fetch(`${base}/livez`)).status, 200);
});

test('/readyz is the instance’s answer', async () => {
  readiness = { ready: false, reasons: ['Kafka cannot be reached', 'draining'] };
  const not = await fetch(`${base}/readyz`);
  assert.equal(not.status, 503);
  assert.deepEqual(await not.json(), readiness);
  assert.equal((await fetch(`${base}/readyz`, { method: 'HEAD' })).status, 503);
  readiness = { ready: true, reasons: [] };
  const ready = await fetch(`${base}/readyz`);
  assert.equal(ready.status, 200);
  assert.deepEqual(await ready.json(), { ready: true, reasons: [] });
});

test('404 elsewhere, 405 with Allow for other methods', async () => {
  for (const path of ['/', '/metrics/', '/ws', '//livez']) {
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
  }
});

test('a scrape that fails is 500 and reported, and the next one works', async () => {
  broken = true;
  assert.equal((await fetch(`${base}/metrics`)).status, 500);
  assert.deepEqual(
    failures.map((error) => error.message),
    ['seeded'],
  );
  broken = false;
  assert.equal((await fetch(`${base}/metrics`)).status, 200);
});

test('a busy port is one clear line', async () => {
  const holder = createServer();
  await new Promise<void>((resolve) => holder.listen(0, '127.0.0.1', resolve));
  const { port } = holder.address() as AddressInfo;
  const other = new Admin({
    metrics: () => Promise.reject(new Error('not asked')),
    readiness: () => readiness,
    failed: () => {},
  });
  await assert.rejects(other.listen(endpoint(port)), {
    name: 'StartError',
    message: `FOREBAY_ADMIN_PORT: port ${port} is already in use on 127.0.0.1`,
    exitCode: 1,
  });
  await new Promise((resolve) => holder.close(resolve));
});
