/** The page on gateways with a custom schema: it sends valid events, or explains why it cannot. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { type Gateway, startGateway } from '../../testing/gateway.ts';
import { sharedKafka, uniqueTopic } from '../../testing/kafka.ts';
import { missingTool } from '../../testing/tools.ts';
import { readTopic } from '../../testing/topic.ts';
import { until } from '../../testing/wait.ts';
import { untilLogged } from '../../testing/watch.ts';
import { TestPage } from './browser.ts';

const skip = missingTool('chromium');
const folder = mkdtempSync(join(tmpdir(), 'forebay-page-schema-'));
const schemaFile = join(folder, 'schema.json');
const topic = uniqueTopic('page-schema');
let brokers: readonly string[];
let gateway: Gateway;
let shown: TestPage;

const ORDERS = {
  type: 'object',
  required: ['order', 'tenant', 'total'],
  properties: {
    order: { type: 'string', pattern: '^[A-Z]{2}-\\d{6}$' },
    tenant: { type: 'string', minLength: 3 },
    total: { type: 'number', exclusiveMinimum: 0 },
    placed: { type: 'string', format: 'date-time' },
    eventId: { type: 'string' },
  },
  additionalProperties: false,
};
/** No example of this schema is generated: lookaheads are ignored. */
const RIDDLE = {
  type: 'object',
  required: ['word'],
  properties: { word: { type: 'string', pattern: '^(?=.*q)(?=.*w)(?=.*z)[a-z]+$' } },
  additionalProperties: false,
};

before(async () => {
  if (skip) return;
  ({ brokers } = await sharedKafka());
  writeFileSync(schemaFile, JSON.stringify(ORDERS));
  const env = {
    FOREBAY_EVENT_SCHEMA: schemaFile,
    FOREBAY_KEY_FIELD: 'tenant',
    FOREBAY_ID_FIELD: 'eventId',
    FOREBAY_WORKERS: '1',
    FOREBAY_PRESTOP_MS: '8000',
  };
  gateway = await startGateway({ brokers, topic, env });
  shown = await TestPage.open();
  await shown.page.goto(`http://127.0.0.1:${gateway.port}/`);
});
after(async () => {
  await shown?.close();
  await gateway?.kill();
  rmSync(folder, { recursive: true });
});

const untilStored = async (more: number) => {
  const stored = await shown.count('stored');
  await until(async () => (await shown.count('stored')) >= stored + more);
};

/** Replaces the schema, and the workers so that they load it. */
async function setSchema(schema: object): Promise<void> {
  const { length } = gateway.log.filter(({ msg }) => msg === 'rolling restart completed');
  writeFileSync(schemaFile, JSON.stringify(schema));
  gateway.signal('SIGHUP');
  await until(
    () => gateway.log.filter(({ msg }) => msg === 'rolling restart completed').length > length,
  );
}

test('events follow the schema, with key and id in the configured fields', { skip }, async () => {
  await untilStored(3);
  assert.equal(await shown.count('refused'), 0);
  assert.equal(await shown.text('#fields'), 'key: tenant, id: eventId');
  assert.equal(await shown.page.isVisible('#choice'), false, 'without a stream file');
  const records = await readTopic({ brokers, topic });
  const ids = new Set<string>();
  for (const { key, value } of records) {
    const { eventId, tenant, order } = JSON.parse(String(value));
    assert.match(order, /^[A-Z]{2}-\d{6}$/);
    assert.match(tenant, /^page-[0-9a-f]{12}$/);
    assert.equal(String(key), tenant);
    ids.add(eventId.replace(`${tenant}-`, ''));
  }
  assert.deepEqual([...ids].sort(), Array.from(records, (_, index) => String(index + 1)).sort());
  await shown.page.getByRole('button', { name: 'Send', exact: true }).click();
  await until(async () => /^stored after/.test(await shown.text('#own-result')));
});

test('a schema without a generated example: nothing is sent until an own event was stored', {
  skip,
}, async () => {
  await setSchema(RIDDLE);
  await until(async () => /^No automatic events/.test(await shown.text('#automatic')));
  assert.match(await shown.text('#automatic'), /\(\/word must match pattern/);
  await shown.quiet();
  const sent = await shown.count('sent');
  await shown.page.waitForTimeout(2_500);
  assert.equal(await shown.count('sent'), sent);
  assert.equal(await shown.page.isDisabled('text=Send 1,000'), true);
  assert.match(await shown.page.inputValue('#text'), /"word"/, 'one to edit');
  await shown.page.fill('#text', '{"word":"qwz"}');
  await shown.page.getByRole('button', { name: 'Send', exact: true }).click();
  await until(async () => !(await shown.page.isVisible('#automatic')));
  const refused = await shown.count('refused');
  assert(refused <= 3, `${refused} were rejected before the page got the schema`);
  const own = (await readTopic({ brokers, topic })).find(({ value }) =>
    String(value).includes('qwz'),
  );
  assert.deepEqual(JSON.parse(String(own?.value)), { word: 'qwz' }, 'without an id');
});

test('a draining gateway is shown on the page', { skip }, async () => {
  const stopped = gateway.stop();
  await untilLogged(gateway, 'stop requested');
  await until(async () => /^The gateway is stopping/.test(await shown.text('#trouble')));
  assert.equal((await stopped).code, 0);
});

test('the browser reported no error', { skip }, () => {
  assert.deepEqual(shown.complaints, []);
});
