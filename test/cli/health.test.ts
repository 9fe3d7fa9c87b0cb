import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, test } from 'node:test';
import { LIMITS } from '../../src/config/limits.ts';
import { Child, freePort } from '../../testing/child.ts';

const servers: Server[] = [];
after(() => {
  for (const server of servers) server.close().closeAllConnections();
});

/** An admin port with these responses by path. @returns its port, and the requested paths */
async function adminPort(
  answers: Readonly<Record<string, readonly [status: number, body: string] | undefined>>,
  host = '127.0.0.1',
) {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(`${request.method} ${request.url} of ${request.headers.host}`);
    const answer = answers[request.url ?? ''];
    if (answer !== undefined) response.writeHead(answer[0]).end(answer[1]);
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  return { port: (server.address() as AddressInfo).port, asked };
}

async function health(port: number, args: readonly string[] = [], host?: string) {
  const env = { FOREBAY_ADMIN_PORT: String(port), ...(host && { FOREBAY_ADMIN_HOST: host }) };
  const child = new Child('dist/main.js', ['health', ...args], env);
  const { code } = await child.ended;
  return { code, stdout: child.stdout, stderr: child.stderr };
}

test('health queries /livez, health --ready /readyz: exit code 0 or 1, one line, reasons', async () => {
  const reasons = ['draining', 'not all workers are listening'];
  const { port, asked } = await adminPort({
    '/livez': [200, '{"alive":true}'],
    '/readyz': [503, JSON.stringify({ ready: false, reasons })],
  });
  const base = `http://127.0.0.1:${port}`;
  const alive = { code: 0, stdout: `${base}/livez: ok\n`, stderr: '' };
  const unready = `forebay: ${base}/readyz: 503 draining; not all workers are listening\n`;
  assert.deepEqual(await health(port), alive);
  assert.deepEqual(await health(port, ['--ready']), { code: 1, stdout: '', stderr: unready });
  const name = `127.0.0.1:${port}`;
  assert.deepEqual(asked, [`GET /livez of ${name}`, `GET /readyz of ${name}`]);
});

test('a gateway that listens on all addresses is queried on loopback', async () => {
  const [all, all6] = await Promise.all([
    adminPort({ '/livez': [200, ''] }, '0.0.0.0'),
    adminPort({ '/livez': [200, ''] }, '::1'),
  ]);
  const [four, six] = await Promise.all([
    health(all.port, [], '0.0.0.0'),
    health(all6.port, [], '::'),
  ]);
  assert.deepEqual(four.stdout, `http://127.0.0.1:${all.port}/livez: ok\n`);
  assert.deepEqual(six.stdout, `http://[::1]:${all6.port}/livez: ok\n`);
});

test('no listener, or another server: one line, exit code 1', async () => {
  const { port } = await adminPort({ '/livez': [502, '<html>'], '/readyz': [500, '{}'] });
  const free = await freePort();
  const [refused, page, empty] = await Promise.all([
    health(free),
    health(port),
    health(port, ['--ready']),
  ]);
  const line = (at: number, rest: string) => `forebay: http://127.0.0.1:${at}/${rest}\n`;
  assert.deepEqual(refused, {
    code: 1,
    stdout: '',
    stderr: line(free, 'livez: connection refused (ECONNREFUSED)'),
  });
  assert.deepEqual(page, { code: 1, stdout: '', stderr: line(port, 'livez: 502') });
  assert.deepEqual(empty, { code: 1, stdout: '', stderr: line(port, 'readyz: 500') });
});

test('a silent gateway times out', async () => {
  const { port, asked } = await adminPort({});
  const { code, stderr } = await health(port);
  assert.deepEqual(asked, [`GET /livez of 127.0.0.1:${port}`]);
  assert.equal(code, 1);
  const url = `http://127.0.0.1:${port}/livez`;
  assert.equal(stderr, `forebay: ${url}: no response within ${LIMITS.healthMs} ms\n`);
});

test('other arguments and invalid settings: exit code 2', async () => {
  const [argument, setting] = await Promise.all([health(9001, ['--fast']), health(0)]);
  assert.deepEqual([argument.code, setting.code], [2, 2]);
  assert.match(
    argument.stderr,
    /^forebay: health: unknown option --fast \(see .*health --help\)\n$/,
  );
  assert.match(setting.stderr, /^forebay: invalid settings:\n {2}FOREBAY_ADMIN_PORT/);
});

test('invalid arguments are reported, and --help works, regardless of the settings', async () => {
  const [value, argument, help] = await Promise.all([
    health(9001, ['--ready=1']),
    health(9001, ['ready']),
    health(0, ['--ready', '-h']),
  ]);
  assert.match(value.stderr, /^forebay: health: --ready takes no value \(see .*\)\n$/);
  assert.match(argument.stderr, /^forebay: health: unexpected argument "ready" \(see .*\)\n$/);
  assert.deepEqual([value.code, argument.code, help.code, help.stderr], [2, 2, 0, '']);
  assert.match(help.stdout, /^Usage: .* health \[--ready\]\n/);
});
