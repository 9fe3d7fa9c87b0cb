import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseListenArguments } from '../../../src/cli/listen/arguments.ts';
import { StartError } from '../../../src/common/errors.ts';

const NOW = 1_700_000_000_000;
const DEFAULTS = {
  micro: undefined,
  topic: undefined,
  stream: undefined,
  from: 'end',
  count: undefined,
  partitions: undefined,
  filters: [],
  headerFilters: [],
  withoutHeaders: [],
  headers: false,
  json: false,
  rate: false,
  verify: false,
  sequenceField: undefined,
  help: false,
};

test('the default prints new events, without end', () => {
  assert.deepEqual(parseListenArguments([]), DEFAULTS);
});

test('--micro takes the URL of an admin port', () => {
  const micro = 'http://127.0.0.1:9001';
  assert.deepEqual(parseListenArguments(['--micro', micro]), { ...DEFAULTS, micro });
  const message = /^listen: --micro must be the URL of its admin port/;
  for (const url of ['127.0.0.1:9001', 'file:///x', '9001'])
    assert.throws(() => parseListenArguments(['--micro', url]), { message, exitCode: 2 }, url);
});

test('all compatible options together', () => {
  const argv = ['--stream', 'orders', '--from', 'beginning', '--count=17', '--json', '--verify'];
  argv.push('--partition', '0,3', '--partition=5', '--filter', 'a.b=c', '--filter', '@key=');
  argv.push('--header', 'fb-stream=a=b', '--header', 'fb-time', '--without-header=fb-resent');
  argv.push('--headers', '--sequence-field', 'seq');
  assert.deepEqual(parseListenArguments(argv), {
    micro: undefined,
    topic: undefined,
    stream: 'orders',
    from: 'beginning',
    count: 17,
    partitions: new Set([0, 3, 5]),
    filters: [
      { field: 'a.b', text: 'c' },
      { field: '@key', text: '' },
    ],
    headerFilters: [
      { name: 'fb-stream', text: 'a=b' },
      { name: 'fb-time', text: undefined },
    ],
    withoutHeaders: ['fb-resent'],
    headers: true,
    json: true,
    rate: false,
    verify: true,
    sequenceField: 'seq',
    help: false,
  });
});

test('a header may be required to have several values, since it may be repeated', () => {
  const { headerFilters } = parseListenArguments(['--header', 'a=1', '--header', 'a=2']);
  assert.equal(headerFilters.length, 2);
});

test('--from with an age, after a space or =', () => {
  for (const argv of [['--from', '-15m'], ['--from=-15m']]) {
    const options = parseListenArguments([...argv, '--json'], NOW);
    assert.deepEqual(options, { ...DEFAULTS, from: NOW - 15 * 60_000, json: true });
  }
});

/** Every message names the option and its allowed values. */
const RANGES: Readonly<Record<string, RegExp>> = {
  '--count': /--count must be a whole number from 1 to 999999999999999, not /,
  '--partition': /--partition must be whole numbers from 0 to 2147483647 such as 3 or 0,3, not /,
  '--from': /--from must be beginning, end, a time since 1970 .* age of up to 999999999 .*, not /,
  '--filter': /--filter must be FIELD=TEXT, not /,
  '--header': /--header must be NAME or NAME=TEXT, not /,
  '--without-header': /--without-header must be the name of a header, not /,
  '--stream': /--stream must be 1 to 64 lower-case letters, .*, not /,
  '--topic': /--topic must be a topic name: 1 to 249 letters, .*, not /,
  '--sequence-field': /--sequence-field must be the name of a field, not /,
};
const HUGE = '9'.repeat(400);
const WRONG: Readonly<Record<string, readonly string[]>> = {
  '--count': ['-3', '-1', '-0', '0', '', 'x', '1e3', '1.5', '+3', '03', ' 3', '0x10', HUGE],
  '--partition': ['-1', '-3,0', '', 'x', '0,x', '0,,1', '1.5', '2147483648', HUGE],
  '--from': ['-15', '-m', '-1.5h', '', 'middle', '15m', '-1w', '-9999999999d', '1969-12-31', HUGE],
  '--filter': ['msg', '', '=x', '-3'],
  '--header': ['', '=', '=x'],
  '--without-header': [''],
  '--stream': ['', '-a', 'Orders', 'a/b', '%6f', HUGE],
  '--topic': ['', '.', '..', 'a b', 'a/b', HUGE],
  '--sequence-field': [''],
};

