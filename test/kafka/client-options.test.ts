import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { rootCertificates } from 'node:tls';
import { StartError } from '../../src/common/errors.ts';
import { readConfig } from '../../src/config/config.ts';
import { kafkaOptions } from '../../src/kafka/client-options.ts';
import { Authority } from '../../testing/certificates.ts';
import { missingTool } from '../../testing/tools.ts';

const folder = mkdtempSync(join(tmpdir(), 'forebay-kafka-'));
after(() => rmSync(folder, { recursive: true }));

function file(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

const options = (env: Record<string, string>) => kafkaOptions(readConfig(env));

function refused(env: Record<string, string>, expected: RegExp): void {
  assert.throws(
    () => options(env),
    (error: unknown) => {
      assert(error instanceof StartError);
      assert.equal(error.exitCode, 1);
      assert.match(error.message, expected);
      assert.doesNotMatch(error.message, /\n/);
      return true;
    },
  );
}

test('plaintext by default', () => {
  const { brokers, clientId, ssl, sasl } = options({ KAFKA_BROKERS: 'a:1, b:2' });
  assert.deepEqual({ brokers, clientId }, { brokers: ['a:1', 'b:2'], clientId: 'forebay' });
  assert.equal(ssl, undefined);
  assert.equal(sasl, undefined);
});

test('TLS with the system’s CAs, or with those of a file', () => {
  assert.deepEqual(options({ KAFKA_TLS: '1' }).ssl, {});
  const ca = rootCertificates[0]!;
  const path = file('ca.pem', ca);
  assert.deepEqual(options({ KAFKA_TLS: '1', KAFKA_TLS_CA_FILE: path }).ssl, { ca });
});

test('all invalid files are reported at once, a line each', () => {
  const missing = join(folder, 'none.pem');
  const marked = file('marked.pem', `\ufeff${rootCertificates[0]}`);
  const noPem = file('plain.pem', 'hello');
  const env = {
    KAFKA_TLS: '1',
    KAFKA_TLS_CA_FILE: marked,
    KAFKA_TLS_CERT_FILE: noPem,
    KAFKA_TLS_KEY_FILE: missing,
    KAFKA_SASL_MECHANISM: 'plain',
    KAFKA_SASL_USERNAME: 'me',
    KAFKA_SASL_PASSWORD_FILE: folder,
  };
  assert.throws(
    () => options(env),
    (error) => {
      assert(error instanceof StartError);
      const lines = error.message.split('\n');
      const expected = [
        /^KAFKA_TLS_CA_FILE: \S+ begins with a byte order mark \(UTF-8\): /,
        /^KAFKA_TLS_CERT_FILE: \S+ has no PEM certificate$/,
        /^KAFKA_TLS_KEY_FILE: cannot read \S+: no such file or directory \(ENOENT\)$/,
        /^KAFKA_SASL_PASSWORD_FILE: cannot read \S+: it is a directory, not a file \(EISDIR\)$/,
      ];
      assert.equal(lines.length, expected.length, error.message);
      for (const [index, line] of lines.entries()) assert.match(line, expected[index]!);
      return true;
    },
  );
});

test('TLS files that are missing, not PEM or invalid: one line each', () => {
  const env = { KAFKA_TLS: '1' };
  const missing = join(folder, 'none.pem');
  refused({ ...env, KAFKA_TLS_CA_FILE: missing }, /^KAFKA_TLS_CA_FILE: cannot read .*ENOENT/);
  const noPem = file('no.pem', 'hello');
  refused({ ...env, KAFKA_TLS_CA_FILE: noPem }, /^KAFKA_TLS_CA_FILE: .* has no PEM certificate/);
  const cert = file('cert.pem', rootCertificates[0]!);
  const broken = '-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n';
  const key = file('key.pem', broken);
  refused(
    { ...env, KAFKA_TLS_CERT_FILE: cert, KAFKA_TLS_KEY_FILE: key },
    /^KAFKA_TLS_KEY_FILE: \S+key\.pem contains an invalid private key$/,
  );
});

test('a certificate and a key unusable for TLS are reported with setting, file and reason', {
  skip: missingTool('openssl'),
}, () => {
  const authority = new Authority();
  const [ours, other] = [authority.issue('ours'), authority.issue('other')];
  const pair = (certFile: string, keyFile: string) => ({
    KAFKA_TLS: '1',
    KAFKA_TLS_CERT_FILE: certFile,
    KAFKA_TLS_KEY_FILE: keyFile,
  });
  const { certFile, keyFile } = ours;
  assert.deepEqual(options(pair(certFile, keyFile)).ssl, {
    cert: readFileSync(certFile, 'utf8'),
    key: readFileSync(keyFile, 'utf8'),
  });
  refused(
    pair(certFile, other.keyFile),
    /^KAFKA_TLS_KEY_FILE: \S+other\.key is not the key of the first certificate in \S+ours\.pem$/,
  );
  for (const [name, command] of [
    ['pkcs8.key', ['pkcs8', '-topk8', '-v2', 'aes256']],
    ['legacy.key', ['rsa', '-traditional', '-aes256']],
  ] as const) {
    const rsa = authority.issue('rsa', { key: ['RSA', '-pkeyopt', 'rsa_keygen_bits:2048'] });
    const path = authority.path(name);
    const [tool, ...how] = command;
    const to = [...how, '-in', rsa.keyFile, '-passout', 'pass:hunter2', '-out', path];
    execFileSync('openssl', [tool, ...to], { stdio: 'pipe' });
    refused(pair(rsa.certFile, path), /^KAFKA_TLS_KEY_FILE: \S+\.key is encrypted; decrypt it /);
  }
  const broken = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n';
  const chain = authority.file('chain.pem', readFileSync(certFile, 'utf8') + broken);
  refused(
    pair(chain, keyFile),
    /^KAFKA_TLS_CERT_FILE: \S+chain\.pem contains an invalid certificate$/,
  );
  const weak = authority.issue('weak', { key: ['RSA', '-pkeyopt', 'rsa_keygen_bits:512'] });
  refused(
    pair(weak.certFile, weak.keyFile),
    /^KAFKA_TLS_CERT_FILE: \S+weak\.pem cannot be used for TLS \(ee key too small\)$/,
  );
});

test('SASL with the password of a variable, or of a file without its final newline', () => {
  const env = { KAFKA_SASL_MECHANISM: 'scram-sha-512', KAFKA_SASL_USERNAME: 'u' };
  const expected = { mechanism: 'scram-sha-512', username: 'u', password: ' p ' };
  assert.deepEqual(options({ ...env, KAFKA_SASL_PASSWORD: ' p ' }).sasl, expected);
  const path = file('password', ' p \n');
  assert.deepEqual(options({ ...env, KAFKA_SASL_PASSWORD_FILE: path }).sasl, expected);
  refused(
    { ...env, KAFKA_SASL_PASSWORD_FILE: join(folder, 'none') },
    /^KAFKA_SASL_PASSWORD_FILE: cannot read/,
  );
});
