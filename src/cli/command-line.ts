/** Option parser of every command, so that equal mistakes get equal messages. */
import { parseArgs } from 'node:util';

/** An option that takes a value, `--count 3` or `--count=3`. */
export interface ValueOption<T> {
  /** Continues "must be" in the message about an invalid value: its kind and range. */
  readonly expects: string;
  /** Returns undefined for an invalid value. */
  read(text: string): T | undefined;
}

/** A value option that may be repeated. */
export interface ListOption<T> extends ValueOption<T> {
  readonly multiple: true;
}

type Option = 'flag' | ValueOption<unknown> | ListOption<unknown>;
/** Options by name; every command also has `--help` and `-h`. */
type Options = Readonly<Record<string, Option>>;

type Values<O extends Options> = {
  [N in keyof O]: O[N] extends 'flag'
    ? boolean
    : O[N] extends ListOption<infer T>
      ? T[]
      : O[N] extends ValueOption<infer T>
        ? T | undefined
        : never;
};

export interface CommandLine<O extends Options> {
  readonly values: Values<O>;
  readonly positionals: readonly string[];
  readonly help: boolean;
}

const SHOWN_LENGTH_MAX = 100;

/**
 * Parses `argv`. With `--help`, nothing else is checked.
 * @param wrong creates the error from a one-line message that names the option
 */
export function readOptions<O extends Options>(
  argv: readonly string[],
  options: O,
  wrong: (message: string) => Error,
): CommandLine<O> {
  const known: Options = { ...options, help: 'flag' };
  const tokens = tokensOf(argv, known);
  const positionals = tokens.flatMap((token) => (token.kind === 'positional' ? token.value : []));
  const given = tokens.filter((token) => token.kind === 'option');
  const help = given.some(({ name }) => name === 'help');
  const values = Object.fromEntries(
    Object.entries(options).map(([name, option]) => [name, emptyOf(option)]),
  );
  for (const { name, rawName, value, inlineValue, index } of help ? [] : given) {
    const option = Object.hasOwn(known, name) ? known[name] : undefined;
    if (option === undefined) throw wrong(`unknown option ${rawName}`);
    if (option === 'flag') {
      if (value !== undefined) throw wrong(`${rawName} takes no value`);
      values[name] = true;
      continue;
    }
    if (value === undefined || (inlineValue === false && isOption(argv[index + 1]))) {
      throw wrong(`${rawName} requires a value: ${option.expects}`);
    }
    const read = option.read(value);
    if (read === undefined) {
      throw wrong(`${rawName} must be ${option.expects}, not ${shown(value)}`);
    }
    if ('multiple' in option) (values[name] as unknown[]).push(read);
    else if (values[name] === undefined) values[name] = read;
    else throw wrong(`${rawName} is repeated`);
  }
  return { values: values as Values<O>, positionals, help };
}

/** A value option for integers in digits, without sign, point or exponent. */
export function wholeNumber(min: number, max: number): ValueOption<number> {
  return {
    expects: `a whole number from ${min} to ${max}`,
    read: (text) => {
      const value = /^(0|[1-9][0-9]{0,15})$/.test(text) ? Number(text) : Number.NaN;
      return value >= min && value <= max ? value : undefined;
    },
  };
}

/** A value option for any non-empty text. */
export function text(expects: string): ValueOption<string> {
  return { expects, read: (given) => (given === '' ? undefined : given) };
}

/** A value option for a file path; one that begins with a hyphen is probably a mistake. */
export const PATH: ValueOption<string> = {
  expects: 'a path (./-x for a name that begins with a hyphen)',
  read: (given) => (given === '' || given.startsWith('-') ? undefined : given),
};

export function shown(value: string): string {
  const { length } = value;
  if (length <= SHOWN_LENGTH_MAX) return JSON.stringify(value);
  return `${JSON.stringify(value.slice(0, SHOWN_LENGTH_MAX))}… (${length} characters)`;
}

function tokensOf(argv: readonly string[], options: Options) {
  const types = Object.entries(options).map(([name, option]) => {
    const type = option === 'flag' ? ('boolean' as const) : ('string' as const);
    return [name, { type, ...(name === 'help' && { short: 'h' }) }];
  });
  // Not strict: strict mode rejects a value such as -15m, with a message for developers.
  return parseArgs({
    args: [...argv],
    options: Object.fromEntries(types),
    strict: false,
    tokens: true,
  }).tokens;
}

function emptyOf(option: Option): unknown {
  if (option === 'flag') return false;
  return 'multiple' in option ? [] : undefined;
}

/** Returns whether the argument after an option is the next option; `-3` and `-15m` are values. */
function isOption(argument: string | undefined): boolean {
  return argument === '-h' || argument?.startsWith('--') === true;
}
