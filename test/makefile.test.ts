/** The Makefile: Node.js versions of the targets, and the topic that `make listen` reads. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, test } from 'node:test';
import { ROOT } from '../deploy/kafka/jars.ts';
import { sharedKafka, uniqueTopic } from '../testing/kafka.ts';
import { Stand } from './docs/stand.ts';

const folder = mkdtempSync(join(tmpdir(), 'forebay-make-'));
let stand: Stand;
let brokers: readonly string[];
before(async () => {
  ({ brokers } = await sharedKafka());
  stand = await Stand.open(brokers);
});
afterEach(() => stand.closeTerminals());
after(() => {
  stand.remove();
  rmSync(folder, { recursive: true });
});

/** A folder with a `node` that reports this version, and an `npm` that prints its arguments. */
function toolsOf(version: string): string {
  const bin = mkdtempSync(join(folder, 'bin-'));
  const real = `exec '${process.execPath}' "$@"`;
  const node = `if [ "$1" = --version ]; then echo ${version}; else ${real}; fi`;
  writeFileSync(join(bin, 'node'), `#!/bin/sh\n${node}\n`, { mode: 0o755 });
  writeFileSync(join(bin, 'npm'), '#!/bin/sh\necho "npm called: $*"\n', { mode: 0o755 });
  return bin;
}

/** Other tests use the build: make must not rebuild it. */
const BUILT = ['-o', 'node_modules/.package-lock.json', '-o', 'dist/.built'];

/** Runs make with a Node.js of this version. */
function make(version: string, args: readonly string[], { cwd = ROOT, built = BUILT } = {}) {
  const { PATH, HOME } = process.env;
  const env = { HOME, PATH: `${toolsOf(version)}:${PATH}` };
  const { status, stdout, stderr } = spawnSync('make', [...built, ...args], {
    cwd,
    env,
    encoding: 'utf8',
  });
  return { status, stdout, stderr };
}

test('targets that do not run the gateway work with any Node.js since 18.18', () => {
  for (const version of ['v18.18.0', 'v20.18.3', 'v24.1.0']) {
    const { status, stdout, stderr } = make(version, ['listen', 'ARGS=--help']);
    assert.deepEqual([status, stderr], [0, ''], version);
    assert.match(stdout, /^Usage: node dist\/main\.js listen/);
  }
  for (const version of ['v16.20.2', 'v18.9.0', 'v18.17.1', 'v8.0.0']) {
    const { status, stderr } = make(version, ['listen', 'ARGS=--help'], { built: [] });
    assert.equal(status, 2, version);
    assert.match(stderr, new RegExp(`^Forebay needs Node\\.js 22, 24 or 26, this is ${version}\n`));
  }
});

test('targets that run the gateway name the required Node.js before anything starts', () => {
  for (const target of ['run', 'test', 'bench', 'chaos', 'soak', 'profile', 'release']) {
    const { status, stdout, stderr } = make('v28.1.0', [target]);
    assert.deepEqual([status, stdout], [2, ''], target);
    assert.match(stderr, /^the gateway needs Node\.js 22, 24 or 26, this is v28\.1\.0\n/, target);
  }
  for (const version of ['v20.18.3', 'v23.11.0', 'v25.1.0']) {
    assert.match(make(version, ['run']).stderr, /^the gateway needs/, version);
  }
});

test('without Node.js it says so', () => {
  const bin = mkdtempSync(join(folder, 'empty-'));
  for (const tool of ['sh', 'make', 'find', 'ls', 'grep']) {
    const found = spawnSync('sh', ['-c', `command -v ${tool}`], { encoding: 'utf8' });
    symlinkSync(found.stdout.trim(), join(bin, tool));
  }
  const run = spawnSync('make', ['kafka-stop'], {
    cwd: ROOT,
    env: { PATH: bin },
    encoding: 'utf8',
  });
  assert.equal(run.status, 2);
  assert.match(run.stderr, /^Forebay needs Node\.js 22, 24 or 26, but found none\n/);
});

