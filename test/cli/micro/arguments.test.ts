import assert from 'node:assert/strict';
import { test } from 'node:test';
import { microHelp, parseMicroArguments } from '../../../src/cli/micro/arguments.ts';
import { bannerOf } from '../../../src/cli/micro/command.ts';
import { MICRO_LIMITS } from '../../../src/micro/limits.ts';

const { default: maxBytes, min, max } = MICRO_LIMITS.logBytes;

test('options have defaults, and invalid ones are rejected by name', () => {
  assert.deepEqual(parseMicroArguments([]), { data: undefined, maxBytes, help: false });
  assert.deepEqual(parseMicroArguments(['--data', 'events', `--max-bytes=${min}`]), {
    data: 'events',
    maxBytes: min,
    help: false,
  });
  for (const [argv, message] of [
    [['--data'], /^micro: --data requires a value/],
    [['--data', '--max-bytes'], /^micro: --data/],
    [['--max-bytes', String(max + 1)], /^micro: --max-bytes must be a whole number from/],
    [['--max-bytes', '1MiB'], /^micro: --max-bytes must be/],
    [['--dir', 'x'], /^micro: unknown option --dir/],
    [['events'], /^micro: unexpected argument "events"/],
  ] as const) {
    assert.throws(() => parseMicroArguments(argv), { message, exitCode: 2 }, argv.join(' '));
  }
});

test('the help names every option and path', () => {
  const help = microHelp();
  for (const name of [
    '--data DIR',
    '--max-bytes N',
    '/micro/events',
    '/micro/reset',
    '/micro/expect',
  ])
    assert(help.includes(name), name);
});

test('the banner says that this is not Kafka, where events are, and what is ignored', () => {
  const config = { host: '0.0.0.0', port: 9000, adminHost: '127.0.0.1', adminPort: 9001 };
  const inMemory = bannerOf(config, { data: undefined, maxBytes, help: false }, {});
  assert.match(inMemory[0]!, /THIS IS NOT KAFKA/);
  assert.match(
    inMemory[1]!,
    /in the memory of this process, and gone when it ends; up to 16384 KiB/,
  );
  assert.match(inMemory[2]!, /events http:\/\/127\.0\.0\.1:9001\/micro\/events/);
  assert.equal(inMemory.length, 3);
  const env = { KAFKA_BROKERS: 'kafka:9092' };
  const inFiles = bannerOf(config, { data: 'events', maxBytes, help: false }, env);
  assert.match(inFiles[1]!, /in events, written without waiting for the disk \(no fsync\)/);
  assert.match(inFiles[3]!, /KAFKA_BROKERS is ignored/);
});
