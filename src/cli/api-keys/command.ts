/** The command `key new`: creates an API key. */

import { addToFile } from '../../api-keys/file.ts';
import { newToken, tokenHash } from '../../api-keys/token.ts';
import { EXIT } from '../../common/errors.ts';
import { keyHelp, parseKeyArguments } from './arguments.ts';

/**
 * @param argv arguments after `key`
 * @returns the exit code
 * @throws StartError: invalid options (exit code 2), unusable file (1)
 */
export function runKey(argv: readonly string[]): number {
  const { fields, file, help } = parseKeyArguments(argv);
  if (help) {
    process.stdout.write(keyHelp());
    return EXIT.clean;
  }
  const token = newToken();
  const { name, ...others } = fields;
  const entry = { name, sha256: tokenHash(token), ...others };
  // Written before the token is shown: a token without an entry is useless.
  if (file !== undefined) addToFile(file, entry);
  process.stdout.write(`${token}\n`);
  if (file === undefined) {
    process.stderr.write(`add to "keys" in the file of FOREBAY_KEYS_FILE:\n`);
    process.stderr.write(`${JSON.stringify(entry, undefined, 2)}\n`);
  } else process.stderr.write(`added to ${file}\n`);
  return EXIT.clean;
}
