/**
 * The certificate that clients are shown. uWebSockets.js reads the files itself and says nothing of
 * what is wrong with them, so they are read and tried here first.
 */
import { createPrivateKey, type KeyObject } from 'node:crypto';
import { createSecureContext } from 'node:tls';
import { EXIT, StartError } from '../../errors.ts';
import { LIMITS } from '../../limits.ts';
import type { Logger } from '../../log.ts';
import { readCertificate, readPem } from '../../pem.ts';
import type { App, Uws } from './uws.ts';

const CERT = 'FOREBAY_TLS_CERT_FILE';
const KEY = 'FOREBAY_TLS_KEY_FILE';
const DAY_MS = 86_400_000;

/**
 * For TLS 1.2, the least that uWebSockets.js speaks: what it would take besides keeps no secret
 * once the private key is stolen, or is CBC. TLS 1.3 has its own, all good.
 */
const CIPHERS = 'ECDHE+AESGCM:ECDHE+CHACHA20';

export interface TlsFiles {
  readonly certFile: string;
  readonly keyFile: string;
}

/** When the certificate holds, in milliseconds of Unix time, and for whom. */
export interface Certificate {
  readonly subject: string;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}

/**
 * Makes uWebSockets.js's app for these files.
 * @throws StartError (exit code 1) when they cannot be used
 */
export function tlsApp(uws: Uws, files: TlsFiles): { app: App; certificate: Certificate } {
  const certificate = checkTlsFiles(files);
  const { certFile, keyFile } = files;
  try {
    const app = uws.SSLApp({
      cert_file_name: certFile,
      key_file_name: keyFile,
      ssl_ciphers: CIPHERS,
    });
    return { app, certificate };
  } catch {
    const kinds = 'RSA, EC with P-256, P-384 or P-521, and Ed25519 are taken';
    throw new StartError(`${KEY}: ${keyFile} is no key that can serve (${kinds})`, EXIT.failed);
  }
}

/**
 * Finds out whether a server can use the files.
 * @throws StartError (exit code 1) that names what is wrong
 */
export function checkTlsFiles({ certFile, keyFile }: TlsFiles): Certificate {
  const cert = readPem(CERT, certFile, 'CERTIFICATE');
  const key = readPem(KEY, keyFile, 'PRIVATE KEY');
  const certificate = readCertificate(CERT, certFile, cert);
  if (!certificate.checkPrivateKey(parseKey(keyFile, key))) {
    const not = `${keyFile} is not the key of the first certificate in ${certFile}`;
    throw new StartError(`${KEY}: ${not}`, EXIT.failed);
  }
  try {
    createSecureContext({ cert, key });
  } catch (error) {
    const reason = (error as Error).message;
    throw new StartError(`${CERT}: ${certFile} cannot be used for TLS (${reason})`, EXIT.failed);
  }
  return {
    subject: certificate.subject.replaceAll('\n', ', '),
    notBeforeMs: Date.parse(certificate.validFrom),
    notAfterMs: Date.parse(certificate.validTo),
  };
}

function parseKey(path: string, text: string): KeyObject {
  if (/ENCRYPTED/.test(text)) {
    const remedy = 'openssl pkey writes one that is not';
    throw new StartError(`${KEY}: ${path} is encrypted; ${remedy}`, EXIT.failed);
  }
  try {
    return createPrivateKey(text);
  } catch {
    throw new StartError(`${KEY}: ${path} holds a broken private key`, EXIT.failed);
  }
}

/** Says which certificate is shown, and warns of one that does not hold, or not for long. */
export function logCertificate(
  log: Logger,
  { subject, notBeforeMs, notAfterMs }: Certificate,
  nowMs = Date.now(),
): void {
  const days = Math.floor(Math.abs(notAfterMs - nowMs) / DAY_MS);
  const fields = { subject, notAfter: new Date(notAfterMs).toISOString(), days };
  if (nowMs > notAfterMs) {
    log.warn(fields, 'the TLS certificate has expired: clients refuse it');
  } else if (nowMs < notBeforeMs) {
    const notBefore = new Date(notBeforeMs).toISOString();
    log.warn({ ...fields, notBefore }, 'the TLS certificate does not hold yet: clients refuse it');
  } else if (days < LIMITS.certificateDays) {
    log.warn(fields, 'the TLS certificate expires soon');
  } else log.info(fields, 'TLS certificate');
}
