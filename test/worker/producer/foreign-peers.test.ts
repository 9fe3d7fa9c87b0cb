/** Errors of links to ports that are not a broker's. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import type net from 'node:net';
import type { AddressInfo } from 'node:net';
import { after, test } from 'node:test';
import { pino } from 'pino';
import { BASE_TIMEOUTS } from '../../../src/worker/producer/adaptive-timeouts.ts';
import { reasonFor } from '../../../src/worker/producer/connection-errors.ts';
import { Link, LinkError } from '../../../src/worker/producer/link.ts';
import { Authority } from '../../../testing/certificates.ts';
import { missingTool } from '../../../testing/tools.ts';
import { API, startBroker } from '../../fakes/scripted-broker.ts';
import { destroyServers, TcpServer } from '../../fakes/tcp-server.ts';

const servers: http.Server[] = [];
after(() => {
  destroyServers();
  for (const server of servers) server.close();
});

const TLS = { rejectUnauthorized: false };
const SOON = { ...BASE_TIMEOUTS, handshakeMs: 100, connectMs: 300 };

/** Fails to open a link. @returns its error */
async function refused(
  address: { host: string; port: number },
  { ssl, times = BASE_TIMEOUTS }: { ssl?: object; times?: typeof BASE_TIMEOUTS } = {},
): Promise<LinkError> {
  const logger = pino({ enabled: false });
  const link = new Link(address, { clientId: 'forebay-test', ssl, sasl: undefined, logger });
  const error = await link.open(times).then(
    () => assert.fail('it should have failed'),
    (reason: unknown) => reason,
  );
  assert(error instanceof LinkError);
  assert.equal(link.usable, false);
  return error;
}

async function listening(server: http.Server): Promise<AddressInfo & { host: string }> {
  servers.push(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address() as AddressInfo;
  return { ...address, host: address.address };
}

test('an HTTP server is named, and its response is in the error', async () => {
  const error = await refused(await listening(http.createServer()));
  assert.match(error.message, /^the peer answered "HTTP\/1\.1 400 Bad Request\\r\\n/);
  assert.match(reasonFor(error), /an HTTP server/);
});

test('an HTTPS server is named on a TLS connection', { skip: missingTool('openssl') }, async () => {
  const { certFile, keyFile } = new Authority().issue('web', { hosts: 'DNS:localhost' });
  const [cert, key] = [readFileSync(certFile), readFileSync(keyFile)];
  const address = await listening(https.createServer({ cert, key }));
  assert.match(reasonFor(await refused(address, { ssl: TLS })), /an HTTP server/);
  assert.match(reasonFor(await refused(address)), /expect TLS/);
});

test('a server that greets first is named', async () => {
  const greet = (socket: net.Socket) => void socket.write('SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n');
  const { address } = await TcpServer.start(greet);
  assert.match(reasonFor(await refused(address)), /an SSH server/);
});

test('a port that never responds', async () => {
  const { address } = await TcpServer.start(() => {});
  const silent = /accepts connections but does not answer/;
  for (const ssl of [undefined, TLS]) {
    const error = await refused(address, { ...(ssl && { ssl }), times: SOON });
    assert.equal(error.why, 'connect_timeout');
    assert.match(error.message, /^no answer within \d+ ms$/);
    assert.match(reasonFor(error), silent);
  }
});

test('a port that closes the connection may have several causes', async () => {
  const { address } = await TcpServer.start((socket) => socket.on('data', () => socket.end()));
  assert.match(
    reasonFor(await refused(address)),
    /expect TLS or SASL, .*controller’s, ZooKeeper’s/,
  );
});

test('a name without an address, and a name whose addresses all refuse', async () => {
  const unknown = await refused({ host: 'kafka.invalid', port: 9092 });
  assert.match(reasonFor(unknown), /the host name cannot be resolved$/);
  assert.match(unknown.message, /kafka\.invalid/);
  const closed = await refused({ host: 'localhost', port: 1 });
  assert.match(reasonFor(closed), /connection refused$/);
  assert.match(closed.message, /ECONNREFUSED/);
});

test('a peer that does not serve Produce requests is a KRaft controller', async () => {
  const { address } = await startBroker(() => {}, [API.produce, API.metadata]);
  const error = await refused(address);
  assert.match(reasonFor(error), /KRaft controller/);
});
