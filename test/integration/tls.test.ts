/** TLS clients: transports, handshakes, certificate renewal. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { request } from 'node:https';
import { connect as connectPlain } from 'node:net';
import { before, describe, type TestContext, test } from 'node:test';
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls';
import { Authority, type KeyPair, replaceFiles } from '../../testing/certificates.ts';
import { isRunning } from '../../testing/child.ts';
import { good } from '../../testing/events.ts';
import { FrameClient } from '../../testing/frame-client.ts';
import { type Gateway, startGateway } from '../../testing/gateway.ts';
import { sharedKafka, uniqueTopic } from '../../testing/kafka.ts';
import { describeReconciliation, Ledger } from '../../testing/ledger.ts';
import {
  acknowledgedClients,
  allSettled,
  closeAll,
  Load,
  recordsOf,
  violationsOf,
} from '../../testing/load.ts';
import { PlainClient } from '../../testing/plain-client.ts';
import { freshMetrics } from '../../testing/stage.ts';
import { missingTool } from '../../testing/tools.ts';
import { until } from '../../testing/wait.ts';
import { atRest, failedStart, logged, untilLogged, untilStored } from '../../testing/watch.ts';

let brokers: readonly string[];
let authority: Authority;

function settings({ certFile, keyFile }: KeyPair) {
  return { FOREBAY_TLS_CERT_FILE: certFile, FOREBAY_TLS_KEY_FILE: keyFile };
}

async function start(t: TestContext, files: KeyPair, env: Record<string, string> = {}) {
  const topic = uniqueTopic();
  const gateway = await startGateway({ brokers, topic, env: { ...settings(files), ...env } });
  t.after(() => gateway.kill());
  return { gateway, topic, ca: authority.ca };
}

/** Sends one request on a connection of its own. */
async function ask(url: string, method = 'GET', body = '') {
  const asked = request(url, { method, ca: authority.ca, agent: false });
  asked.end(body);
  const [response] = (await once(asked, 'response')) as [IncomingMessage];
  let text = '';
  for await (const chunk of response.setEncoding('utf8')) text += chunk;
  return { status: response.statusCode, text };
}

/** Performs a handshake with these options. @throws its error */
async function shake(gateway: Gateway, options: ConnectionOptions = {}): Promise<TLSSocket> {
  const where = { port: gateway.port, host: '127.0.0.1', servername: 'localhost' };
  const socket = connect({ ...where, ca: authority.ca, ...options });
  await once(socket, 'secureConnect');
  return socket;
}

/** Returns the common name of the certificate for new connections. */
async function shownName(gateway: Gateway): Promise<string | undefined> {
  const socket = await shake(gateway);
  const name = socket.getPeerCertificate().subject.CN;
  socket.destroy();
  return typeof name === 'string' ? name : name?.[0];
}

