import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { parseReplayArguments } from '../../../src/cli/replay/arguments.ts';
import { replayHelp } from '../../../src/cli/replay/help.ts';
import { REPLAY_LIMITS } from '../../../src/cli/replay/limits.ts';
import { headerText } from '../../../src/worker/streams/header-text.ts';

const NOW = Date.parse('2026-11-30T12:00:00Z');
const STREAMS = ['--from', 'rejected', '--stream', 'clicks'];
const parse = (...argv: string[]) => parseReplayArguments([...STREAMS, ...argv], NOW);

test('without further options everything is selected, and replayed without a limit', () => {
  assert.deepEqual(parse(), {
    from: 'rejected',
    stream: 'clicks',
    selection: {
      sinceMs: undefined,
      untilMs: undefined,
      codes: new Set(),
      identities: new Set(),
      partitions: undefined,
      offsets: undefined,
    },
    isDryRun: false,
    rate: undefined,
    state: undefined,
    json: false,
    help: false,
  });
});

test('times, codes, clients, partitions and offsets select', () => {
  const { selection, rate, isDryRun } = parse(
    ...['--since', '-6h', '--until', '2026-11-30T11:00', '--code', 'schema,too_large'],
    ...['--code', 'too_deep', '--identity', 'ann', '--identity', 'bob', '--partition', '3'],
    ...['--offset', '10-20', '--rate', '500', '--dry-run'],
  );
  assert.deepEqual(selection, {
    sinceMs: NOW - 6 * 3_600_000,
    untilMs: NOW - 3_600_000,
    codes: new Set(['schema', 'too_large', 'too_deep']),
    identities: new Set(['ann', 'bob']),
    partitions: new Set([3]),
    offsets: { first: 10, last: 20 },
  });
  assert.deepEqual([rate, isDryRun], [500, true]);
  const long = parse('--identity', 'x'.repeat(1_000)).selection;
  assert.deepEqual(long.identities, new Set([headerText('x'.repeat(1_000))]));
  assert.ok(!long.identities.has('x'.repeat(1_000)), 'cut as in the header');
  const { offsets, partitions } = parse('--partition', '0,2', '--partition', '3').selection;
  assert.deepEqual([offsets, partitions], [undefined, new Set([0, 2, 3])]);
  const single = parse('--partition', '0', '--offset', '7').selection;
  assert.deepEqual(single.offsets, { first: 7, last: 7 });
});

const INVALID: readonly (readonly [argv: string[], message: RegExp])[] = [
  [['--stream', 'a'], /--from is missing/],
  [['--from', 'a'], /--stream is missing/],
  [['--from', 'A', '--stream', 'b'], /--from must be 1 to 64 lower-case letters/],
  [[...STREAMS, '--code', 'nonsense'], /--code must be codes of dead letters such as schema/],
  [[...STREAMS, '--code', 'schema,rate_limited'], /--code must be codes of dead letters/],
  [[...STREAMS, '--since', 'end'], /--since must be a time since 1970/],
  [[...STREAMS, '--since', '-1h', '--until', '-2h'], /--since must be earlier than --until/],
  [[...STREAMS, '--offset', '1'], /--offset requires one partition/],
  [[...STREAMS, '--offset', '1', '--partition', '1,2'], /--offset requires one partition/],
  [[...STREAMS, '--offset', '5-1', '--partition', '1'], /--offset must be an offset or a range/],
  [[...STREAMS, '--rate', '0'], /--rate must be a whole number from 1 to 1000000/],
  [[...STREAMS, 'x'], /unexpected argument "x"/],
];

test('invalid arguments are errors that name the option, with exit code 2', () => {
  for (const [argv, message] of INVALID) {
    assert.throws(() => parseReplayArguments(argv, NOW), { message, exitCode: 2 });
  }
});

test('the help lists every option', () => {
  const { help, ...options } = parseReplayArguments(['--help']);
  assert.ok(help && Object.keys(options).length > 0, 'nothing else is checked with --help');
  const names = ['from', 'stream', 'since', 'until', 'code', 'identity', 'partition', 'offset'];
  for (const name of [...names, 'dry-run', 'rate', 'state', 'json', 'help']) {
    assert.match(replayHelp(), new RegExp(`^  --${name}\\b`, 'm'));
  }
});

test('the commands of the page have valid options', () => {
  const page = readFileSync('docs/dead-letters.md', 'utf8');
  const commands = [...page.matchAll(/^node dist\/main\.js replay (.*)$/gm)];
  assert.ok(commands.length > 1, 'the page has commands');
  for (const [, argv = ''] of commands) parseReplayArguments(argv.split(' '), NOW);
  assert.match(page, new RegExp(`These are up to ${REPLAY_LIMITS.window} for each run`));
});
