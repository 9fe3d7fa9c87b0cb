/** Custom event schemas: drafts, errors, changes. */
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { FrameClient } from '../../testing/frame-client.ts';
import { sharedKafka, uniqueTopic } from '../../testing/kafka.ts';
import { openStage, post, type Stage } from '../../testing/stage.ts';
import { failedStart, logged, untilLogged } from '../../testing/watch.ts';

const IGNORED = 'part of the event schema ignored';

let dir: string;
let path: string;
before(async () => {
  dir = await mkdtemp(join(tmpdir(), 'forebay-schema-'));
  path = join(dir, 'schema.json');
});
after(() => rm(dir, { recursive: true, force: true }));

async function withSchema(schema: object, env: Record<string, string> = {}): Promise<Stage> {
  await writeFile(path, JSON.stringify(schema));
  return openStage({ partitions: 1, env: { FOREBAY_EVENT_SCHEMA: path, ...env } });
}

/** By draft: a schema with a keyword of this draft, a valid and an invalid event. */
const DRAFTS: readonly [$schema: string, schema: object, good: object, bad: object, why: string][] =
  [
    [
      'https://json-schema.org/draft-04/schema',
      { properties: { n: { minimum: 5, exclusiveMinimum: true } } },
      { n: 6 },
      { n: 5 },
      '/n must be > 5',
    ],
    [
      'http://json-schema.org/draft-06/schema#',
      { properties: { n: { exclusiveMinimum: 5 }, at: { format: 'date-time' } } },
      { n: 6, at: '2026-01-02T03:04:05Z' },
      { n: 6, at: 'now' },
      '/at must match format "date-time"',
    ],
    [
      'https://json-schema.org/draft-07/schema#',
      { if: { required: ['n'] }, else: { required: ['m'] } },
      { n: 1 },
      {},
      "must have required property 'm'",
    ],
    [
      'https://json-schema.org/draft/2019-09/schema',
      { dependentRequired: { n: ['m'] } },
      { n: 1, m: 1 },
      { n: 1 },
      'must have property m when property n is present',
    ],
    [
      'http://json-schema.org/draft/2020-12/schema#',
      { properties: { l: { prefixItems: [{ enum: ['a', 'b'] }] } } },
      { l: ['a'] },
      { l: ['c'] },
      '/l/0 must be one of "a", "b"',
    ],
  ];

for (const [$schema, schema, good, bad, why] of DRAFTS) {
  test(`${$schema}: valid events are stored, others rejected with the reason`, async (t) => {
    const stage = await withSchema({ $schema, ...schema });
    t.after(() => stage.gateway.kill());
    const events = JSON.stringify([good, bad]);
    const refused = {
      code: 'schema',
      retry: false,
      events: [[1, 1]],
      message: `event 1: ${why}`,
    };
    const { status, body } = await post(stage, events);
    assert.deepEqual([status, body], [207, { accepted: 1, errors: [refused] }]);
    const client = await FrameClient.open(stage.gateway.wsUrl);
    assert.deepEqual(await client.exchange(events), [refused]);
    await client.close();
    assert.deepEqual(await stage.newValues(), [JSON.stringify(good), JSON.stringify(good)]);
    assert.deepEqual(logged(stage.gateway, IGNORED), []);
    assert.equal((await stage.gateway.stop()).code, 0);
    assert.deepEqual(stage.gateway.errors, []);
  });
}

test('an error in the schema is logged once per start and once per rolling restart', async (t) => {
  const stage = await withSchema({ requird: ['msg'] }, { FOREBAY_WORKERS: '2' });
  const { gateway } = stage;
  t.after(() => gateway.kill());
  const problem = (name: string, meant: string) =>
    `FOREBAY_EVENT_SCHEMA: ${path} /${name} is not a keyword of draft-07 and is ignored; ` +
    `did you mean ${meant}?`;
  const found = () => logged(gateway, IGNORED).map((line) => [line.level, line.name, line.problem]);
  const first = ['warn', 'primary', problem('requird', 'required')];
  assert.deepEqual(found(), [first]);
  assert.equal((await post(stage, '{}')).body.accepted, 1);
  await writeFile(path, JSON.stringify({ required: ['n'], tpye: 'object' }));
  assert.equal((await post(stage, '{}')).body.accepted, 1, 'a change waits for a restart');
  const restart = () => fetch(`${gateway.adminUrl}/workers/restart`, { method: 'POST' });
  assert.equal((await restart()).status, 202);
  await untilLogged(gateway, 'rolling restart completed');
  assert.deepEqual(found(), [first, ['warn', 'primary', problem('tpye', 'type')]]);
  const { status, body } = await post(stage, '{}');
  assert.deepEqual([status, body.errors[0]?.code], [400, 'schema']);
  await writeFile(path, '{"type":');
  assert.equal((await restart()).status, 202);
  const aborted = 'rolling restart aborted';
  await untilLogged(gateway, aborted);
  assert.equal((await post(stage, '{"n":1}')).body.accepted, 1, 'the previous schema stays active');
});

test('unusable files: one line each, before any worker starts', async (t) => {
  const [marked, missing] = [join(dir, 'marked.json'), join(dir, 'missing')];
  await writeFile(marked, '\ufeff{}');
  const { brokers } = await sharedKafka();
  const env = {
    FOREBAY_EVENT_SCHEMA: marked,
    FOREBAY_KEYS_FILE: missing,
    FOREBAY_ADMIN_TOKEN_FILE: dir,
    FOREBAY_WORKERS: '3',
  };
  const { code, errors, gateway } = await failedStart(t, { brokers, topic: uniqueTopic(), env });
  assert.equal(code, 2);
  assert.deepEqual(errors, [
    `forebay: FOREBAY_EVENT_SCHEMA: ${marked} begins with a byte order mark (UTF-8): ` +
      'save it as UTF-8 without one',
    `forebay: FOREBAY_ADMIN_TOKEN_FILE: cannot read ${dir}: ` +
      'it is a directory, not a file (EISDIR)',
    `forebay: FOREBAY_KEYS_FILE: cannot read ${missing}: no such file or directory (ENOENT)`,
  ]);
  assert.deepEqual(gateway.log, []);
});
