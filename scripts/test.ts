/**
 * Runs tests: `node --import tsx scripts/test.ts [files or options of node --test]`, all of test/
 * when no file is named. Each test file is a process of its own, so the Kafka that they share is
 * started here, if one of them wants it and KAFKA_BROKERS names none, and ended whatever happens.
 */
import { spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { type KafkaCluster, startCluster } from '../deploy/kafka/cluster.ts';
import { ROOT } from '../deploy/kafka/jars.ts';
import { givenKafka, SHARED_KAFKA_VARIABLE, type SharedKafka } from '../test/support/kafka.ts';

function allTests(): string[] {
  const names = readdirSync(join(ROOT, 'test'), { recursive: true, encoding: 'utf8' });
  return names
    .filter((name) => name.endsWith('.test.ts'))
    .sort()
    .map((name) => join('test', name));
}

/** Whether one of the files, or what it imports from test/, asks for the shared Kafka. */
function wantsKafka(files: readonly string[], seen = new Set<string>()): boolean {
  return files.some((file) => {
    if (seen.has(file)) return false;
    seen.add(file);
    const text = readFileSync(file, 'utf8');
    if (/(?<!function )sharedKafka\(\)/.test(text)) return true;
    const imports = [...text.matchAll(/ from '(\.[^']+\.ts)'/g)];
    const imported = imports.map(([, path]) => join(dirname(file), path ?? ''));
    return wantsKafka(
      imported.filter((path) => path.startsWith('test/') && existsSync(path)),
      seen,
    );
  });
}

function run(args: string[], shared: SharedKafka | undefined): Promise<number> {
  const kafka = shared && { [SHARED_KAFKA_VARIABLE]: JSON.stringify({ brokers: shared.brokers }) };
  const child = spawn(process.execPath, args, {
    cwd: ROOT,
    stdio: 'inherit',
    env: { ...process.env, ...kafka },
  });
  // This process has to outlive its child, to end Kafka.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => child.kill(signal));
  return new Promise((resolve) => {
    child.once('exit', (code) => resolve(code ?? 1));
  });
}

process.chdir(ROOT);
const given = process.argv.slice(2);
const options = given.filter((arg) => arg.startsWith('-'));
const named = given.filter((arg) => !arg.startsWith('-'));
const files = named.length > 0 ? named.map((file) => relative(ROOT, file)) : allTests();
const runner = ['--import', 'tsx', '--test', '--test-reporter=spec', '--test-concurrency=1'];
const say = (line: string) => console.log(line);
let own: KafkaCluster | undefined;
if (wantsKafka(files) && givenKafka() === undefined) own = await startCluster({ say });
try {
  process.exitCode = await run([...runner, ...options, ...files], own ?? givenKafka());
} finally {
  await own?.close();
}
