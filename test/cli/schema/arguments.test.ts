import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runSchema, schemaHelp } from '../../../src/cli/schema/command.ts';
import { parseTestArguments } from '../../../src/cli/schema/test-arguments.ts';
import { parseTryArguments } from '../../../src/cli/schema/try-arguments.ts';
import { StartError } from '../../../src/common/errors.ts';

const NOW = Date.parse('2026-11-30T12:00:00Z');
const HOUR_MS = 3_600_000;

/** Asserts that `parse` rejects each of the arguments with this message and exit code 2. */
function rejects(parse: (argv: string[]) => unknown, rows: readonly [string, RegExp][]): void {
  for (const [line, message] of rows) {
    const argv = line === '' ? [] : line.split(' ');
    assert.throws(
      () => parse(argv),
      (error: unknown) =>
        error instanceof StartError && error.exitCode === 2 && message.test(error.message),
      line,
    );
  }
}

test('schema try: the last hour of the stream, three examples, unless options say otherwise', () => {
  const { help, ...plain } = parseTryArguments(['new.json'], NOW);
  assert.equal(help, false);
  assert.deepEqual(plain, {
    schema: 'new.json',
    stream: undefined,
    topic: undefined,
    streamsFile: undefined,
    from: NOW - HOUR_MS,
    to: undefined,
    limit: undefined,
    examples: 3,
    values: true,
    json: false,
  });
  const line =
    '--stream clicks --streams-file s.yaml --from beginning --to -1h --limit 5 --examples 0 ' +
    '--no-values --json new.json';
  const given = parseTryArguments(line.split(' '), NOW);
  assert.deepEqual([given.stream, given.streamsFile], ['clicks', 's.yaml']);
  assert.deepEqual([given.from, given.to], ['beginning', NOW - HOUR_MS]);
  assert.deepEqual([given.limit, given.examples, given.values, given.json], [5, 0, false, true]);
  const times = ['x.json', '--from', '2026-11-29', '--to', '2026-11-29T01:00:00+01:00'];
  assert.throws(() => parseTryArguments(times, NOW), /--to must be later than --from/);
});

test('schema try rejects invalid arguments in one line', () => {
  rejects(
    (argv) => parseTryArguments(argv, NOW),
    [
      ['', /the schema file is missing \(see .* schema --help\)$/],
      ['a.json b.json', /unexpected argument "b\.json"/],
      ['a.json --from end', /--from must be beginning, a time since 1970 .*, not "end"/],
      ['a.json --to beginning', /--to must be a time since 1970/],
      ['a.json --from -1h --to -2h', /--to must be later than --from/],
      ['a.json --stream a --topic b', /mutually exclusive/],
      ['a.json --streams-file a --topic b', /mutually exclusive/],
      ['a.json --examples 21', /--examples must be a whole number from 0 to 20/],
      ['a.json --limit 0', /--limit must be/],
      ['a.json --stream A', /--stream must be/],
      ['a.json --good b', /unknown option --good/],
    ],
  );
});

test('schema test: a list option takes all files up to the next option', () => {
  const parse = (line: string) => parseTestArguments(line.split(' '));
  const { schema, good, bad, json } = parse('s.json --good a b --bad c --json --good=d e');
  assert.deepEqual([schema, good, bad, json], ['s.json', ['a', 'b', 'd', 'e'], ['c'], true]);
  const stream = parse('--stream clicks --bad c d');
  assert.deepEqual([stream.schema, stream.stream, stream.bad], [undefined, 'clicks', ['c', 'd']]);
  rejects(parseTestArguments, [
    ['', /the schema is missing/],
    ['s.json', /the examples are missing/],
    ['--good a --bad b', /the schema is missing/],
    ['s.json --good', /--good requires a value/],
    ['s.json --good --bad b', /--good requires a value/],
    ['s.json t.json --good a', /unexpected argument "t\.json"/],
    ['s.json --stream clicks --good a', /mutually exclusive/],
    ['s.json --streams-file f --good a', /--streams-file requires --stream/],
    ['s.json --good a --json b', /unexpected argument "b"/],
  ]);
});

test('an unknown subcommand is rejected with those that exist', async () => {
  await assert.rejects(runSchema([]), /the subcommand is missing; there are try, test/);
  await assert.rejects(runSchema(['check']), /unknown subcommand "check"; there are try, test/);
});

test('the help has every option, and no other', () => {
  const inHelp = new Set(
    [...schemaHelp().matchAll(/(?<![\w-])--([a-z][a-z-]*)/g)].map(([option]) => option),
  );
  const values: Record<string, string> = {
    '--stream': 'a',
    '--streams-file': 'f',
    '--topic': 't',
    '--from': '-2h',
    '--to': '-1h',
    '--limit': '1',
    '--examples': '1',
    '--good': 'g',
    '--bad': 'b',
  };
  const isKnown = (parse: () => unknown) => {
    try {
      parse();
    } catch (error) {
      return !/unknown option/.test((error as Error).message);
    }
    return true;
  };
  for (const option of inHelp) {
    const argv = values[option] === undefined ? [option] : [option, values[option]];
    const known = [parseTryArguments, parseTestArguments].some((parse) =>
      isKnown(() => parse(argv)),
    );
    assert(known, option);
  }
  for (const option of Object.keys(values)) assert(inHelp.has(option), option);
});
