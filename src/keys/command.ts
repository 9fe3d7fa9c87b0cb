/** The command `key new`: makes an API key. */
import { EXIT, StartError } from '../errors.ts';
import { keyHelp, parseKeyArguments, wrong } from './arguments.ts';
import { addToFile } from './file.ts';
import { parseKeys } from './format.ts';
import { newToken, tokenHash } from './token.ts';

/**
 * @param argv the arguments after `key`
 * @returns the exit code
 * @throws StartError: wrong options (exit code 2), a file that cannot be had (1)
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
  checkEntry(entry);
  // Before the token is shown: one that is in no file lets nobody in.
  if (file !== undefined) addToFile(file, entry);
  process.stdout.write(`${token}\n`);
  if (file === undefined) {
    process.stderr.write(`to be put among the "keys" of FOREBAY_KEYS_FILE:\n`);
    process.stderr.write(`${JSON.stringify(entry, undefined, 2)}\n`);
  } else process.stderr.write(`added to ${file}\n`);
  return EXIT.clean;
}

/** @throws StartError (exit code 2) when the file would be wrong with it */
function checkEntry(entry: object): void {
  try {
    parseKeys(JSON.stringify({ keys: [entry] }));
  } catch (error) {
    if (error instanceof StartError) throw error;
    throw wrong((error as Error).message.replace('keys[0].', ''));
  }
}
