import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Child, freePort } from '../../../testing/child.ts';
import { doctor, ownPorts, resultsOf, withStatus } from './doctoring.ts';

test('without a Kafka: the port fails, all that depends on it is skipped, exit code 1', async () => {
  const run = await doctor({ KAFKA_BROKERS: '127.0.0.1:1', KAFKA_SASL_PASSWORD: 'hunter2' });
  assert.equal(run.code, 1, run.stderr);
  assert.deepEqual(withStatus(run, 'fail'), ['broker 127.0.0.1:1: port']);
  assert.deepEqual(resultsOf(run, 'cluster', 'kind'), ['skip: no broker of KAFKA_BROKERS answers']);
  assert.deepEqual(resultsOf(run, 'topics', 'write'), ['skip: no broker answers']);
  assert.deepEqual(resultsOf(run, 'scratch topic', 'create'), ['skip: no broker answers']);
  assert.doesNotMatch(run.stdout + run.stderr, /hunter2/);
});

test('unusable files fail with their settings, and Kafka is checked nevertheless', async () => {
  const port = await freePort();
  const run = await doctor({
    KAFKA_BROKERS: '127.0.0.1:1',
    FOREBAY_STREAMS_FILE: '/absent.yaml',
    FOREBAY_JWT_JWKS_URL: `http://127.0.0.1:${port}/keys?token=hunter2`,
    FOREBAY_JWT_AUDIENCE: 'a',
    FOREBAY_JWT_ISSUER: 'a',
  });
  assert.equal(run.code, 1);
  assert.match(
    resultsOf(run, 'files', 'files').join(),
    /^fail: cannot read \/absent.yaml: no such file/,
  );
  assert.match(
    resultsOf(run, 'files', 'JWKS').join(),
    /^fail: http:\/\/127.0.0.1:\d+: connection refused/,
  );
  assert.match(resultsOf(run, 'broker 127.0.0.1:1', 'port').join(), /^fail: /);
  assert.doesNotMatch(run.stdout, /hunter2/);
});

test('invalid settings: each fails, nothing else is checked, exit code 2', async () => {
  const run = await doctor({ FOREBAY_PORT: '0', KAFKA_TLS: 'yes', KAFKA_BROKER: 'x' });
  assert.equal(run.code, 2);
  assert.equal(resultsOf(run, 'settings', 'values').length, 2);
  assert.match(resultsOf(run, 'settings', 'names').join(), /^warn: KAFKA_BROKER is not a setting/);
  assert.deepEqual(withStatus(run, 'skip'), ['gateway: all', 'files: all', 'kafka: all']);
});

test('invalid arguments: one line, exit code 2; --help names each option', async () => {
  const run = async (...args: string[]) => {
    const child = new Child('dist/main.js', ['doctor', ...args], await ownPorts());
    const { code } = await child.ended;
    return { code, ...child };
  };
  const cases = [
    [
      ['x'],
      /^forebay: doctor: unexpected argument "x" \(see node dist\/main.js doctor --help\)\n$/,
    ],
    [['--scratch', '..'], /^forebay: doctor: --scratch must be a topic name: .*\n$/],
    [['--read-only', '--scratch', 'a'], /^forebay: doctor: --read-only excludes --scratch .*\n$/],
  ] as const;
  for (const [args, line] of cases) {
    const { code, stdout, stderr } = await run(...args);
    assert.deepEqual([code, stdout], [2, '']);
    assert.match(stderr, line);
  }
  const { code, stdout } = await run('--help');
  assert.equal(code, 0);
  for (const option of ['--json', '--read-only', '--scratch TOPIC'])
    assert(stdout.includes(option));
});
