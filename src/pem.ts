import { X509Certificate } from 'node:crypto';
import { EXIT, StartError } from './errors.ts';
import { LIMITS } from './limits.ts';
import { readSecretFile } from './secret-files.ts';

/** What stands in a PEM file, as its first line names it. */
export type PemKind = 'CERTIFICATE' | 'PRIVATE KEY';

/**
 * The text of a PEM file that a setting names. TLS takes a file without a good certificate
 * silently, and then trusts nobody: it is said here.
 * @throws StartError (exit code 1) when it cannot be read, or is none of that kind
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
 * The first certificate of a PEM file's text.
 * @throws StartError (exit code 1) when it is broken
 */
export function readCertificate(env: string, path: string, text: string): X509Certificate {
  try {
    return new X509Certificate(text);
  } catch {
    throw new StartError(`${env}: ${path} holds a broken certificate`, EXIT.failed);
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

/** State of a certificate at a time; `ending` = it has to be renewed soon. */
export function validityOf(
  { notBeforeMs, notAfterMs }: Certificate,
  nowMs: number,
): 'valid' | 'ending' | 'expired' | 'early' {
  if (nowMs > notAfterMs) return 'expired';
  if (nowMs < notBeforeMs) return 'early';
  return notAfterMs - nowMs < LIMITS.certificateDays * DAY_MS ? 'ending' : 'valid';
}
