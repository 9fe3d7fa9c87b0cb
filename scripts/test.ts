/**
 * Runs tests: `node --import tsx scripts/test.ts [files]`. Without files it runs all of test/
 * except long ones, `*.long.test.ts`; with `--long` only these. Their imports of src/ resolve to
 * dist/. Each test file is a process of its own, so their shared Kafka is started here if one of
 * them needs it and KAFKA_BROKERS is not set, and is stopped in every case.
 */
import { setMaxListeners } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';
import { pathToFileURL } from 'node:url';
import { type KafkaCluster, startCluster } from '../deploy/kafka/cluster.ts';
import { ROOT } from '../deploy/kafka/jars.ts';
import { externalKafka, SHARED_KAFKA_VARIABLE, type SharedKafka } from '../testing/kafka.ts';

const LONG = '.long.test.ts';

/** Returns the long tests, or all others. */
function allTests(long: boolean): string[] {
  const names = readdirSync(join(ROOT, 'test'), { recursive: true, encoding: 'utf8' });
  return names
    .filter((name) => name.endsWith('.test.ts') && name.endsWith(LONG) === long)
    .sort()
    .map((name) => join('test', name));
}

const SHARED_KAFKA = /(?<!function )sharedKafka\(\)/;
const BROWSER = /^import .*\bchromium\b.* from 'playwright-core'/m;