test('packages installed by another Node.js are reinstalled, if there is a binary for this one', () => {
  const checkout = (installed: readonly string[]) => {
    const root = mkdtempSync(join(folder, 'checkout-'));
    for (const name of ['Makefile', 'package.json', 'package-lock.json', 'src', 'scripts']) {
      symlinkSync(join(ROOT, name), join(root, name));
    }
    for (const name of installed) mkdirSync(join(root, 'node_modules', name), { recursive: true });
    return root;
  };
  const setup = (version: string, installed: readonly string[]) =>
    make(version, ['setup'], { cwd: checkout(installed) });
  const [of20, of22] = ['uWebSockets.js-node20', 'uWebSockets.js-node22'];
  for (const [version, installed] of [
    ['v22.1.0', of20],
    ['v20.19.0', of22],
    ['v24.0.0', of22],
    ['v26.0.0', of20],
  ] as const) {
    const { status, stdout, stderr } = setup(version, [installed]);
    assert.equal(status, 0, stderr);
    assert.equal(stdout, 'npm ci: another version of Node.js installed the packages\n');
    assert.match(stderr, /^npm called: ci --no-audit/);
  }
  for (const [version, installed] of [
    ['v22.1.0', [of22]],
    ['v22.1.0', [of20, of22]],
    ['v28.1.0', [of20]],
    ['v18.20.0', [of22]],
    ['v22.1.0', []],
  ] as const) {
    assert.deepEqual(setup(version, installed), { status: 0, stdout: '', stderr: '' }, version);
  }
});

/** A terminal without settings of topic, brokers or port. */
const NOTHING_SET = { KAFKA_TOPIC: '', KAFKA_BROKERS: '', FOREBAY_PORT: '' };

test('make listen reads the topic of the gateway that make run started', async () => {
  const topic = uniqueTopic('foo');
  const gateway = stand.terminal({ KAFKA_TOPIC: topic });
  gateway.serve('make run');
  await gateway.says(/"msg":"ready"/);
  const place = `${topic} at ${brokers.join(',')}`;

  const listener = stand.terminal(NOTHING_SET);
  listener.serve('make listen');
  await listener.says(new RegExp(`^forebay: the gateway on port \\d+ writes to ${place}$`, 'm'));
  await listener.says(new RegExp(`^forebay: reading ${place}, 12 partitions, from its end$`, 'm'));
  const told = stand.terminal({ ...NOTHING_SET, KAFKA_TOPIC: 'other-topic' });
  told.serve('make listen');
  await told.says(/; chosen topic: other-topic$/m);
  await told.says(/^forebay: topic other-topic does not exist yet/m);

  await stand.closeTerminals();
  const late = stand.terminal({ KAFKA_TOPIC: '' });
  late.serve('make listen');
  await late.says(new RegExp(`^forebay: the gateway that wrote to ${place} has ended`, 'm'));
  await late.says(/(reading|topic) event_topic_newer /);
});

test('make listen passes STREAM and TOPIC on', () => {
  for (const [variable, option] of [
    ['STREAM', '--stream'],
    ['TOPIC', '--topic'],
  ]) {
    const { status, stderr } = make('v24.1.0', ['listen', `${variable}=a b`, 'ARGS=--json']);
    assert.equal(status, 2);
    assert.match(stderr, new RegExp(`^forebay: listen: ${option} must be .*, not "a b" `));
  }
});

test('help and invalid options of make listen need no Kafka', async () => {
  const terminal = stand.terminal(NOTHING_SET);
  assert.match(await terminal.run('make listen ARGS=--help'), /^Usage: /);
  const output = await terminal.run('make listen ARGS="--count -3" || true');
  assert.match(output, /^forebay: listen: --count must be a whole number from 1 to \d+, not "-3"/);
});
