/** The credentials and certificates that settings name as files. */
import { readFileSync } from 'node:fs';
import { EXIT, StartError, systemReason } from './errors.ts';

/**
 * The text of such a file.
 * @param env the setting that names it
 * @throws StartError (exit code 1) when it cannot be read
 */
export function readSecretFile(env: string, path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new StartError(`${env}: cannot read ${path} (${systemReason(error)})`, EXIT.failed);
  }
}

/**
 * The password or token in such a file: its text without the line's end that editors put there.
 * @throws StartError as {@link readSecretFile}
 */
export function readSecret(env: string, path: string): string {
  return readSecretFile(env, path).replace(/\r?\n$/, '');
}
