/** Reading of the text files that settings name. */
import { isUtf8 } from 'node:buffer';
import { readFileSync } from 'node:fs';
import { byteOrderMark } from '../common/byte-order-mark.ts';
import { EXIT, StartError, systemReason } from '../common/errors.ts';

/**
 * Decodes the bytes of a file. A byte order mark would become an invisible part of the text, and
 * invalid UTF-8 other characters.
 * @throws Error for either, whose message continues "the file …"
 */
export function textOf(bytes: Buffer): string {
  const text = unmarked(bytes);
  if (isUtf8(bytes)) return text;
  throw new Error('is not valid UTF-8: save it as UTF-8');
}

/** Decodes a file in which other encodings do no harm, such as PEM with comments. */
function unmarked(bytes: Buffer): string {
  const mark = byteOrderMark(bytes);
  if (mark === undefined) return bytes.toString();
  throw new Error(`begins with ${mark}: save it as UTF-8 without one`);
}

/**
 * Reads a file of credentials or certificates.
 * @param env setting that names it
 * @param read decodes its bytes, or throws an Error whose message continues "the file …"
 * @throws StartError (exit code 1) if it is unreadable or begins with a byte order mark
 */
export function readSecretFile(env: string, path: string, read = unmarked): string {
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    throw new StartError(`${env}: cannot read ${path}: ${systemReason(error)}`, EXIT.failed);
  }
  try {
    return read(bytes);
  } catch (error) {
    throw new StartError(`${env}: ${path} ${(error as Error).message}`, EXIT.failed);
  }
}

/**
 * Reads a file with a password or token; strips the newline that editors append.
 * @throws StartError (exit code 1) as {@link readSecretFile}, and for an empty or non-UTF-8 file
 */
export function readSecret(env: string, path: string): string {
  const secret = readSecretFile(env, path, textOf).replace(/\r?\n$/, '');
  if (secret !== '') return secret;
  throw new StartError(`${env}: ${path} is empty`, EXIT.failed);
}
