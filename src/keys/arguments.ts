/** The command line of `key new`. */
import { parseArgs } from 'node:util';
import { calledAs } from '../called-as.ts';
import { EXIT, StartError } from '../errors.ts';

export interface KeyOptions {
  /** What is to stand in the file beside the token's hash, as given. */
  readonly fields: { readonly name: string } & Readonly<Record<string, string | number>>;
  readonly file: string | undefined;
  readonly help: boolean;
}

export function keyHelp(): string {
  const me = calledAs();
  return `Usage: ${me} key new --name NAME [options]

Makes an API key. Prints the token on stdout, once: it is kept nowhere. What goes to the file of
FOREBAY_KEYS_FILE, a hash of it, is printed on stderr, or put there.

  --name NAME            who it is for: letters, digits, . _ @ -; stands in logs
  --events-per-second N  how much it may send, to each worker [no bound]
  --burst N              events at once after a pause [those of a second]
  --expires TIME         when it is over: 2027-01-31T00:00:00Z [never]
  --file PATH            add it to this file, which is made if there is none
  --help                 this text
`;
}

/**
 * Reads the arguments that follow `key`.
 * @throws StartError (exit code 2), one line, when they are wrong
 */
export function parseKeyArguments(argv: readonly string[]): KeyOptions {
  const { values, positionals } = parse(argv);
  const { name, file, expires, help } = values;
  if (help) return { fields: { name: '' }, file, help };
  if (positionals.join(' ') !== 'new') throw wrong('there is `key new` alone');
  if (name === undefined) throw wrong('--name is missing');
  const eventsPerSecond = count('--events-per-second', values['events-per-second']);
  const burst = count('--burst', values.burst);
  const fields = {
    name,
    ...(expires !== undefined && { expires }),
    ...(eventsPerSecond !== undefined && { eventsPerSecond }),
    ...(burst !== undefined && { burst }),
  };
  return { fields, file, help };
}

/** What is wrong with the arguments, in one line. */
export function wrong(message: string): StartError {
  return new StartError(`key: ${message} (see ${calledAs()} key --help)`, EXIT.configuration);
}

function parse(argv: readonly string[]) {
  try {
    return parseArgs({
      args: [...argv],
      allowPositionals: true,
      options: {
        name: { type: 'string' },
        'events-per-second': { type: 'string' },
        burst: { type: 'string' },
        expires: { type: 'string' },
        file: { type: 'string' },
        help: { type: 'boolean', short: 'h', default: false },
      },
    });
  } catch (error) {
    throw wrong((error as Error).message.split(/\. |\.?\n/)[0] ?? 'wrong options');
  }
}

function count(option: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (/^[1-9]\d{0,14}$/.test(text)) return Number(text);
  throw wrong(`${option} must be a whole number from 1, not ${JSON.stringify(text)}`);
}
