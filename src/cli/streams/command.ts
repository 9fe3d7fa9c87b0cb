/** The command `streams`: checks a stream file, compares it, and prints its specifications. */
import assert from 'node:assert/strict';
import { commandName } from '../../common/command-name.ts';
import { complain, EXIT, StartError } from '../../common/errors.ts';
import { type Config, readConfig } from '../../config/config.ts';
import type { LoadedStreamFile } from '../../streams/parse.ts';
import { adminUrl } from '../admin-port.ts';
import { readOptions, shown, type ValueOption } from '../command-line.ts';
import { diffWithGateway } from './diff-command.ts';
import { FORMATS, type Format, printSpec } from './spec-command.ts';
import { streamsSummary } from './summary.ts';

/** Text of `streams --help`. */
export function streamsHelp(): string {
  const me = commandName();
  return `Usage: ${me} streams check [FILE]
       ${me} streams diff [FILE] [--gateway URL] [--json]
       ${me} streams spec [FILE] [--format openapi|asyncapi] [--url URL] [--json]

check    checks a stream file [FOREBAY_STREAMS_FILE] and the schemas that it names. Prints the
         streams as a table on stdout, and warnings on stderr
diff     checks the file, and prints what it changes against the running gateway: added (+),
         removed (-) and changed (~) streams, and each changed property. Schemas are compared by
         the content of their files
spec     checks the file, and prints OpenAPI 3.1 or AsyncAPI 3.0 for clients: a path for each
         stream, with its schema, permissions and limits. Without a file: for the one topic

  --gateway URL    the admin port to query [that of these settings], such as http://10.0.0.7:9001
  --format NAME    openapi: HTTP [default]; asyncapi: WebSocket
  --url URL        public URL of the gateway [localhost, and the port of these settings]
  --json           differences as one JSON object; a specification in JSON instead of YAML

The settings of the environment count as those of the gateway: FOREBAY_KEYS_FILE or a JWKS for
\`access: keyed\`, FOREBAY_ORIGINS, FOREBAY_KEY_FIELD and FOREBAY_MAX_FRAME_BYTES.

Exit codes: 0 a valid file, or no differences; 1 differences; 2 an invalid file, with all of its
errors as FILE:LINE:COLUMN, invalid options or settings, or a gateway that does not respond.
`;
}

const SUBCOMMANDS: Readonly<Record<string, (argv: readonly string[]) => Promise<number>>> = {
  check,
  diff,
  spec,
};

/**
 * @param argv arguments after `streams`
 * @returns the exit code
 * @throws StartError (exit code 2) for invalid arguments or settings, an unusable file, and a
 * gateway that does not respond
 */
export async function runStreams(argv: readonly string[]): Promise<number> {
  const [name = '', ...rest] = argv;
  if (rest.some(isHelp) || isHelp(name)) {
    process.stdout.write(streamsHelp());
    return EXIT.clean;
  }
  const run = Object.hasOwn(SUBCOMMANDS, name) ? SUBCOMMANDS[name] : undefined;
  if (run !== undefined) return run(rest);
  const known = Object.keys(SUBCOMMANDS).join(', ');
  const problem = name === '' ? 'the subcommand is missing' : `unknown subcommand ${shown(name)}`;
  throw wrong(`${problem}; there are ${known}`);
}

function isHelp(argument: string): boolean {
  return argument === '--help' || argument === '-h';
}

async function check(argv: readonly string[]): Promise<number> {
  const { positionals } = readOptions(argv, {}, wrong);
  const config = readConfig(process.env);
  const { file, warnings } = await loadFile(config, positionals);
  process.stdout.write(streamsSummary(file));
  warn(warnings);
  return EXIT.clean;
}

async function diff(argv: readonly string[]): Promise<number> {
  const { values, positionals } = readOptions(argv, DIFF_OPTIONS, wrong);
  const config = readConfig(process.env);
  const { file, warnings } = await loadFile(config, positionals);
  warn(warnings);
  const { gateway = adminUrl(config), json } = values;
  return diffWithGateway(file, { gateway, json });
}

async function spec(argv: readonly string[]): Promise<number> {
  const { values, positionals } = readOptions(argv, SPEC_OPTIONS, wrong);
  const config = readConfig(process.env);
  const hasFile = positionals.length > 0 || config.streamsFile !== undefined;
  const { file, warnings = [] } = hasFile ? await loadFile(config, positionals) : {};
  warn(warnings);
  const { format = 'openapi', url, json } = values;
  return printSpec(config, file, { format, url, json });
}

const URL_OPTION: ValueOption<string> = {
  expects: 'a URL without a path such as http://10.0.0.7:9001',
  read: (given) => {
    if (!URL.canParse(given)) return undefined;
    const { protocol, origin, pathname, search, hash } = new URL(given);
    const isBase = pathname === '/' && search === '' && hash === '';
    return isBase && (protocol === 'http:' || protocol === 'https:') ? origin : undefined;
  },
};
const DIFF_OPTIONS = { gateway: URL_OPTION, json: 'flag' } as const;
const FORMAT: ValueOption<Format> = {
  expects: FORMATS.join(' or '),
  read: (given) => FORMATS.find((format) => format === given),
};
const SPEC_OPTIONS = { format: FORMAT, url: URL_OPTION, json: 'flag' } as const;

/** Loads the file of the arguments, or of FOREBAY_STREAMS_FILE. */
async function loadFile(
  config: Config,
  [given, ...rest]: readonly string[],
): Promise<LoadedStreamFile> {
  if (rest.length > 0) throw wrong(`unexpected argument ${shown(rest[0]!)}`);
  const path = given ?? config.streamsFile;
  if (path === undefined) throw wrong('the file is missing: name it, or set FOREBAY_STREAMS_FILE');
  const { keysToCheck, loadStreams } = await import('../../config/file-check.ts');
  try {
    const { keys, warnings } = keysToCheck(config);
    const loaded = await loadStreams({ ...config, streamsFile: path }, keys);
    assert(loaded !== undefined, 'there is a stream file');
    return { ...loaded, warnings: [...warnings, ...loaded.warnings] };
  } catch (error) {
    if (!(error instanceof StartError)) throw error;
    throw new StartError(error.message, EXIT.configuration);
  }
}

function warn(warnings: readonly string[]): void {
  for (const warning of warnings) complain(`warning: ${warning}`);
}

function wrong(message: string): StartError {
  return new StartError(
    `streams: ${message} (see ${commandName()} streams --help)`,
    EXIT.configuration,
  );
}
