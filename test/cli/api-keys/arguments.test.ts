import assert from 'node:assert/strict';
import { test } from 'node:test';
import { keyHelp, parseKeyArguments } from '../../../src/cli/api-keys/arguments.ts';
import { StartError } from '../../../src/common/errors.ts';

test('given options are passed on, and nothing else', () => {
  assert.deepEqual(parseKeyArguments(['new', '--name', 'a']), {
    fields: { name: 'a' },
    file: undefined,
    help: false,
  });
  const all = [
    '--events-per-second',
    '5',
    '--burst',
    '9',
    '--expires',
    '2999-01-31',
    '--streams',
    'a,b-1',
    '--file',
    'f',
  ];
  assert.deepEqual(parseKeyArguments(['new', '--name', 'a', ...all]), {
    fields: {
      name: 'a',
      eventsPerSecond: 5,
      burst: 9,
      expires: '2999-01-31',
      streams: ['a', 'b-1'],
    },
    file: 'f',
    help: false,
  });
  assert.equal(parseKeyArguments(['--help']).help, true);
});

test('invalid arguments are one line that names option and range, exit code 2', () => {
  const named = ['new', '--name', 'a'];
  const rate = ['--events-per-second', '5'];
  const whole = 'must be a whole number from 1 to 100000000, not ';
  const rows: [string[], RegExp][] = [
    [[], /the only subcommand is `key new`/],
    [['old'], /the only subcommand is `key new`/],
    [['new', 'x', '--name', 'a'], /the only subcommand is `key new`/],
    [['new'], /--name is missing/],
    [['new', '--name'], /--name requires a value: 1 to 64 letters/],
    [['new', '--name', '--file', 'f'], /--name requires a value/],
    [['new', '--name', '-a'], /--name must be 1 to 64 letters, .*, not "-a"/],
    [['new', '--name='], /--name must be 1 to 64 letters, .*, not ""/],
    [['new', '--name', 'a'.repeat(65)], /--name must be 1 to 64 letters/],
    [[...named, '--name', 'b'], /--name is repeated/],
    [[...named, ...rate, '--burst', '0'], new RegExp(`--burst ${whole}"0"`)],
    [[...named, ...rate, '--burst', '-3'], new RegExp(`--burst ${whole}"-3"`)],
    [[...named, ...rate, '--burst=100000001'], new RegExp(`--burst ${whole}"100000001"`)],
    [[...named, '--burst', '5'], /--burst requires --events-per-second/],
    [[...named, '--events-per-second', '1e3'], new RegExp(`--events-per-second ${whole}"1e3"`)],
    [[...named, '--events-per-second=-1'], new RegExp(`--events-per-second ${whole}"-1"`)],
    [[...named, '--events-per-second'], /--events-per-second requires a value: a whole number/],
    [[...named, '--expires', 'x'], /--expires must be a future time such as .*, not "x"/],
    [[...named, '--expires', '-1d'], /--expires must be a future time/],
    [[...named, '--expires', '2020-01-31'], /--expires must be a future time/],
    [[...named, '--streams', 'a,,b'], /--streams must be stream names, .*, not "a,,b"/],
    [[...named, '--streams', 'A'], /--streams must be stream names/],
    [[...named, '--file', ''], /--file must be a path/],
    [[...named, '--file', '-'], /--file must be a path/],
    [['new', '--nam', 'a'], /unknown option --nam /],
  ];
  for (const [args, message] of rows) {
    assert.throws(
      () => parseKeyArguments(args),
      (error) => {
        assert(error instanceof StartError);
        assert.equal(error.exitCode, 2);
        assert.match(error.message, message);
        assert.match(error.message, /^key: [^\n]* key --help\)$/);
        return true;
      },
      args.join(' '),
    );
  }
});

test('the help names every option', () => {
  for (const option of ['name', 'events-per-second', 'burst', 'expires', 'file', 'help']) {
    assert(keyHelp().includes(` --${option} `), option);
  }
});
