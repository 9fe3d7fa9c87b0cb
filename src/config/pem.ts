import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { createSecureContext } from 'node:tls';
import { attemptAll, EXIT, StartError } from '../common/errors.ts';
import { LIMITS } from './limits.ts';
import { readSecretFile } from './secret-files.ts';

/** Content of a PEM file, named as in its first line. */
export type PemKind = 'CERTIFICATE' | 'PRIVATE KEY';

/**
 * Reads a PEM file that a setting names. TLS silently accepts a file without a valid certificate
 * and then trusts none, so the file is validated here.
 * @throws StartError (exit code 1) if it is unreadable or contains none of that kind
 */
export function readPem(env: string, path: string, kind: PemKind): string {
  const text = readSecretFile(env, path);
  if (!new RegExp(`-----BEGIN [A-Z0-9 ]*${kind}-----`).test(text)) {
    throw new StartError(`${env}: ${path} has no PEM ${kind.toLowerCase()}`, EXIT.failed);
  }
  if (kind === 'CERTIFICATE') readCertificate(env, path, text);
  return text;
}

/**
 * Parses the first certificate of a PEM file's text.
 * @throws StartError (exit code 1) if it is invalid
 */
export function readCertificate(env: string, path: string, text: string): X509Certificate {
  try {
    return new X509Certificate(text);
  } catch {
    throw new StartError(`${env}: ${path} contains an invalid certificate`, EXIT.failed);
  }
}

interface PrivateKey {
  readonly text: string;
  readonly privateKey: KeyObject;
}

/** @throws StartError (exit code 1) if the file contains no usable private key */
function readPrivateKey(env: string, path: string): PrivateKey {
  const text = readPem(env, path, 'PRIVATE KEY');
  if (/ENCRYPTED/.test(text)) {
    const remedy = 'decrypt it with openssl pkey -in OLD -out NEW';
    throw new StartError(`${env}: ${path} is encrypted; ${remedy}`, EXIT.failed);
  }
  try {
    return { text, privateKey: createPrivateKey(text) };
  } catch {
    throw new StartError(`${env}: ${path} contains an invalid private key`, EXIT.failed);
  }
}

/** A file, and the setting that names it. */
interface NamedFile {
  readonly env: string;
  readonly path: string;
}

interface KeyPair {
  readonly cert: string;
  readonly key: string;
  /** First certificate of the file. */
  readonly certificate: X509Certificate;
  readonly privateKey: KeyObject;
}

/**
 * Reads a certificate and its key, and validates both.
 * @throws StartError (exit code 1) that names each unusable file
 */
export function readKeyPair(certFile: NamedFile, keyFile: NamedFile): KeyPair {
  const [cert, { text: key, privateKey }] = attemptAll(
    () => readPem(certFile.env, certFile.path, 'CERTIFICATE'),
    () => readPrivateKey(keyFile.env, keyFile.path),
  );
  const certificate = readCertificate(certFile.env, certFile.path, cert);
  if (!certificate.checkPrivateKey(privateKey)) {
    const not = `${keyFile.path} is not the key of the first certificate in ${certFile.path}`;
    throw new StartError(`${keyFile.env}: ${not}`, EXIT.failed);
  }
  checkChain(certFile, cert);
  try {
    createSecureContext({ cert, key });
  } catch (error) {
    // OpenSSL's message surrounds the reason by numbers and names of its libraries.
    const { reason, message } = error as Error & { readonly reason?: string };
    const not = `${certFile.path} cannot be used for TLS (${reason ?? message})`;
    throw new StartError(`${certFile.env}: ${not}`, EXIT.failed);
  }
  return { cert, key, certificate, privateKey };
}

/** @throws StartError (exit code 1) if one of the certificates is invalid */
function checkChain({ env, path }: NamedFile, text: string): void {
  for (const { index } of text.matchAll(/-----BEGIN [A-Z0-9 ]*CERTIFICATE-----/g)) {
    readCertificate(env, path, text.slice(index));
  }
}

export const DAY_MS = 86_400_000;

/** Subject and validity of a certificate; times are milliseconds of Unix time. */
export interface Certificate {
  readonly subject: string;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}

export function certificateOf({ subject, validFrom, validTo }: X509Certificate): Certificate {
  return {
    subject: subject.replaceAll('\n', ', '),
    notBeforeMs: Date.parse(validFrom),
    notAfterMs: Date.parse(validTo),
  };
}

/** State of a certificate at a time; `ending` = due for renewal. */
export function validityOf(
  { notBeforeMs, notAfterMs }: Certificate,
  nowMs: number,
): 'valid' | 'ending' | 'expired' | 'early' {
  if (nowMs > notAfterMs) return 'expired';
  if (nowMs < notBeforeMs) return 'early';
  return notAfterMs - nowMs < LIMITS.certificateDays * DAY_MS ? 'ending' : 'valid';
}