/** Whether one of the files, or what it imports from test/ or testing/, contains this code. */
function uses(code: RegExp, files: readonly string[], seen = new Set<string>()): boolean {
  return files.some((file) => {
    if (seen.has(file)) return false;
    seen.add(file);
    const text = readFileSync(file, 'utf8');
    if (code.test(text)) return true;
    const imports = [...text.matchAll(/ from '(\.[^']+\.ts)'/g)];
    const imported = imports.map(([, path]) => join(dirname(file), path ?? ''));
    return uses(
      code,
      imported.filter((path) => /^test(ing)?\//.test(path) && existsSync(path)),
      seen,
    );
  });
}

/** Tests that measure times or load both cores run alone; those with a browser two at a time. */
const ALONE = new RegExp(
  '^test/simulation/|/(chaos|hostile|kafka-outage|observability|outage-codes|overload|' +
    'rolling-restart|several-topics|slow-clients|stall|start|stop|streams-reload\\.long|stuck-lane|' +
    'topic-deleted|unread-pongs|worker-hangs|worker-killed|worst-frames)(\\.long)?\\.test\\.ts$',
);
const AT_ONCE = 4;
/** A browser loads both cores: more of them at once only wait longer. */
const BROWSERS_AT_ONCE = 2;
/** Timeout of a file, many times what the longest takes: a longer one hangs. */
const FILE_MS = 600_000;
/**
 * Tests whose first failure counts also with RERUN_FAILED=1: they compare acknowledged with stored
 * events, and a loss that does not recur is still one.
 */
const RECONCILES = /\.reconcile\(/;
const SIMULATION = /^test\/simulation\//;
/** More failed files than these are due to a defect, not to other load on the machine. */
const RERUN_AT_MOST = 3;

function mayRunAgain(file: string): boolean {
  return process.env.RERUN_FAILED === '1' && !SIMULATION.test(file) && !uses(RECONCILES, [file]);
}

/** Summary line of the test runner. */
const FIGURE = /^(tests|suites|pass|fail|cancelled|skipped|todo|duration_ms) ([\d.]+)$/;

/** The used subset of the test runner's events for reporters. */
interface TestEvent {
  readonly type: string;
  readonly data: {
    readonly nesting?: number;
    readonly name?: string;
    readonly message?: string;
    readonly file?: string;
  };
}

/** The events of one run of a test file. */
interface FileRun {
  readonly file: string;
  readonly events: readonly TestEvent[];
  /** Names of its failed tests. */
  readonly failed: readonly string[];
}

async function runFile(file: string, signal: AbortSignal): Promise<FileRun> {
  const events: TestEvent[] = [];
  if (!signal.aborted) {
    const stream = run({ files: [file], signal, timeout: FILE_MS });
    for await (const event of stream as AsyncIterable<TestEvent>) events.push(event);
  }
  const failures = events.filter(({ type }) => type === 'test:fail');
  return { file, events, failed: failures.map(({ data }) => data.name ?? file) };
}

/**
 * Runs groups of test files sequentially, reported as one run of the test runner. With
 * RERUN_FAILED=1 a few failed files run again, alone, and their second result counts.
 */
async function* inTurn(groups: { files: string[]; concurrency: number }[], signal: AbortSignal) {
  const start = performance.now();
  const figures = new Map<string, number>();
  let summary: TestEvent | undefined;
  function* report({ events }: FileRun) {
    for (const event of events) {
      const [, figure, value] = FIGURE.exec(event.data.message ?? '') ?? [];
      const ofAll = event.data.file === undefined;
      if (event.type === 'test:summary' && ofAll) summary = event;
      else if (figure === undefined || !ofAll) yield event;
      else figures.set(figure, (figures.get(figure) ?? 0) + Number(value));
    }
  }
  const failed: FileRun[] = [];
  for (const { files, concurrency } of groups) {
    // All results fit into its buffer, so that a slow file holds up no other.
    const options = { concurrency, highWaterMark: Math.max(files.length, concurrency) };
    const runs = Readable.from(files).map((file: string) => runFile(file, signal), options);
    for await (const fileRun of runs as AsyncIterable<FileRun>) {
      if (fileRun.failed.length > 0 && mayRunAgain(fileRun.file)) failed.push(fileRun);
      else yield* report(fileRun);
    }
  }
  const again = failed.length > RERUN_AT_MOST ? [] : failed;
  for (const first of failed) {
    yield* report(again.includes(first) ? await runFile(first.file, signal) : first);
  }
  const diagnostic = (message: string): TestEvent => {
    return { type: 'test:diagnostic', data: { nesting: 0, message } };
  };
  for (const { file, failed: names } of again) {
    yield diagnostic(`run again, since it failed at first: ${file}: ${names.join('; ')}`);
  }
  figures.set('duration_ms', performance.now() - start);
  for (const [figure, value] of figures) yield diagnostic(`${figure} ${value}`);
  if (summary !== undefined) yield summary;
}

/** @returns whether all passed */
async function runTests(files: string[], kafka: SharedKafka | undefined): Promise<boolean> {
  if (kafka) process.env[SHARED_KAFKA_VARIABLE] = JSON.stringify({ brokers: kafka.brokers });
  const aborting = new AbortController();
  // The test runner adds a listener for the run and for each file: not a leak.
  setMaxListeners(files.length + 1, aborting.signal);
  // This process must outlive the tests, to stop Kafka.
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => aborting.abort());
  // Test processes inherit the arguments of this one, except for tsx.
  const support = pathToFileURL(join(ROOT, 'test/support/'));
  const leave = new URL('leave.mjs', support);
  leave.searchParams.set('runner', String(process.pid));
  const tsx = process.execArgv.indexOf('tsx');
  if (tsx > 0) process.execArgv.splice(tsx - 1, 2);
  for (const { href } of [new URL('typescript.mjs', support), new URL('dist.ts', support), leave]) {
    process.execArgv.push('--import', href);
  }
  const atOnce = (file: string) => {
    if (ALONE.test(file)) return 1;
    return uses(BROWSER, [file]) ? BROWSERS_AT_ONCE : AT_ONCE;
  };
  const groups = [AT_ONCE, BROWSERS_AT_ONCE, 1].map((concurrency) => ({
    files: files.filter((file) => atOnce(file) === concurrency),
    concurrency,
  }));
  let passed = true;
  const events = Readable.from(inTurn(groups, aborting.signal));
  events.on('data', ({ type }: TestEvent) => {
    if (type === 'test:fail') passed = false;
  });
  await pipeline(events, new spec(), process.stdout, { end: false });
  return passed && !aborting.signal.aborted;
}

process.chdir(ROOT);
const named = process.argv.slice(2).filter((argument) => argument !== '--long');
const isLong = process.argv.includes('--long');
const files = named.length > 0 ? named.map((file) => relative(ROOT, file)) : allTests(isLong);
const missing = files.filter((file) => !existsSync(file));
if (missing.length > 0) {
  console.error(`test: no such file: ${missing.join(', ')}`);
  process.exit(2);
}
const say = (line: string) => console.log(line);
let own: KafkaCluster | undefined;
if (uses(SHARED_KAFKA, files) && externalKafka() === undefined) own = await startCluster({ say });
try {
  const passed = await runTests(files, own ?? externalKafka());
  process.exitCode = passed ? 0 : 1;
} finally {
  await own?.close();
}
