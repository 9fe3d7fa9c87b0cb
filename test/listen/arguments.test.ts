import assert from 'node:assert/strict';
import { test } from 'node:test';
import { StartError } from '../../src/errors.ts';
import { parseListenArguments } from '../../src/listen/arguments.ts';

const NOW = 1_700_000_000_000;
const DEFAULTS = {
  from: 'end',
  count: undefined,
  partitions: undefined,
  filters: [],
  json: false,
  rate: false,
  verify: false,
  sequenceField: undefined,
  help: false,
};

test('the default is to print what comes from now on, without end', () => {
  assert.deepEqual(parseListenArguments([]), DEFAULTS);
});

test('all options together', () => {
  const argv = ['--from', 'beginning', '--count=17', '--json', '--verify', '--rate'];
  argv.push('--partition', '0,3', '--partition=5', '--filter', 'a.b=c', '--filter', '@key=');
  argv.push('--sequence-field', 'seq');
  assert.deepEqual(parseListenArguments(argv), {
    from: 'beginning',
    count: 17,
    partitions: new Set([0, 3, 5]),
    filters: [
      { field: 'a.b', text: 'c' },
      { field: '@key', text: '' },
    ],
    json: true,
    rate: true,
    verify: true,
    sequenceField: 'seq',
    help: false,
  });
});

test('--from so long ago, with a space or = before it', () => {
  for (const argv of [['--from', '-15m'], ['--from=-15m']]) {
    const options = parseListenArguments([...argv, '--json'], NOW);
    assert.deepEqual(options, { ...DEFAULTS, from: NOW - 15 * 60_000, json: true });
  }
});

for (const [argv, expected] of [
  [['--from', 'middle'], /--from must be beginning, end, a time .*, not "middle"/],
  [['--count', '0'], /--count must be a whole number from 1, not "0"/],
  [['--count', '1e3'], /--count/],
  [['--count', '-1'], /--count/],
  [['--count'], /--count/],
  [['--from', '-15'], /--from must be .*, not "-15"/],
  [['--from', '--json'], /--from/],
  [['--partition', '0,x'], /--partition must be numbers such as 3 or 0,3, not "0,x"/],
  [['--partition', ''], /--partition/],
  [['--partition=-1'], /--partition/],
  [['--filter', 'msg'], /--filter must be FIELD=TEXT, not "msg"/],
  [['--sequence-field', 'seq'], /--sequence-field is of use with --verify only/],
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
