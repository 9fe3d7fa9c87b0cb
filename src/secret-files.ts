/** The text of files that settings name. */
import { readFileSync } from 'node:fs';
import { byteOrderMark } from './byte-order-mark.ts';
import { EXIT, StartError, systemReason } from './errors.ts';

/**
 * The text in the bytes of a file. A byte order mark would become part of it, unseen.
 * @throws Error whose message continues "the file …" for a byte order mark
 */
export function textOf(bytes: Buffer): string {
  const mark = byteOrderMark(bytes);
  if (mark === undefined) return bytes.toString();
  throw new Error(`begins with ${mark}: save it as UTF-8 without one`);
}

/**
 * The text of a file of credentials or certificates.
 * @param env the setting that names it
 * @throws StartError (exit code 1) if it is unreadable or begins with a byte order mark
 */
export function readSecretFile(env: string, path: string): string {
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    throw new StartError(`${env}: cannot read ${path}: ${systemReason(error)}`, EXIT.failed);
  }
  try {
    return textOf(bytes);
  } catch (error) {
    throw new StartError(`${env}: ${path} ${(error as Error).message}`, EXIT.failed);
  }
}

/**
 * The password or token in such a file: its text without the line's end that editors put there.
 * @throws StartError (exit code 1) as {@link readSecretFile}, and for an empty file
 */
export function readSecret(env: string, path: string): string {
  const secret = readSecretFile(env, path).replace(/\r?\n$/, '');
  if (secret !== '') return secret;
  throw new StartError(`${env}: ${path} is empty`, EXIT.failed);
}
