/** Command line of `schema test`. */
import { type ListOption, PATH, readOptions, shown } from '../command-line.ts';
import { STREAM } from '../listen/arguments.ts';
import { wrongUsage } from './usage.ts';

export interface TestOptions {
  /** Schema file; undefined = that of the stream. */
  readonly schema: string | undefined;
  /** Stream of the stream file whose schema is tested. */
  readonly stream: string | undefined;
  /** Stream file; undefined = that of the settings. */
  readonly streamsFile: string | undefined;
  /** Files with events that the schema must accept. */
  readonly good: readonly string[];
  /** Files with events that it must reject. */
  readonly bad: readonly string[];
  readonly json: boolean;
  readonly help: boolean;
}

const FILES: ListOption<string> = { multiple: true, ...PATH };
/** Options that take all arguments up to the next option, as shells expand patterns to several. */
const LISTS: ReadonlySet<string> = new Set(['--good', '--bad']);
const OPTIONS = {
  stream: STREAM,
  'streams-file': PATH,
  good: FILES,
  bad: FILES,
  json: 'flag',
} as const;

/**
 * Parses the arguments that follow `schema test`.
 * @throws StartError (exit code 2), one line, if they are invalid
 */
export function parseTestArguments(argv: readonly string[]): TestOptions {
  const { values, positionals, help } = readOptions(repeatLists(argv), OPTIONS, wrongUsage);
  const { stream, 'streams-file': streamsFile, good, bad, json } = values;
  const [schema, unexpected] = positionals;
  const options = { schema, stream, streamsFile, good, bad, json, help };
  if (help) return options;
  if (unexpected !== undefined) throw wrongUsage(`unexpected argument ${shown(unexpected)}`);
  if (schema === undefined && stream === undefined) {
    throw wrongUsage('the schema is missing: name its file first, or a stream with --stream');
  }
  if (schema !== undefined && stream !== undefined) {
    throw wrongUsage('a schema file and --stream are mutually exclusive');
  }
  if (streamsFile !== undefined && stream === undefined) {
    throw wrongUsage('--streams-file requires --stream');
  }
  if (good.length + bad.length === 0) {
    throw wrongUsage('the examples are missing: name files with --good and --bad');
  }
  return options;
}

/** Repeats a list option before each of its further values: `--good a b` as `--good a --good b`. */
function repeatLists(argv: readonly string[]): string[] {
  let list: string | undefined;
  let hasValue = false;
  return argv.flatMap((argument) => {
    if (argument.startsWith('-')) {
      const [name = ''] = argument.split('=', 1);
      list = LISTS.has(name) ? name : undefined;
      hasValue = argument !== name;
      return [argument];
    }
    const repeats = list !== undefined && hasValue;
    hasValue = true;
    return repeats ? [list!, argument] : [argument];
  });
}
