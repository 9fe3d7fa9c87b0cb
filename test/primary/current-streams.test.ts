import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { KeyEntry } from '../../src/api-keys/format.ts';
import { EXIT, StartError } from '../../src/common/errors.ts';
import { readConfig } from '../../src/config/config.ts';
import { LIMITS } from '../../src/config/limits.ts';
import { CurrentStreams } from '../../src/primary/current-streams.ts';
import { SlotAssignment } from '../../src/primary/slot-assignment.ts';
import { StreamMetrics } from '../../src/primary/stream-metrics.ts';
import { implicitStream } from '../../src/streams/implicit-stream.ts';
import type { StreamFile } from '../../src/streams/stream-file.ts';
import { until } from '../../testing/wait.ts';

const [SPEC] = implicitStream(readConfig({})).streams;
const FAILED = 'stream file reload failed, keeping the previous streams';

function fileOf(...names: string[]): StreamFile {
  return {
    routing: { field: undefined, unknown: 'refuse' },
    deadLetter: undefined,
    streams: names.map((name) => ({ ...SPEC!, name, topic: `topic.${name}` })),
  };
}

/** The streams of a primary with two workers; `next` is the content of the file. */
function rig(first: StreamFile) {
  const lines: (readonly [message: string, fields: Record<string, unknown>])[] = [];
  const sent: number[] = [];
  const added: string[] = [];
  const state = { next: first as StreamFile | StartError, keys: [] as readonly KeyEntry[] };
  const looks: (readonly KeyEntry[] | undefined)[] = [];
  const streams = new CurrentStreams({
    file: first,
    // It exists and does not change, so that it is settled.
    path: process.execPath,
    keys: () => state.keys,
    load: async (keys) => {
      looks.push(keys);
      if (state.next instanceof Error) throw state.next;
      return { file: state.next, warnings: [] };
    },
    log: {
      write: (_level: string, fields: object, message: string) =>
        lines.push([message, fields as Record<string, unknown>]),
    } as never,
    slots: new SlotAssignment(first.streams.map(({ name }) => name)),
    metrics: new StreamMetrics(first, true),
    broadcast: ({ version }) => {
      sent.push(version);
      return [1, 2];
    },
    topicsAdded: (topics) => added.push(...topics),
  });
  const count = (message: string) => lines.filter(([found]) => found === message).length;
  return { streams, state, lines, sent, added, looks, count };
}

test('a new version is sent once, with its new topics, and reported when every worker uses it', async () => {
  const { streams, state, lines, sent, added, count } = rig(fileOf('a', 'b'));
  await streams.reread();
  assert.deepEqual(sent, [], 'equal content is no version');
  state.next = fileOf('a', 'c');
  await streams.reread();
  await streams.reread();
  assert.deepEqual([sent, added], [[2], ['topic.c']]);
  const [message, fields] = lines[0]!;
  assert.equal(message, 'streams changed');
  assert.deepEqual([fields.added, fields.removed, fields.changed], [['c'], ['b'], []]);
  streams.applied(1, 1, undefined);
  streams.applied(1, 2, undefined);
  assert.equal(count('streams reloaded'), 0, 'the other worker has not confirmed');
  streams.gone(2);
  assert.equal(count('streams reloaded'), 1);
});

test('a worker that keeps the previous streams is reported, and no reload', async () => {
  const { streams, state, count } = rig(fileOf('a'));
  state.next = fileOf('b');
  await streams.reread();
  streams.applied(1, 2, undefined);
  streams.applied(2, 2, 'the schema does not compile');
  assert.equal(count('worker keeps the previous streams'), 1);
  assert.equal(count('streams reloaded'), 0);
});

test('a failure is one line and one count until it changes; also too many streams', async () => {
  const { streams, state, sent, count } = rig(fileOf('a'));
  const names = Array.from({ length: LIMITS.streams + 1 }, (_, index) => `s${index}`);
  state.next = fileOf(...names);
  for (let look = 0; look < 3; look++) await streams.reread();
  assert.deepEqual([count(FAILED), streams.metrics.reloads.rejected], [1, 1]);
  state.next = new StartError('another error', EXIT.configuration);
  for (let look = 0; look < 3; look++) await streams.reread();
  assert.deepEqual([count(FAILED), streams.metrics.reloads.rejected], [2, 2]);
  assert.deepEqual(sent, []);
  state.next = fileOf('b');
  await streams.reread();
  assert.deepEqual(sent, [2]);
  state.next = new StartError('another error', EXIT.configuration);
  await streams.reread();
  assert.equal(count(FAILED), 3, 'after a success it is new');
});

test('a topic changes between events and dead letters only with a restart, whatever lies between', async () => {
  const { streams, state, sent, count, lines } = rig(fileOf('a', 'b'));
  const isInternal = (file: StreamFile, name: string): StreamFile => ({
    ...file,
    streams: file.streams.map((spec) => ({ ...spec, internal: spec.name === name })),
  });
  state.next = fileOf('a');
  await streams.reread();
  state.next = isInternal(fileOf('a', 'b'), 'b');
  await streams.reread();
  assert.deepEqual(sent, [2], 'the former role counts although no stream had the topic meanwhile');
  assert.equal(count(FAILED), 1);
  assert.match(
    String(lines.at(-1)?.[1].reason),
    /streams\.b\.topic: topic\.b was written by clients/,
  );
  state.next = isInternal(fileOf('a', 'c'), 'c');
  await streams.reread();
  state.next = fileOf('a', 'c');
  await streams.reread();
  assert.deepEqual(sent, [2, 3]);
  assert.match(String(lines.at(-1)?.[1].reason), /topic\.c had dead letters/);
});

test('changed API keys are checked against the streams, although no file of streams changed', async (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] });
  const { streams, state, looks } = rig(fileOf('a'));
  // The checks read files: each takes as long as the machine needs.
  const pollUntil = (done: () => boolean) =>
    until(() => {
      t.mock.timers.tick(LIMITS.filesPollMs);
      return done();
    });
  streams.start();
  await pollUntil(() => looks.length === 1);
  const keys: KeyEntry[] = [];
  state.keys = keys;
  await pollUntil(() => looks.at(-1) === keys);
  streams.stop();
});

test('a changed schema file or candidate file is noticed', async (t) => {
  // Changes of files count once they are a while ago.
  t.mock.timers.enable({
    apis: ['setInterval', 'Date'],
    now: Date.now() + LIMITS.failedFilesPollMs,
  });
  const folder = mkdtempSync(join(tmpdir(), 'forebay-candidate-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const [file, next] = ['schema.json', 'next.json'].map((name) => join(folder, name));
  const source = (path: string) => ({ file: path, text: '{}' });
  for (const path of [file!, next!]) writeFileSync(path, '{}');
  const { streams: specs, ...rest } = fileOf('a');
  const schema = { ...source(file!), mode: 'warn', candidate: source(next!) } as const;
  const { streams, looks } = rig({ ...rest, streams: [{ ...specs[0]!, schema }] });
  const pollUntil = (done: () => boolean) =>
    until(() => {
      t.mock.timers.tick(LIMITS.filesPollMs);
      return done();
    });
  /** Polls until no further look follows. */
  const settled = async () => {
    let [before, same] = [0, 0];
    await pollUntil(() => {
      same = looks.length === before ? same + 1 : 0;
      before = looks.length;
      return before > 0 && same === 5;
    });
    return before;
  };
  streams.start();
  for (const path of [file!, next!]) {
    const before = await settled();
    writeFileSync(path, `{"title":"${path}"}`);
    await pollUntil(() => looks.length > before);
  }
  streams.stop();
});
