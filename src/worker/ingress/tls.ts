/**
 * The certificate that clients are shown. uWebSockets.js reads the files itself and says nothing of
 * what is wrong with them, so they are read and tried here first.
 */
import type { KeyObject } from 'node:crypto';
import { EXIT, StartError } from '../../common/errors.ts';
import {
  type Certificate,
  certificateOf,
  DAY_MS,
  readKeyPair,
  validityOf,
} from '../../config/pem.ts';
import type { Logger } from '../../logging/logger.ts';
import type { App, Uws } from './uws.ts';

const CERT = 'FOREBAY_TLS_CERT_FILE';
const KEY = 'FOREBAY_TLS_KEY_FILE';

/**
 * For TLS 1.2, the least that uWebSockets.js speaks: what it would take besides keeps no secret
 * once the private key is stolen, or is CBC. TLS 1.3 has its own, all good.
 */
const CIPHERS = 'ECDHE+AESGCM:ECDHE+CHACHA20';

/** P-256, P-384 and P-521, by their names in OpenSSL. */
const CURVES: ReadonlySet<string> = new Set(['prime256v1', 'secp384r1', 'secp521r1']);

export interface TlsFiles {
  readonly certFile: string;
  readonly keyFile: string;
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
    throw new StartError(`${CERT}: uWebSockets.js rejects ${certFile} or its key`, EXIT.failed);
  }
}

/**
 * Finds out whether a server can use the files.
 * @throws StartError (exit code 1) that names what is wrong
 */
export function checkTlsFiles({ certFile, keyFile }: TlsFiles): Certificate {
  const { certificate, privateKey } = readKeyPair(
    { env: CERT, path: certFile },
    { env: KEY, path: keyFile },
  );
  if (!isSupportedKey(privateKey)) {
    const kinds = 'supported: RSA, EC with P-256, P-384 or P-521, and Ed25519';
    throw new StartError(`${KEY}: ${keyFile} is not a supported key (${kinds})`, EXIT.failed);
  }
  return certificateOf(certificate);
}

/** Tells keys that uWebSockets.js accepts; it gives no reason for a rejection. */
function isSupportedKey({ asymmetricKeyType, asymmetricKeyDetails }: KeyObject): boolean {
  if (asymmetricKeyType === 'ec') return CURVES.has(asymmetricKeyDetails?.namedCurve ?? '');
  return asymmetricKeyType === 'rsa' || asymmetricKeyType === 'ed25519';
}

/** Says which certificate is shown, and warns of one that does not hold, or not for long. */
export function logCertificate(log: Logger, certificate: Certificate, nowMs = Date.now()): void {
  const { subject, notBeforeMs, notAfterMs } = certificate;
  const days = Math.floor(Math.abs(notAfterMs - nowMs) / DAY_MS);
  const fields = { subject, notAfter: new Date(notAfterMs).toISOString(), days };
  const validity = validityOf(certificate, nowMs);
  if (validity === 'expired') {
    log.warn(fields, 'TLS certificate has expired, clients reject it');
  } else if (validity === 'early') {
    const notBefore = new Date(notBeforeMs).toISOString();
    log.warn({ ...fields, notBefore }, 'TLS certificate is not valid yet, clients reject it');
  } else if (validity === 'ending') {
    log.warn(fields, 'TLS certificate expires soon');
  } else log.info(fields, 'TLS certificate');
}
