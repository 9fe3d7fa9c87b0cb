/**
 * Without the programs that run a local Kafka, `make run` names the packages to install and starts
 * `forebay micro`.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { ROOT } from '../../deploy/kafka/jars.ts';
import { missingTools, runsOnJava } from '../../deploy/kafka/tools.ts';

const folder = mkdtempSync(join(tmpdir(), 'forebay-tools-'));
const checkout = join(folder, 'checkout');
after(() => rmSync(folder, { recursive: true }));

// A checkout without Kafka and without the state of a running one.
mkdirSync(checkout);
for (const name of ['deploy', 'src']) {
  cpSync(join(ROOT, name), join(checkout, name), { recursive: true });
}
for (const name of ['Makefile', 'package.json', 'package-lock.json', 'node_modules', 'scripts']) {
  symlinkSync(join(ROOT, name), join(checkout, name));
}

const SYSTEM = ['find', 'grep', 'ls', 'make', 'sh'];
/** Output of programs in their state, as shell commands. */
const STUBS = {
  'java 11': 'echo \'openjdk version "11.0.2" 2019-01-15\' >&2',
  'java 17': 'echo \'openjdk version "17.0.15" 2025-04-15\' >&2',
  'mvn 3': 'true',
  'docker stopped': 'echo "ERROR: Cannot connect to the Docker daemon. Is it running?" >&2; exit 1',
  'docker bare': '[ "$1" = info ]',
} as const;

/** Runs a command with only these stubbed programs, in addition to the system's tools. */
function run(programs: readonly (keyof typeof STUBS)[], command: readonly string[]) {
  const bin = mkdtempSync(join(folder, 'bin-'));
  symlinkSync(process.execPath, join(bin, 'node'));
  for (const tool of SYSTEM) {
    const found = spawnSync('sh', ['-c', `command -v ${tool}`], { encoding: 'utf8' });
    symlinkSync(found.stdout.trim(), join(bin, tool));
  }
  for (const program of programs) {
    const script = `#!/bin/sh\n${STUBS[program]}\n`;
    writeFileSync(join(bin, program.split(' ')[0] ?? ''), script, { mode: 0o755 });
  }
  const [name = '', ...args] = command;
  const env = { PATH: bin, HOME: folder };
  const { status, stdout, stderr } = spawnSync(name, args, {
    cwd: checkout,
    env,
    encoding: 'utf8',
  });
  return { status, stdout, stderr };
}

const DEBIAN = 'Debian: apt-get install';
const JAVA = `${DEBIAN} default-jre-headless; Fedora: dnf install java-headless; Homebrew: brew install openjdk@21`;
const MAVEN = `${DEBIAN} maven; Fedora: dnf install maven; Homebrew: brew install maven`;
const BOTH = JAVA.replaceAll(/(headless|@21)/g, '$1 maven');
const BROKERS = 'or set KAFKA_BROKERS to a Kafka that you have';
const DOCKER = 'or install Docker with Compose';

const CASES = [
  [
    [],
    `Java is missing, Maven is missing, Docker is missing): install Java 17 or later and Maven (${BOTH}), ${DOCKER}`,
  ],
  [['java 17'], `Maven is missing, Docker is missing): install Maven (${MAVEN}), ${DOCKER}`],
  [['mvn 3'], `Java is missing, Docker is missing): install Java 17 or later (${JAVA}), ${DOCKER}`],
  [
    ['java 11', 'mvn 3'],
    `Java 11.0.2 is too old, Docker is missing): install Java 17 or later (${JAVA}), ${DOCKER}`,
  ],
  [
    ['docker stopped', 'mvn 3'],
    `Java is missing, Docker cannot be used: Cannot connect to the Docker daemon. Is it running?): ` +
      `install Java 17 or later (${JAVA}), or repair Docker`,
  ],
  [
    ['java 17', 'docker bare'],
    `Maven is missing, Docker’s plugin Compose is missing): install Maven (${MAVEN}), or repair Docker`,
  ],
] as const;

for (const [programs, text] of CASES) {
  test(`with ${programs.join(' and ') || 'nothing'} installed: one line`, () => {
    const { status, stdout, stderr } = run(programs, [
      'node',
      '--import',
      'tsx',
      'deploy/kafka/cli.ts',
      'up',
    ]);
    // A broken Docker is to be repaired; without any there is nothing to repair.
    assert.deepEqual([status, stdout], [text.includes('Docker is missing') ? 3 : 1, '']);
    assert.equal(stderr, `no local Kafka (${text}, ${BROKERS}\n`);
  });
}

test('make run says so and starts forebay micro, unless Docker is there but broken', () => {
  const dist = join(checkout, 'dist');
  mkdirSync(dist, { recursive: true });
  writeFileSync(join(dist, 'main.js'), 'console.log(process.argv.slice(2).join())');
  const built = ['-o', 'node_modules/.package-lock.json', '-o', 'dist/.built'];
  const { status, stdout, stderr } = run([], ['make', ...built, 'run']);
  assert.deepEqual([status, stdout], [0, 'micro\n']);
  assert.deepEqual(stderr.trim().split('\n'), [
    `no local Kafka (${CASES[0][1]}, ${BROKERS}`,
    'starting forebay micro, which is not Kafka: docs/micro.md',
  ]);
  const broken = run(['docker stopped', 'mvn 3'], ['make', ...built, 'run']);
  assert.deepEqual([broken.status, broken.stdout], [2, '']);
  assert.match(broken.stderr, /^no local Kafka \(Java is missing, Docker cannot be used/);
});

test('on Windows only Docker runs a local Kafka', () => {
  const java = { java: { command: 'java', version: '21.0.1' }, maven: true };
  assert.deepEqual([runsOnJava(java, 'win32'), runsOnJava(java, 'darwin')], [false, true]);
  const docker = 'not installed';
  assert.equal(
    missingTools({ ...java, docker }, 'win32'),
    `no local Kafka (Docker is missing): install Docker with Compose, ${BROKERS}`,
  );
});
