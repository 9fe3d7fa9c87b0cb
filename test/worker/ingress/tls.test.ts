import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { pino } from 'pino';
import { StartError } from '../../../src/common/errors.ts';
import { LIMITS } from '../../../src/config/limits.ts';
import { checkTlsFiles, logCertificate, tlsApp } from '../../../src/worker/ingress/tls.ts';
import { uwsTransport } from '../../../src/worker/ingress/transport/uws.ts';
import { Authority, type KeyPair } from '../../../testing/certificates.ts';
import { missingTool } from '../../../testing/tools.ts';

const DAY_MS = 86_400_000;

describe('TLS files', { skip: missingTool('openssl') }, () => {
  const transport = uwsTransport();
  let authority: Authority;
  let good: KeyPair;
  before(() => {
    authority = new Authority();
    good = authority.issue('good');
  });

  /** The last line of a start with these files. */
  function refusal(files: KeyPair): string {
    try {
      checkTlsFiles(files);
    } catch (error) {
      assert(error instanceof StartError, String(error));
      assert.equal(error.exitCode, 1);
      assert.doesNotMatch(error.message, /\n/);
      return error.message;
    }
    assert.fail('the files were accepted');
  }

  test('a certificate chain and each supported key type are accepted', () => {
    const chain = readFileSync(good.certFile, 'utf8') + readFileSync(authority.caFile, 'utf8');
    const certFile = authority.file('chain.pem', chain);
    const { app, certificate } = tlsApp(transport, { certFile, keyFile: good.keyFile });
    app.close();
    assert.equal(certificate.subject, 'CN=good');
    assert(certificate.notAfterMs > Date.now() + 29 * DAY_MS, String(certificate.notAfterMs));
    const kinds = {
      rsa: ['RSA', '-pkeyopt', 'rsa_keygen_bits:2048'],
      p384: ['EC', '-pkeyopt', 'ec_paramgen_curve:P-384'],
      p521: ['EC', '-pkeyopt', 'ec_paramgen_curve:P-521'],
      ed25519: ['ED25519'],
    };
    for (const [name, key] of Object.entries(kinds)) {
      tlsApp(transport, authority.issue(name, { key })).app.close();
    }
  });

  test('a missing file or one that is not PEM is reported with its setting', () => {
    const missing = authority.path('none.pem');
    const garbage = authority.file('garbage.pem', 'no certificate at all\n');
    const { certFile, keyFile } = good;
    assert.match(
      refusal({ certFile: missing, keyFile }),
      /^FOREBAY_TLS_CERT_FILE: cannot read \S+none\.pem: no such file .*\(ENOENT\)$/,
    );
    assert.match(
      refusal({ certFile, keyFile: missing }),
      /^FOREBAY_TLS_KEY_FILE: cannot read \S+none\.pem: no such file .*\(ENOENT\)$/,
    );
    assert.match(
      refusal({ certFile: garbage, keyFile }),
      /^FOREBAY_TLS_CERT_FILE: \S+garbage\.pem has no PEM certificate$/,
    );
    assert.match(
      refusal({ certFile, keyFile: certFile }),
      /^FOREBAY_TLS_KEY_FILE: \S+good\.pem has no PEM private key$/,
    );
  });

  test('corrupt files are reported: the certificate, a later one of the chain, the key', () => {
    const { certFile, keyFile } = good;
    const pem = (kind: string) => `-----BEGIN ${kind}-----\nAAAA\n-----END ${kind}-----\n`;
    const broken = authority.file('broken.pem', pem('CERTIFICATE'));
    const text = readFileSync(certFile, 'utf8') + pem('CERTIFICATE');
    const chain = authority.file('broken-chain.pem', text);
    const key = authority.file('broken.key', pem('PRIVATE KEY'));
    assert.match(
      refusal({ certFile: broken, keyFile }),
      /^FOREBAY_TLS_CERT_FILE: \S+ contains an invalid certificate$/,
    );
    assert.match(
      refusal({ certFile: chain, keyFile }),
      /^FOREBAY_TLS_CERT_FILE: \S+broken-chain\.pem contains an invalid certificate$/,
    );
    assert.match(
      refusal({ certFile, keyFile: key }),
      /^FOREBAY_TLS_KEY_FILE: \S+ contains an invalid private key$/,
    );
  });

  test('a key of another certificate and a chain with the authority first are rejected', () => {
    const other = authority.issue('other');
    const line = /^FOREBAY_TLS_KEY_FILE: \S+\.key is not the key of the first certificate in \S+$/;
    assert.match(refusal({ ...good, keyFile: other.keyFile }), line);
    const text = readFileSync(authority.caFile, 'utf8') + readFileSync(good.certFile, 'utf8');
    assert.match(refusal({ ...good, certFile: authority.file('reversed.pem', text) }), line);
  });

  test('an encrypted key and an unsupported key type are rejected', () => {
    const encrypted = authority.path('encrypted.key');
    const to = ['-aes256', '-passout', 'pass:hunter2', '-out', encrypted];
    execFileSync('openssl', ['pkey', '-in', good.keyFile, ...to]);
    const line = refusal({ ...good, keyFile: encrypted });
    assert.match(line, /^FOREBAY_TLS_KEY_FILE: \S+ is encrypted; decrypt it with openssl pkey /);
    const curve = ['EC', '-pkeyopt', 'ec_paramgen_curve:secp256k1'];
    const odd = authority.issue('odd', { key: curve });
    assert.match(
      refusal(odd),
      /^FOREBAY_TLS_KEY_FILE: \S+odd\.key is not a supported key \(supported: RSA, /,
    );
  });

  test('a log line contains neither key nor certificate', () => {
    const secret = readFileSync(good.keyFile, 'utf8').split('\n')[1]!;
    const other = authority.issue('another');
    writeFileSync(authority.path('cut.key'), readFileSync(good.keyFile, 'utf8').slice(0, -60));
    for (const keyFile of [other.keyFile, authority.path('cut.key')]) {
      assert(!refusal({ ...good, keyFile }).includes(secret.slice(0, 20)), keyFile);
    }
  });
});

describe('the certificate log line', () => {
  const lines: Record<string, unknown>[] = [];
  const write = (line: string) => lines.push(JSON.parse(line));
  const log = pino({ base: null }, { write });
  after(() => assert.equal(lines.length, 0));

  /** Returns what is logged at a given time before expiry. */
  function line(daysLeft: number, daysOld = 100) {
    const nowMs = Date.UTC(2030, 0, 1);
    const notAfterMs = nowMs + daysLeft * DAY_MS;
    const notBeforeMs = nowMs - daysOld * DAY_MS;
    logCertificate(log, { subject: 'CN=a', notBeforeMs, notAfterMs }, nowMs);
    const { level, msg, days } = lines.pop()!;
    return [level, msg, days];
  }

  test('states the expiry, warns from a limit on, and when the certificate is not valid', () => {
    const [info, warn] = [30, 40];
    const { certificateDays } = LIMITS;
    assert.deepEqual(line(certificateDays), [info, 'TLS certificate', certificateDays]);
    const last = certificateDays - 0.5;
    const soon = 'TLS certificate expires soon';
    assert.deepEqual(line(last), [warn, soon, certificateDays - 1]);
    const expired = 'TLS certificate has expired, clients reject it';
    assert.deepEqual(line(-2.5), [warn, expired, 2]);
    const early = 'TLS certificate is not valid yet, clients reject it';
    assert.deepEqual(line(90, -1), [warn, early, 90]);
  });
});
