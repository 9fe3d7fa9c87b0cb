/**
 * Runs tests: `node --import tsx scripts/test.ts [files or options of node --test]`, all of test/
 * when no file is named. Each test file is a process of its own, so the Kafka that they share is
 * started here, if one of them wants it, and ended here whatever happens.
 */
import { spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type KafkaCluster, startCluster } from '../deploy/kafka/cluster.ts';
import { ROOT } from '../deploy/kafka/jars.ts';
import { SHARED_KAFKA_VARIABLE } from '../test/support/kafka.ts';

function allTests(): string[] {
  const names = readdirSync(join(ROOT, 'test'), { recursive: true, encoding: 'utf8' });
  return names
    .filter((name) => name.endsWith('.test.ts'))
    .sort()
    .map((name) => join('test', name));
}

function wantsKafka(files: readonly string[]): boolean {
  return files.some((file) => /support\/kafka\.ts'/.test(readFileSync(file, 'utf8')));
}

function run(args: string[], kafka: KafkaCluster | undefined): Promise<number> {
  const shared = kafka && { [SHARED_KAFKA_VARIABLE]: JSON.stringify({ brokers: kafka.brokers }) };
  const child = spawn(process.execPath, args, {
    cwd: ROOT,
    stdio: 'inherit',
    env: { ...process.env, ...shared },
  });
  // The terminal's Ctrl-C reaches the child by itself; what is sent to this process alone does not.
  process.on('SIGTERM', () => child.kill('SIGTERM'));
  process.on('SIGINT', () => {});
  return new Promise((resolve) => {
    child.once('exit', (code) => resolve(code ?? 1));
  });
}

process.chdir(ROOT);
const given = process.argv.slice(2);
const options = given.filter((arg) => arg.startsWith('-'));
const named = given.filter((arg) => !arg.startsWith('-'));
const files = named.length > 0 ? named : allTests();
const runner = ['--import', 'tsx', '--test', '--test-reporter=spec', '--test-concurrency=1'];
const say = (line: string) => console.log(line);
const kafka = wantsKafka(files) ? await startCluster({ say }) : undefined;
try {
  process.exitCode = await run([...runner, ...options, ...files], kafka);
} finally {
  await kafka?.close();
}
