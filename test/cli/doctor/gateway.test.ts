import assert from 'node:assert/strict';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, createServer } from 'node:net';
import { test } from 'node:test';
import { checkGateway, type Machine } from '../../../src/cli/doctor/gateway.ts';
import { Report } from '../../../src/cli/doctor/report.ts';
import { readConfig } from '../../../src/config/config.ts';
import { MIB } from '../../../src/config/limits.ts';
import { ownPorts, resultsOf } from './doctoring.ts';

const MACHINE: Machine = {
  node: '24.1.0',
  cores: 2,
  openFiles: 100_000,
  memoryBytes: 4096 * MIB,
};

async function check(env: Record<string, string> = {}, machine: Partial<Machine> = {}) {
  const report = new Report(() => {});
  const config = readConfig({ ...(await ownPorts()), ...env });
  await checkGateway(config, report.section('gateway'), { ...MACHINE, ...machine });
  return (step: string) => resultsOf(report, 'gateway', step);
}

test('a machine with room, free ports and a loopback address: every step is ok', async () => {
  const found = await check({ FOREBAY_TRANSPORT: 'node' });
  const steps = ['platform', 'transport', 'workers', 'client port', 'admin port', 'open files'];
  for (const step of [...steps, 'memory', 'access', 'compression']) {
    assert.equal(found(step).length, 1, step);
    assert.match(found(step)[0]!, /^ok: /, step);
  }
});

test('limits of the machine below those of the settings are warnings with the figures', async () => {
  const found = await check(
    { FOREBAY_WORKERS: '4', FOREBAY_HOST: '0.0.0.0', FOREBAY_MAX_RSS_BYTES: String(100 * MIB) },
    { node: '21.0.0', openFiles: 1_000, memoryBytes: 512 * MIB },
  );
  assert.match(found('platform')[0]!, /^warn: Node.js 21.0.0, .*: not tested$/);
  assert.deepEqual(found('workers'), ['warn: 4 of FOREBAY_WORKERS, 2 available cores']);
  assert.match(found('open files')[0]!, /^warn: 1000 per process, for \d+ of FOREBAY_MAX_CON/);
  assert.deepEqual(found('memory'), [
    'warn: 512 MiB; an instance takes up to 566 MiB',
    'warn: FOREBAY_MAX_RSS_BYTES is 100 MiB, a full buffer takes 184 MiB',
  ]);
  assert.deepEqual(found('access'), ['warn: any client of 0.0.0.0 may send events, without TLS']);
  assert.match((await check({}, { node: '20.19.0' }))('platform')[0]!, /past its end of life$/);
});

test('a platform that does not know its open-file limit has no finding about it', async () => {
  const found = await check({}, { openFiles: Number.POSITIVE_INFINITY });
  assert.deepEqual(found('open files'), ['ok: unlimited, or not known on this platform']);
});

test('a port in use fails, unless a gateway serves the admin port', async (t) => {
  const holder = createServer();
  const admin = createHttpServer((_, response) => {
    const content = { version: '1.2.3', ready: false, reasons: ['Kafka cannot be reached'] };
    response.writeHead(503).end(JSON.stringify(content));
  });
  t.after(() => [holder.close(), admin.close().closeAllConnections()]);
  const portOf = async (server: typeof holder | typeof admin) => {
    await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', () => resolve()));
    return String((server.address() as AddressInfo).port);
  };
  const FOREBAY_PORT = await portOf(holder);
  const alone = await check({ FOREBAY_PORT });
  assert.match(alone('client port')[0]!, /^fail: FOREBAY_PORT: port \d+ is already in use on/);
  assert.deepEqual(alone('running'), []);
  const found = await check({ FOREBAY_PORT, FOREBAY_ADMIN_PORT: await portOf(admin) });
  assert.match(found('client port')[0]!, /^ok: \d+ of 127.0.0.1 is in use while a gateway runs$/);
  assert.match(found('admin port')[0]!, /^ok: /);
  assert.deepEqual(found('running'), [
    'warn: a gateway with these settings runs, version 1.2.3: not ready: Kafka cannot be reached',
  ]);
});
