import assert from 'node:assert/strict';
import { test } from 'node:test';
import { StartError } from '../../src/errors.ts';
import { parseListenArguments } from '../../src/listen/arguments.ts';

test('the default is to print what comes from now on, without end', () => {
  assert.deepEqual(parseListenArguments([]), {
    from: 'end',
    count: undefined,
    json: false,
    verify: false,
    help: false,
  });
});

test('all options together', () => {
  const argv = ['--from', 'beginning', '--count=17', '--json', '--verify'];
  assert.deepEqual(parseListenArguments(argv), {
    from: 'beginning',
    count: 17,
    json: true,
    verify: true,
    help: false,
  });
});

for (const [argv, expected] of [
  [['--from', 'middle'], /--from must be beginning or end, not "middle"/],
  [['--count', '0'], /--count must be a whole number from 1, not "0"/],
  [['--count', '1e3'], /--count/],
  [['--count', '-1'], /--count/],
  [['--count'], /--count/],
  [['--speed'], /Unknown option '--speed'/],
  [['topic'], /Unexpected argument 'topic'/],
  [['--json=yes'], /--json/],
] as [string[], RegExp][]) {
  test(`wrong: ${argv.join(' ')}`, () => {
    assert.throws(
      () => parseListenArguments(argv),
      (error: unknown) => {
        assert(error instanceof StartError);
        assert.equal(error.exitCode, 2);
        assert.match(error.message, expected);
        assert.doesNotMatch(error.message, /\n/);
        return true;
      },
    );
  });
}
