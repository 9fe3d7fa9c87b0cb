import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { type TestContext, test } from 'node:test';
import { createServer as createTlsServer } from 'node:tls';
import { probeBroker } from '../../../src/cli/doctor/broker-probe.ts';
import { brokerConnection } from '../../../src/cli/doctor/cluster.ts';
import { readConfig } from '../../../src/config/config.ts';
import { Authority } from '../../../testing/certificates.ts';
import { freePort } from '../../../testing/child.ts';
import { missingTool } from '../../../testing/tools.ts';

async function listening(t: TestContext, server: Server): Promise<number> {
  t.after(() => server.close());
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', () => resolve()));
  return (server.address() as AddressInfo).port;
}

/** Returns `step status` of each step, and the steps with detail and advice. */
async function probe(port: number, env: Record<string, string> = {}) {
  const connection = brokerConnection(readConfig(env));
  const { steps, reached } = await probeBroker({ host: '127.0.0.1', port }, connection);
  assert.equal(reached, undefined);
  return { states: steps.map(({ step, status }) => `${step} ${status}`), steps };
}

test('a closed port: connection refused, and each later step says why it is skipped', async () => {
  const { states, steps } = await probe(await freePort());
  const skipped = ['TLS skip', 'protocol skip', 'login skip'];
  assert.deepEqual(states, ['host name ok', 'port fail', ...skipped]);
  assert.match(steps[1]!.detail, /connection refused \(ECONNREFUSED\)$/);
  assert.match(steps[1]!.advice!, /^nothing listens there/);
  for (const { detail } of steps.slice(2)) assert.equal(detail, 'the step port failed');
});

test('an HTTP server, and one that closes, are not taken for Kafka', async (t) => {
  const http = await probe(
    await listening(
      t,
      createHttpServer((_, answer) => answer.end('hi')),
    ),
  );
  assert.deepEqual(http.states.slice(2), ['TLS skip', 'protocol fail', 'login skip']);
  assert.match(http.steps[3]!.detail, /^an HTTP server answers there, not Kafka/);
  const closing = createServer((socket) => socket.once('data', () => socket.destroy()));
  const closed = await probe(await listening(t, closing));
  assert.match(closed.steps[3]!.detail, /^Kafka closed the connection: does the broker expect TLS/);
});

test('TLS: the certificate is named; an untrusted one fails', {
  skip: missingTool('openssl'),
}, async (t) => {
  const authority = new Authority();
  const { certFile, keyFile } = authority.issue('broker', { days: 3 });
  const files = { cert: readFileSync(certFile), key: readFileSync(keyFile) };
  const server = createTlsServer(files, (socket) => socket.on('error', () => {}).end());
  server.on('tlsClientError', () => {});
  const port = await listening(t, server);
  const trusted = await probe(port, { KAFKA_TLS: '1', KAFKA_TLS_CA_FILE: authority.caFile });
  assert.match(trusted.steps[2]!.detail, /^TLSv1.3, certificate of .*broker.*, which expires on /);
  assert.equal(trusted.steps[2]!.status, 'warn');
  const untrusted = await probe(port, { KAFKA_TLS: '1' });
  assert.match(
    untrusted.steps[2]!.detail,
    /^the broker’s certificate is not trusted: KAFKA_TLS_CA/,
  );
  assert.deepEqual(untrusted.states.slice(2), ['TLS fail', 'protocol skip', 'login skip']);
});
