/** Command line of `micro`. */
import { commandName } from '../../common/command-name.ts';
import { EXIT, StartError } from '../../common/errors.ts';
import { MICRO_LIMITS } from '../../micro/limits.ts';
import { PATH, readOptions, shown, wholeNumber } from '../command-line.ts';

export interface MicroOptions {
  /** Folder of the log; undefined = it is in memory only. */
  readonly data: string | undefined;
  /** Bound of the log of each stream and outcome. */
  readonly maxBytes: number;
  readonly help: boolean;
}

/**
 * Parses the arguments that follow `micro`.
 * @throws StartError (exit code 2), one line that names the option, if they are invalid
 */
export function parseMicroArguments(argv: readonly string[]): MicroOptions {
  const { default: usual, min, max } = MICRO_LIMITS.logBytes;
  const options = { data: PATH, 'max-bytes': wholeNumber(min, max) };
  const { values, positionals, help } = readOptions(argv, options, wrong);
  const [unexpected] = help ? [] : positionals;
  if (unexpected !== undefined) throw wrong(`unexpected argument ${shown(unexpected)}`);
  return { data: values.data, maxBytes: values['max-bytes'] ?? usual, help };
}

function wrong(message: string): StartError {
  return new StartError(
    `micro: ${message} (see ${commandName()} micro --help)`,
    EXIT.configuration,
  );
}

/** Text of `micro --help`. */
export function microHelp(): string {
  const { default: usual } = MICRO_LIMITS.logBytes;
  return `Usage: ${commandName()} micro [options]

Runs the whole gateway in one process without Kafka: for development, tests and a first look, never
for production. Endpoints, schemas, codes and acknowledgements are those of the gateway. Events are
stored in a log of JSON lines, in memory, and are gone when the process ends.

  --data DIR              keep the log in DIR, a file per stream and outcome; it survives the
                          process, but not a crash of the machine
  --max-bytes N           bytes of the log per stream and outcome; an event that does not fit is
                          rejected with buffer_full [${usual}]
  --help                  this text

Settings are those of the gateway; those of Kafka are ignored, except for the names of topics and
KAFKA_TOPIC_PARTITIONS. On the admin port there are also:

  GET /micro/events       the log; ?stream=NAME, &outcome=stored, rejected or dead_letter,
                          &since=SEQ, &limit=N
  POST /micro/reset       remove all events
  POST /micro/expect      wait for events: {"stream":"clicks","good":3,"bad":0,"withinMs":2000}

Exit codes: those of the gateway.
`;
}
