/** Command line of `key new`. */

import { expiryOf, KEY_NAME } from '../../api-keys/format.ts';
import { commandName } from '../../common/command-name.ts';
import { EXIT, StartError } from '../../common/errors.ts';
import { LIMITS } from '../../config/limits.ts';
import { STREAM_NAME } from '../../streams/stream-file.ts';
import { PATH, readOptions, type ValueOption, wholeNumber } from '../command-line.ts';

export interface KeyOptions {
  /** Fields of the file's entry, as given; the hash of the token is added. */
  readonly fields: { readonly name: string } & Readonly<
    Record<string, string | number | readonly string[]>
  >;
  readonly file: string | undefined;
  readonly help: boolean;
}

export function keyHelp(): string {
  const me = commandName();
  return `Usage: ${me} key new --name NAME [options]

Creates an API key. Prints the token on stdout, once: it is not stored. The entry for the file of
FOREBAY_KEYS_FILE, with a hash of the token, is printed on stderr, or added to the file.

  --name NAME            name of the client, also in logs:
                         ${KEY_NAME.expected}
  --events-per-second N  rate limit in each worker [no limit]
  --burst N              maximum burst [the rate of one second]
  --expires TIME         expiry, such as 2027-01-31T00:00:00Z [never]
  --streams A,B          streams that it may write to [every stream with \`access: keyed\`]
  --file PATH            add the key to this file, created if missing
  --help                 this text
`;
}

/**
 * Parses the arguments that follow `key`.
 * @throws StartError (exit code 2), one line that names the option, if they are invalid
 */
export function parseKeyArguments(argv: readonly string[]): KeyOptions {
  const { values, positionals, help } = readOptions(argv, OPTIONS, wrong);
  const { name, file, expires, burst, streams, 'events-per-second': eventsPerSecond } = values;
  if (help) return { fields: { name: '' }, file: undefined, help };
  if (positionals.join(' ') !== 'new') throw wrong('the only subcommand is `key new`');
  if (name === undefined) throw wrong('--name is missing');
  if (burst !== undefined && eventsPerSecond === undefined) {
    throw wrong('--burst requires --events-per-second');
  }
  const fields = {
    name,
    ...(expires !== undefined && { expires }),
    ...(eventsPerSecond !== undefined && { eventsPerSecond }),
    ...(burst !== undefined && { burst }),
    ...(streams !== undefined && { streams }),
  };
  return { fields, file, help };
}

const NAME: ValueOption<string> = {
  expects: KEY_NAME.expected,
  read: (text) => (KEY_NAME.pattern.test(text) ? text : undefined),
};

const EXPIRES: ValueOption<string> = {
  expects: 'a future time such as 2099-01-31 or 2099-01-31T00:00:00Z',
  read: (text) => ((expiryOf(text) ?? 0) > Date.now() ? text : undefined),
};

const STREAMS: ValueOption<readonly string[]> = {
  expects: 'stream names, separated by commas',
  read: (text) => {
    const names = text.split(',');
    return names.every((name) => STREAM_NAME.pattern.test(name)) ? names : undefined;
  },
};

const OPTIONS = {
  name: NAME,
  'events-per-second': wholeNumber(1, LIMITS.keyRate),
  burst: wholeNumber(1, LIMITS.keyRate),
  expires: EXPIRES,
  streams: STREAMS,
  file: PATH,
} as const;

function wrong(message: string): StartError {
  return new StartError(`key: ${message} (see ${commandName()} key --help)`, EXIT.configuration);
}