for (const [option, values] of Object.entries(WRONG)) {
  test(`${option} names itself and its range, with a space or = before an invalid value`, () => {
    for (const value of values) {
      for (const argv of [[option, value], [`${option}=${value}`]]) {
        const message = messageOf([...argv, '--json']);
        assert.match(message, RANGES[option]!);
        assert(message.length < 400, 'a long value is not repeated in full');
      }
    }
  });

  test(`${option} without a value, or followed by the next option, says what it requires`, () => {
    for (const argv of [[option], [option, '--json'], [option, '--'], [option, '--count=3']]) {
      assert.match(
        messageOf(argv),
        new RegExp(`listen: ${option} requires a value: \\w`),
        argv.join(),
      );
    }
  });
}

test('valid values that begin with a hyphen are accepted', () => {
  assert.deepEqual(parseListenArguments(['--filter', '-a=1']).filters, [
    { field: '-a', text: '1' },
  ]);
  assert.equal(parseListenArguments(['--sequence-field', '-n', '--verify']).sequenceField, '-n');
});

for (const [argv, expected] of [
  [['--verify', '--rate'], /--verify and --rate are mutually exclusive/],
  [['--rate', '--json', '--verify', '--count=3'], /--verify and --rate are mutually exclusive/],
  [['--rate', '--sequence-field', 'seq', '--verify'], /--verify and --rate are mutually exclusive/],
  [['--sequence-field', 'seq'], /--sequence-field requires --verify/],
  [['--sequence-field', 'seq', '--rate'], /--sequence-field requires --verify/],
  [['--filter', 'a=1', '--filter=a=2'], /--filter requires a to be both "1" and "2"/],
  [['--filter', '@key=a', '--filter=b=2', '--filter=@key=b'], /--filter requires @key to be/],
  [['--header=a=1', '--without-header', 'a'], /--header and --without-header both name "a": no/],
  [['--headers', '--rate'], /--headers and --rate are mutually exclusive/],
  [['--headers=fb-id'], /--headers takes no value/],
  [['--count', '3', '--count=4'], /--count is repeated/],
  [['--from', 'end', '--from', 'end'], /--from is repeated/],
  [['--sequence-field=a', '--sequence-field=b', '--verify'], /--sequence-field is repeated/],
  [['--topic', 'a', '--stream=b'], /--topic and --stream are mutually exclusive/],
  [['--speed'], /unknown option --speed \(/],
  [['--speed=3'], /unknown option --speed \(/],
  [['--constructor'], /unknown option --constructor \(/],
  [['-x'], /unknown option -x \(/],
  [['-3'], /unknown option -3 \(/],
  [['--no-json'], /unknown option --no-json \(/],
  [['topic'], /unexpected argument "topic"; choose the topic with --topic \(/],
  [['--', '--json'], /unexpected argument "--json"/],
  [['--json=yes'], /--json takes no value/],
  [['--verify='], /--verify takes no value/],
] as [string[], RegExp][]) {
  test(`invalid: ${argv.join(' ')}`, () => {
    assert.match(messageOf(argv), expected);
  });
}

test('each pair of options is either accepted or listed as contradictory', () => {
  const options = [
    '--stream=a',
    '--topic=b',
    '--from=beginning',
    '--count=1',
    '--partition=0',
    '--filter=a=1',
    '--header=a',
    '--without-header=b',
    '--headers',
    '--json',
    '--rate',
    '--verify',
    '--sequence-field=n',
  ];
  const pairs = options.flatMap((a, i) => options.slice(i + 1).map((b) => [a, b]));
  const rejected = pairs
    .filter((pair) => errorOf(pair) !== undefined)
    .map((pair) => pair.join(' '));
  assert.deepEqual(rejected, [
    '--stream=a --topic=b',
    '--stream=a --sequence-field=n',
    '--topic=b --sequence-field=n',
    '--from=beginning --sequence-field=n',
    '--count=1 --sequence-field=n',
    '--partition=0 --sequence-field=n',
    '--filter=a=1 --sequence-field=n',
    '--header=a --sequence-field=n',
    '--without-header=b --sequence-field=n',
    '--headers --rate',
    '--headers --sequence-field=n',
    '--json --sequence-field=n',
    '--rate --verify',
    '--rate --sequence-field=n',
  ]);
});

test('with --help, nothing else is checked', () => {
  for (const argv of [['--help'], ['-h'], ['--count', '-3', '-h'], ['x', '--help', '--speed']]) {
    assert.equal(parseListenArguments(argv).help, true, argv.join(' '));
  }
});

function errorOf(argv: readonly string[]): unknown {
  try {
    parseListenArguments(argv);
    return undefined;
  } catch (error) {
    return error;
  }
}

/** Message of the error: one line, exit code 2. */
function messageOf(argv: readonly string[]): string {
  const error = errorOf(argv);
  assert(error instanceof StartError, argv.join(' '));
  assert.equal(error.exitCode, 2);
  assert.match(error.message, /^listen: [^\n]* \(see .* listen --help\)$/);
  return error.message;
}
