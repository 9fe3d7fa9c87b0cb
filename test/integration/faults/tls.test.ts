import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, type TestContext, test } from 'node:test';
import { createServer, rootCertificates, type TlsOptions } from 'node:tls';
import { freePorts } from '../../../deploy/kafka/ports.ts';
import { startGateway } from '../../../testing/gateway.ts';
import { sharedKafka, uniqueTopic } from '../../../testing/kafka.ts';
import { missingTool } from '../../../testing/tools.ts';
import { until } from '../../../testing/wait.ts';
import { failedStart, logged, untilNotReady } from '../../../testing/watch.ts';

let brokers: readonly string[];
let dir: string;
before(async () => {
  dir = await mkdtemp(join(tmpdir(), 'forebay-tls-'));
  ({ brokers } = await sharedKafka());
});
after(() => rm(dir, { recursive: true, force: true }));

async function file(name: string, text: string): Promise<string> {
  const path = join(dir, name);
  await writeFile(path, text);
  return path;
}

test('invalid TLS files: one line that names the setting, exit code 1', async (t) => {
  const missing = join(dir, 'missing.pem');
  const garbage = await file('garbage.pem', 'no certificate at all\n');
  const cert = await file('cert.pem', rootCertificates[0]!);
  const key = await file(
    'key.pem',
    '-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n',
  );
  const cases: [Record<string, string>, RegExp][] = [
    [
      { KAFKA_TLS_CA_FILE: missing },
      /^forebay: KAFKA_TLS_CA_FILE: cannot read \S+: no such .*\(ENOENT\)$/,
    ],
    [{ KAFKA_TLS_CA_FILE: garbage }, /^forebay: KAFKA_TLS_CA_FILE: \S+ has no PEM certificate$/],
    [
      { KAFKA_TLS_CERT_FILE: cert, KAFKA_TLS_KEY_FILE: key },
      /^forebay: KAFKA_TLS_KEY_FILE: \S+ contains an invalid private key$/,
    ],
  ];
  const checks = cases.map(async ([files, line]) => {
    const env = { KAFKA_TLS: '1', FOREBAY_WORKERS: '2', ...files };
    const { code, errors } = await failedStart(t, { brokers, topic: uniqueTopic(), env });
    assert.equal(code, 1);
    assert.equal(errors.length, 1, errors.join('\n'));
    assert.match(errors[0]!, line);
  });
  await Promise.all(checks);
});

/** Starts a server that fails every handshake. @returns its address and number of connections */
async function tlsServer(t: TestContext, options: TlsOptions) {
  const server = createServer(options);
  let connections = 0;
  server.on('connection', () => connections++).on('tlsClientError', () => {});
  const [port] = await freePorts(1);
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  t.after(() => server.close());
  return { address: `127.0.0.1:${port}`, connections: () => connections };
}

/** Starts a gateway that cannot become ready, and waits until it reports the reason. */
async function notReady(t: TestContext, broker: string, tls: '0' | '1', reason: string) {
  const env = { KAFKA_TLS: tls };
  const gateway = await startGateway({
    brokers: [broker],
    topic: uniqueTopic(),
    env,
    ready: false,
  });
  t.after(() => gateway.kill());
  await until(() => fetch(`${gateway.httpUrl}/livez`));
  await untilNotReady(gateway, reason);
  // On a slow machine an earlier line says that Kafka was not reached yet.
  const inLog = () =>
    logged(gateway, 'not ready').some(({ reasons }) => String(reasons) === reason);
  await until(inLog, { what: () => `the reason in\n${gateway.logTail()}` });
  assert.deepEqual([gateway.exited, gateway.errors], [undefined, []]);
  return gateway;
}

describe('gateway and broker do not agree on TLS', { concurrency: 3 }, () => {
  test('TLS to a Kafka without TLS: retried, with a clear reason', async (t) => {
    const reason = 'Kafka does not answer the TLS handshake: does the broker speak TLS?';
    const gateway = await notReady(t, brokers[0]!, '1', reason);
    assert.equal((await gateway.stop()).code, 0);
  });

  test('plain text to a TLS port: retried, with a clear reason', async (t) => {
    const { address, connections } = await tlsServer(t, {});
    const reason =
      'Kafka closed the connection: does the broker expect TLS or SASL, ' +
      'or is the port not a broker’s (a controller’s, ZooKeeper’s)?';
    const gateway = await notReady(t, address, '0', reason);
    await until(() => connections() >= 3, { what: 'further tries' });
    assert.equal((await gateway.stop()).code, 0);
  });

  const skip = missingTool('openssl');
  test('an untrusted certificate: retried, with a clear reason', { skip }, async (t) => {
    const [key, cert] = [join(dir, 'self.key'), join(dir, 'self.pem')];
    const request = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-subj', '/CN=127.0.0.1'];
    execFileSync('openssl', [...request, '-keyout', key, '-out', cert], { stdio: 'ignore' });
    const files = { key: readFileSync(key), cert: readFileSync(cert) };
    const { address, connections } = await tlsServer(t, files);
    const gateway = await notReady(
      t,
      address,
      '1',
      'the broker’s certificate is not trusted: KAFKA_TLS_CA_FILE',
    );
    await until(() => connections() >= 3, { what: 'further tries' });
    assert.equal((await gateway.stop()).code, 0);
  });
});
