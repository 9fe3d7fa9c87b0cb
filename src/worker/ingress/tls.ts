/**
 * The server certificate. uWebSockets.js reads the files itself and does not report errors, so they
 * are read and validated here first.
 */
import type { KeyObject } from 'node:crypto';
import { EXIT, StartError } from '../../common/errors.ts';
import type { Config } from '../../config/config.ts';
import {
  type Certificate,
  certificateOf,
  DAY_MS,
  readKeyPair,
  validityOf,
} from '../../config/pem.ts';
import type { Logger } from '../../logging/logger.ts';
import type { App, Transport } from './transport/transport.ts';

const CERT = 'FOREBAY_TLS_CERT_FILE';
const KEY = 'FOREBAY_TLS_KEY_FILE';

/**
 * Ciphers for TLS 1.2, the minimum version of uWebSockets.js. The others that it accepts lack
 * forward secrecy or use CBC. TLS 1.3 has its own ciphers, all of them strong.
 */
const CIPHERS = 'ECDHE+AESGCM:ECDHE+CHACHA20';

/** OpenSSL names of P-256, P-384 and P-521. */
const CURVES: ReadonlySet<string> = new Set(['prime256v1', 'secp384r1', 'secp521r1']);

export interface TlsFiles {
  readonly certFile: string;
  readonly keyFile: string;
}

/** Returns the files of the settings; undefined = plain text. */
export function tlsFiles({
  tlsCertFile: certFile,
  tlsKeyFile: keyFile,
}: Pick<Config, 'tlsCertFile' | 'tlsKeyFile'>): TlsFiles | undefined {
  return certFile === undefined || keyFile === undefined ? undefined : { certFile, keyFile };
}

/**
 * Creates an app with these files.
 * @throws StartError (exit code 1) if they are unusable
 */
export function tlsApp(
  transport: Transport,
  files: TlsFiles,
): { app: App; certificate: Certificate } {
  const certificate = checkTlsFiles(files);
  const { certFile, keyFile } = files;
  try {
    const app = transport.createApp({
      cert_file_name: certFile,
      key_file_name: keyFile,
      ssl_ciphers: CIPHERS,
    });
    return { app, certificate };
  } catch {
    throw new StartError(`${CERT}: OpenSSL rejects ${certFile} or its key`, EXIT.failed);
  }
}

/** Validates the files. @throws StartError (exit code 1) that names the failure */
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

/** Returns whether uWebSockets.js accepts a key; it gives no reason for a rejection. */
function isSupportedKey({ asymmetricKeyType, asymmetricKeyDetails }: KeyObject): boolean {
  if (asymmetricKeyType === 'ec') return CURVES.has(asymmetricKeyDetails?.namedCurve ?? '');
  return asymmetricKeyType === 'rsa' || asymmetricKeyType === 'ed25519';
}

/** Logs the certificate, as a warning if it is not valid or expires soon. */
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
