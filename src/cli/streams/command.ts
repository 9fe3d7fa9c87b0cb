/** The command `streams check`: validates a stream file. */
import { commandName } from '../../common/command-name.ts';
import { complain, EXIT, StartError } from '../../common/errors.ts';
import { readConfig } from '../../config/config.ts';
import { readOptions, shown } from '../command-line.ts';
import { streamsSummary } from './summary.ts';

/** Text of `streams --help`. */
export function streamsHelp(): string {
  const me = commandName();
  return `Usage: ${me} streams check [FILE]

Checks a stream file [FOREBAY_STREAMS_FILE] and the schemas that it names. Prints the streams as a
table on stdout, and warnings on stderr. An invalid file ends with exit code 2 and all of its
errors, each with line and column: FILE:LINE:COLUMN.

The settings of the environment count as those of the gateway: FOREBAY_KEYS_FILE or a JWKS for
\`access: keyed\`, FOREBAY_ORIGINS, FOREBAY_KEY_FIELD and FOREBAY_MAX_FRAME_BYTES.
`;
}

/**
 * @param argv arguments after `streams`
 * @returns the exit code
 * @throws StartError (exit code 2) for invalid arguments or settings, and for an unusable file
 */
export async function runStreams(argv: readonly string[]): Promise<number> {
  const { positionals, help } = readOptions(argv, {}, wrong);
  if (help) {
    process.stdout.write(streamsHelp());
    return EXIT.clean;
  }
  const [command, given, ...rest] = positionals;
  if (command !== 'check') throw wrong('the only subcommand is `streams check`');
  if (rest.length > 0) throw wrong(`unexpected argument ${shown(rest[0]!)}`);
  const config = readConfig(process.env);
  const path = given ?? config.streamsFile;
  if (path === undefined) throw wrong('the file is missing: name it, or set FOREBAY_STREAMS_FILE');
  const { streamLoader } = await import('../../config/file-check.ts');
  const load = await streamLoader(config, path);
  try {
    const { file, warnings } = load();
    process.stdout.write(streamsSummary(file));
    for (const warning of warnings) complain(`warning: ${warning}`);
    return EXIT.clean;
  } catch (error) {
    if (!(error instanceof StartError)) throw error;
    throw new StartError(error.message, EXIT.configuration);
  }
}

function wrong(message: string): StartError {
  return new StartError(
    `streams: ${message} (see ${commandName()} streams --help)`,
    EXIT.configuration,
  );
}
