import assert from 'node:assert/strict';
import { type AddressInfo, createServer } from 'node:net';
import { test } from 'node:test';
import { probePort } from '../../src/primary/ports.ts';

const endpoint = (host: string, port: number) => ({
  host,
  port,
  hostEnv: 'FOREBAY_HOST',
  portEnv: 'FOREBAY_PORT',
});
const failure = (message: string) => ({ name: 'StartError', message, exitCode: 1 });

test('a free port stays free', async () => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await assert.rejects(
    probePort(endpoint('127.0.0.1', port)),
    failure(`FOREBAY_PORT: port ${port} is already in use on 127.0.0.1`),
  );
  await new Promise((resolve) => server.close(resolve));
  await probePort(endpoint('127.0.0.1', port));
  await probePort(endpoint('127.0.0.1', port));
});

test('other failures have a readable message', async () => {
  // A link-local address without a zone.
  await assert.rejects(
    probePort(endpoint('fe80::1', 9000)),
    failure('FOREBAY_PORT: cannot listen on port 9000 of fe80::1: invalid argument (EINVAL)'),
  );
});

test('an address of another machine, numeric and by name', async () => {
  // 192.0.2.0/24 and .invalid are reserved.
  for (const host of ['192.0.2.1', 'forebay.invalid']) {
    await assert.rejects(probePort(endpoint(host, 9000)), (error: Error) => {
      assert.match(error.message, /^FOREBAY_(HOST|PORT): .*(192\.0\.2\.1|forebay\.invalid)/);
      return true;
    });
  }
});
