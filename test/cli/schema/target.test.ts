import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { loadStreamSchema } from '../../../src/cli/schema/schema-source.ts';
import { chooseTarget } from '../../../src/cli/schema/target.ts';
import { StartError } from '../../../src/common/errors.ts';
import { readConfig } from '../../../src/config/config.ts';
import { SchemaCopies } from '../../../src/schema-registry/copies.ts';
import { TestRegistry } from '../../support/schema-registry.ts';

const folder = mkdtempSync(join(tmpdir(), 'forebay-target-'));
const NEEDS_A = { type: 'object', required: ['a'] };
const REGISTERED = {
  subject: 'r-value',
  requested: 'latest',
  version: 2,
  id: 7,
  guid: undefined,
  framing: 'raw',
} as const;
let registry: TestRegistry;
before(async () => {
  registry = await new TestRegistry().listen();
  registry.registerJson('r-value', NEEDS_A);
  writeFileSync(join(folder, 'a.json'), JSON.stringify(NEEDS_A));
  writeFileSync(join(folder, 'broken.json'), '{');
});
after(async () => {
  await registry.close();
  rmSync(folder, { recursive: true });
});

const STREAMS = `
  file: { topic: shared, schema: { file: a.json }, deadLetter: rejected }
  off: { topic: shared, schema: { file: a.json, mode: "off" } }
  none: { topic: other }
  broken: { topic: other, schema: { file: broken.json } }
  registered: { topic: r, schema: { subject: r-value, framing: prefix } }
  absent: { topic: r, schema: { subject: absent-value } }
  rejected: { topic: dead, internal: true }
`;

/** Chooses a stream of {@link STREAMS}, or a topic. */
function choose(chosen: { stream?: string; topic?: string }, env: Record<string, string> = {}) {
  const streamsFile = join(folder, 'streams.yaml');
  writeFileSync(streamsFile, `version: 1\nstreams:${STREAMS}`);
  const { stream, topic } = chosen;
  return chooseTarget(readConfig(env), {
    stream,
    topic,
    streamsFile: stream === undefined ? undefined : streamsFile,
  });
}

test('a stream: its topic, its schema, other streams of the topic and its dead letters', async () => {
  const target = await choose({ stream: 'file' });
  const { stream, topic, current, otherStreams, deadLetters, notes } = target;
  assert.deepEqual([stream, topic, [...otherStreams]], ['file', 'shared', ['off']]);
  assert.deepEqual(deadLetters, { name: 'rejected', topic: 'dead' });
  assert.match(notes.join(), /^shared also has the events of off: those without the header/);
  assert.match(current?.({}) ?? '', /required property 'a'/);
  for (const name of ['off', 'none']) {
    const { current: accepting, deadLetters: no } = await choose({ stream: name });
    assert.deepEqual([accepting?.({}), no], [undefined, undefined], name);
  }
  await assert.rejects(
    choose({ stream: 'rejects' }),
    (error: unknown) =>
      error instanceof StartError && error.exitCode === 2 && /has no stream/.test(error.message),
  );
});

test('a schema in a registry is the current one; without it there is no comparison', async () => {
  const env = {
    FOREBAY_SCHEMA_REGISTRY_URL: registry.url,
    FOREBAY_SCHEMA_REGISTRY_CACHE_DIR: join(folder, 'copies'),
  };
  const { current } = await choose({ stream: 'registered' }, env);
  assert.match(current?.({}) ?? '', /required property 'a'/);
  const rows: [string, Record<string, string>, RegExp][] = [
    ['absent', env, /^no comparison with the current schema: absent-value version latest: /],
    ['registered', {}, /the subject r-value requires FOREBAY_SCHEMA_REGISTRY_URL$/],
    ['broken', {}, /broken\.json is not valid JSON/],
  ];
  for (const [stream, settings, note] of rows) {
    const target = await choose({ stream }, settings);
    assert.equal(target.current, undefined, stream);
    assert(
      target.notes.some((line) => note.test(line)),
      target.notes.join(),
    );
  }
});

test('without the registry the copy is the current one, with a note', async () => {
  const broken = await new TestRegistry().listen();
  broken.state = 'broken';
  const copies = join(folder, 'kept');
  const env = {
    FOREBAY_SCHEMA_REGISTRY_URL: broken.url,
    FOREBAY_SCHEMA_REGISTRY_CACHE_DIR: copies,
  };
  await new SchemaCopies(copies, broken.url).write({
    ...REGISTERED,
    text: JSON.stringify(NEEDS_A),
  });
  try {
    const { current, notes } = await choose({ stream: 'registered' }, env);
    assert.match(current?.({}) ?? '', /required property 'a'/);
    const note = /^current schema: r-value version 2 uses version 2, confirmed 20.*: response 500/m;
    assert.match(notes.join('\n'), note);
  } finally {
    await broken.close();
  }
});

test('an unusable file of credentials: no comparison, and exit code 2 of schema test', async () => {
  const env = {
    FOREBAY_SCHEMA_REGISTRY_URL: registry.url,
    FOREBAY_SCHEMA_REGISTRY_AUTH_FILE: join(folder, 'none'),
  };
  const { current, notes } = await choose({ stream: 'registered' }, env);
  assert.equal(current, undefined);
  assert.match(notes.join('\n'), /^no comparison .* schema: r-value version latest: .*AUTH_FILE/m);
  const source = { file: '', text: '', registered: REGISTERED };
  await assert.rejects(loadStreamSchema(readConfig(env), join(folder, 'streams.yaml'), source), {
    exitCode: 2,
  });
});

test('without a stream file: the topic and the schema of the settings', async () => {
  const builtIn = await choose({}, { KAFKA_TOPIC: 'one' });
  assert.deepEqual([builtIn.stream, builtIn.topic], [undefined, 'one']);
  assert.match(builtIn.current?.({}) ?? '', /required property 'msg'/);
  const own = await choose({ topic: 'two' }, { FOREBAY_EVENT_SCHEMA: join(folder, 'a.json') });
  assert.equal(own.topic, 'two');
  assert.match(own.current?.({}) ?? '', /required property 'a'/);
  const file = { FOREBAY_STREAMS_FILE: join(folder, 'streams.yaml') };
  assert.equal((await choose({ topic: 'two' }, file)).current, undefined);
});
