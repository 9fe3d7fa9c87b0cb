/** The Java of docs/consumers.md counts each event once. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { after, before, test } from 'node:test';
import { classPath, copyDependencies, kafkaVersion, ROOT } from '../../../deploy/kafka/jars.ts';
import { missingTool } from '../../../testing/tools.ts';
import { type Copy, createHistory, miscounted } from './history.ts';
import { recipe } from './recipes.ts';
import { runWith } from './run.ts';

const skip = missingTool('javac') || missingTool('mvn');
const HERE = join(ROOT, 'test/docs/consumers');
const POM = join(HERE, 'pom.xml');
const folder = mkdtempSync(join(tmpdir(), 'forebay-streams-'));
const DAY_MS = 86_400_000;
/** The test driver commits, and so flushes its stores, after each record. */
const EVENTS = 120;
let classes = '';

/** Folder of the jars, which Maven fills once. */
function jars(): string {
  const complete = join(ROOT, '.cache/kafka-streams', kafkaVersion());
  if (existsSync(complete)) return complete;
  mkdirSync(join(complete, '..'), { recursive: true });
  const partial = `${complete}.fetch-${process.pid}`;
  try {
    copyDependencies(POM, partial);
    renameSync(partial, complete);
  } finally {
    rmSync(partial, { recursive: true, force: true });
  }
  return complete;
}

before(async () => {
  if (skip) return;
  const libraries = classPath(jars());
  const source = join(folder, 'UniqueEvents.java');
  await writeFile(source, recipe('java', 'class UniqueEvents'));
  const options = ['-Xlint:all', '-Werror', '-cp', libraries, '-d', folder];
  execFileSync('javac', [...options, source, join(HERE, 'Drive.java')], { stdio: 'pipe' });
  classes = [folder, libraries].join(delimiter);
});
after(() => rmSync(folder, { recursive: true, force: true }));

/**
 * Numbers of the events that the topology forwards.
 * @param stated the records have fb-received; otherwise their timestamps are the time of arrival
 */
async function forwarded(
  copies: readonly Copy[],
  keyed: boolean,
  stated: boolean,
): Promise<number[]> {
  const lines = copies.map(({ id = '', resent, received, event }) =>
    [id, resent ? 1 : 0, received, event].join('\t'),
  );
  const state = mkdtempSync(join(folder, 'state-'));
  const args = ['-cp', classes, 'Drive', state, String(keyed), String(stated)];
  return (await runWith(lines.join('\n'), 'java', args)).map(Number);
}

test('the jars are of the version of the Kafka that the tests run', () => {
  const versions = [...readFileSync(POM, 'utf8').matchAll(/<version>(.+)<\/version>/g)];
  assert.deepEqual([...new Set(versions.map(([, version]) => version))], [kafkaVersion()]);
});

for (const keyed of [true, false]) {
  test(`each event is forwarded once, ${keyed ? 'with' : 'without'} keys`, { skip }, async () => {
    const options = { seed: 7, partitions: keyed ? 1 : 4, keyed, restarts: 0 };
    const { events, polls } = createHistory(options, EVENTS);
    assert.deepEqual(miscounted(events, await forwarded(polls.flat(), keyed, true)), []);
  });
}

for (const stated of [true, false]) {
  const clock = stated ? 'fb-received' : 'the record timestamp without fb-received';
  test(`an original outside the window counts again, later repeats do not, by ${clock}`, {
    skip,
  }, async () => {
    const at = (event: number, resent: boolean, days: number): Copy => {
      const received = Date.UTC(2026, 0, 31) + days * DAY_MS;
      return { partition: 0, offset: 0, id: `id-${event}`, resent, received, event };
    };
    const copies = [at(0, true, 0), at(1, true, 3), at(0, false, 3), at(0, true, 4)];
    assert.deepEqual(await forwarded(copies, true, stated), [0, 1, 0]);
  });
}