describe('TLS for clients', { skip: missingTool('openssl') }, () => {
  before(async () => {
    ({ brokers } = await sharedKafka());
    authority = new Authority();
  });

  test('wss and https on the public port, plain text on the admin port, one log line of the certificate', async (t) => {
    const files = authority.issue('localhost', { days: 30 });
    const { gateway, topic, ca } = await start(t, files, { FOREBAY_WORKERS: '2' });
    const [client, plain] = await Promise.all([
      FrameClient.open(gateway.wsUrl, {}, [], { ca }),
      new PlainClient({ url: gateway.wsUrl, ca }).open(),
    ]);
    assert.deepEqual(await client.exchange(good('ws')), []);
    plain.send({ id: 'plain', msg: 'm', clientId: 'c', timestamp: 1 });
    const posted = await ask(`${gateway.httpUrl}/events`, 'POST', good('http'));
    assert.deepEqual(posted, { status: 200, text: '{"accepted":1,"errors":[]}\n' });
    assert.equal((await ask(`${gateway.httpUrl}/readyz`)).status, 200);
    assert.match((await ask(`${gateway.httpUrl}/`)).text, /<title>/);
    await plain.close();
    const metrics = await atRest(gateway);
    const stored = (await recordsOf({ brokers, topic })).length;
    assert.deepEqual([stored, metrics.value('forebay_events_stored_total')], [3, 3]);
    const daysLeft = (worker: string) => {
      const name = 'forebay_tls_certificate_not_after_seconds';
      return Math.round((1000 * metrics.value(name, { worker }) - Date.now()) / 86_400_000);
    };
    assert.deepEqual([daysLeft('1'), daysLeft('2')], [30, 30]);
    const lines = logged(gateway, 'TLS certificate');
    assert.deepEqual(
      lines.map(({ level, subject, days }) => ({ level, subject, days })),
      [{ level: 'info', subject: 'CN=localhost', days: 29 }],
    );
    assert.equal((await gateway.stop()).code, 0);
    assert.deepEqual(await client.ended(), { code: 1012, reason: 'restart' });
    assert.equal(client.incoming.goaway?.reason, 'restart');
    assert.deepEqual([client.violations, gateway.errors], [[], []]);
  });

  test('TLS 1.2 and 1.3 with forward secrecy only; plain text gets no response', async (t) => {
    const { gateway } = await start(t, authority.issue('rsa', { key: ['RSA'] }));
    // This side accepts everything: any rejection comes from the gateway.
    const all = { ciphers: 'ALL:@SECLEVEL=0', minVersion: 'TLSv1' } as const;
    for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
      const socket = await shake(gateway, { ...all, maxVersion });
      assert.equal(socket.getProtocol(), maxVersion);
      socket.destroy();
    }
    for (const maxVersion of ['TLSv1', 'TLSv1.1'] as const) {
      await assert.rejects(shake(gateway, { ...all, maxVersion }), /protocol version/);
    }
    const old = { minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2' } as const;
    for (const cipher of ['AES128-GCM-SHA256', 'ECDHE-RSA-AES128-SHA', 'AES256-SHA']) {
      const ciphers = `${cipher}:@SECLEVEL=0`;
      await assert.rejects(shake(gateway, { ...old, ciphers }), /handshake failure/, cipher);
    }
    for (const cipher of ['AES128-GCM-SHA256', 'AES256-GCM-SHA384', 'CHACHA20-POLY1305']) {
      const socket = await shake(gateway, { ...old, ciphers: `ECDHE-RSA-${cipher}` });
      socket.destroy();
    }
    const socket = await shake(gateway, old);
    const renegotiated = new Promise((resolve) => {
      socket.on('error', resolve);
      socket.renegotiate({}, resolve);
    });
    assert.match(String(await renegotiated), /no renegotiation/);
    const plain = connectPlain(gateway.port, '127.0.0.1');
    let received = 0;
    plain.on('data', (chunk) => {
      received += chunk.length;
    });
    plain.on('error', () => {});
    plain.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    await once(plain, 'close');
    assert.equal(received, 0);
    assert.equal((await ask(`${gateway.httpUrl}/livez`)).status, 200);
    assert.equal((await gateway.stop()).code, 0);
  });

  test('a client that does not read its nacks gets no further credit, others are served', async (t) => {
    const { gateway, ca } = await start(t, authority.issue('slow'));
    const [slow, neighbour] = await Promise.all([
      FrameClient.open(gateway.wsUrl, {}, [], { ca }),
      FrameClient.open(gateway.wsUrl, {}, [], { ca }),
    ]);
    slow.socket.pause();
    // Rejected event by event, its reply has more bytes than the frame.
    const frame = `[${new Array(500).fill('{},1').join()}]`;
    const labels = { reason: 'credit_exceeded' };
    await until(
      async () => {
        for (let round = 0; round < 16; round++) slow.send(frame);
        await neighbour.exchange('{}');
        const metrics = await freshMetrics(gateway);
        return metrics.value('forebay_connections_closed_total', labels) === 1;
      },
      { what: 'the end of a client that does not read' },
    );
    slow.socket.resume();
    assert.deepEqual(await slow.ended(), { code: 1008, reason: 'credit_exceeded' });
    assert.deepEqual(await neighbour.exchange(good('after')), []);
    await neighbour.close();
    assert.equal((await gateway.stop()).code, 0);
  });

  test('SIGHUP loads a new certificate under load: nothing is lost, a broken one has no effect', async (t) => {
    const place = authority.issue('first');
    const env = { FOREBAY_WORKERS: '2', FOREBAY_DRAIN_SPREAD_MS: '200' };
    const { gateway, topic, ca } = await start(t, place, env);
    const pids = gateway.workers();
    const notReadyAtStart = logged(gateway, 'not ready').length;
    assert.equal(await shownName(gateway), 'first');
    const ledger = new Ledger();
    const options = { url: gateway.wsUrl, ca, ledger, reconnect: true, retryRefused: true };
    const clients = await acknowledgedClients(t, 8, options);
    const load = new Load(t, clients, { eventsPerSecond: 500, eventsPerFrame: 3, prefix: 'a-' });
    await untilStored(gateway, 200);

    // The certificate is replaced, its key is not yet: the files do not match.
    const second = authority.issue('second');
    replaceFiles(place, { ...second, keyFile: authority.issue('other').keyFile });
    gateway.signal('SIGHUP');
    const line = await untilLogged(gateway, 'rolling restart aborted');
    assert.match(String(line.reason), /^FOREBAY_TLS_KEY_FILE: \S+ is not the key of the first /);
    assert(pids.every(isRunning), 'the old workers stay');
    assert.equal(await shownName(gateway), 'first');
    await untilStored(gateway, 200);
    assert(
      clients.every(({ connections }) => connections === 1),
      'no client was disconnected',
    );

    replaceFiles(place, second);
    gateway.signal('SIGHUP');
    await untilLogged(gateway, 'rolling restart completed');
    assert.equal(await shownName(gateway), 'second');
    await until(() => clients.every(({ connections }) => connections > 1));
    await untilStored(gateway, 200);
    await load.stop();
    await allSettled(clients);
    await closeAll(clients);
    const metrics = await atRest(gateway);
    const verdict = ledger.reconcile(await recordsOf({ brokers, topic }));
    assert(verdict.clean, describeReconciliation(verdict).join('\n'));
    assert.equal(verdict.unacknowledgedStored, 0);
    assert.deepEqual(violationsOf(clients), []);
    assert.equal(metrics.value('forebay_events_lost_total'), 0);
    assert.equal(logged(gateway, 'not ready').length, notReadyAtStart);
    const shown = logged(gateway, 'TLS certificate').map(({ subject }) => subject);
    assert.deepEqual(shown, ['CN=first', 'CN=second']);
    assert.equal((await gateway.stop()).code, 0);
    assert.deepEqual(gateway.errors, []);
  });

  test('unusable files: one line, exit code 1; an expired certificate: a warning', async (t) => {
    const { certFile } = authority.issue('one');
    const { keyFile } = authority.issue('two');
    const env = { ...settings({ certFile, keyFile }), FOREBAY_WORKERS: '2' };
    const expired = authority.issue('expired', { days: -1 });
    const [{ code, errors }, { gateway }] = await Promise.all([
      failedStart(t, { brokers, topic: uniqueTopic(), env }),
      start(t, expired),
    ]);
    assert.deepEqual([code, errors.length], [1, 1]);
    assert.match(errors[0]!, /^forebay: FOREBAY_TLS_KEY_FILE: \S+ is not the key of the first /);
    const line = await untilLogged(gateway, 'TLS certificate has expired, clients reject it');
    assert.deepEqual([line.level, line.subject], ['warn', 'CN=expired']);
    await assert.rejects(shake(gateway), /certificate has expired/);
    assert.equal((await gateway.stop()).code, 0);
  });
});
