import assert from 'node:assert/strict';
import { test } from 'node:test';
import { StartError } from '../../src/errors.ts';
import { keyHelp, parseKeyArguments } from '../../src/keys/arguments.ts';

test('what is given goes on, and nothing else', () => {
  assert.deepEqual(parseKeyArguments(['new', '--name', 'a']), {
    fields: { name: 'a' },
    file: undefined,
    help: false,
  });
  const all = ['--events-per-second', '5', '--burst', '9', '--expires', 'x', '--file', 'f'];
  assert.deepEqual(parseKeyArguments(['new', '--name', 'a', ...all]), {
    fields: { name: 'a', eventsPerSecond: 5, burst: 9, expires: 'x' },
    file: 'f',
    help: false,
  });
  assert.equal(parseKeyArguments(['--help']).help, true);
});

test('what is wrong is one line, exit code 2', () => {
  const rows: [string[], RegExp][] = [
    [[], /there is `key new` alone/],
    [['old'], /there is `key new` alone/],
    [['new', 'x', '--name', 'a'], /there is `key new` alone/],
    [['new'], /--name is missing/],
    [['new', '--name', 'a', '--burst', '0'], /--burst must be a whole number/],
    [['new', '--name', 'a', '--events-per-second', '1e3'], /--events-per-second must be/],
    [['new', '--nam', 'a'], /Unknown option '--nam'/],
  ];
  for (const [args, message] of rows) {
    assert.throws(
      () => parseKeyArguments(args),
      (error) =>
        error instanceof StartError &&
        error.exitCode === 2 &&
        message.test(error.message) &&
        /^key: [^\n]* key --help\)$/.test(error.message),
      args.join(' '),
    );
  }
});

test('the help names every option', () => {
  for (const option of ['name', 'events-per-second', 'burst', 'expires', 'file', 'help']) {
    assert(keyHelp().includes(` --${option} `), option);
  }
});
