/** The page on a gateway with a stream file: it sends events of the chosen stream. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { type Gateway, startGateway } from '../../testing/gateway.ts';
import { sharedKafka, uniqueTopic } from '../../testing/kafka.ts';
import { KeyFile } from '../../testing/key-file.ts';
import { missingTool } from '../../testing/tools.ts';
import { readTopic } from '../../testing/topic.ts';
import { until } from '../../testing/wait.ts';
import { TestPage } from './browser.ts';

const skip = missingTool('chromium');
const folder = mkdtempSync(join(tmpdir(), 'forebay-page-streams-'));
const keys = new KeyFile();
const [views, orders] = [uniqueTopic('page-views'), uniqueTopic('page-orders')];
const ORDER = {
  type: 'object',
  required: ['order', 'shop'],
  properties: { shop: { type: 'string' }, order: { type: 'object', required: ['id'] } },
};
const file = join(folder, 'streams.yaml');
const STREAMS = `version: 1
routing: { field: type }
streams:
  views: { topic: ${views}, match: [view], create: {}, key: none }
  orders:
    topic: ${orders}
    create: {}
    schema: { file: order.json }
    key: { fields: [shop, order.id] }
    headers: [received, event-id, stream, user-agent]
    idField: meta.id
  elsewhere: { topic: ${views}, origins: ['https://shop.example'] }
  hidden: { topic: ${views} }
`;
let brokers: readonly string[];
let gateway: Gateway;
let shown: TestPage;

before(async () => {
  if (skip) return;
  ({ brokers } = await sharedKafka());
  writeFileSync(join(folder, 'order.json'), JSON.stringify(ORDER));
  writeFileSync(file, STREAMS);
  const streams = ['views', 'orders', 'elsewhere'];
  const entry = { name: 'page', sha256: keys.hash('page'), streams };
  const none = { name: 'none', sha256: keys.hash('none'), streams: [] };
  keys.writeText(JSON.stringify({ keys: [entry, none] }));
  const env = { FOREBAY_STREAMS_FILE: file, FOREBAY_KEYS_FILE: keys.path, FOREBAY_WORKERS: '1' };
  gateway = await startGateway({ brokers, topic: uniqueTopic(), env });
  shown = await TestPage.open();
  await shown.page.goto(`http://127.0.0.1:${gateway.port}/`);
});
after(async () => {
  await shown?.close();
  await gateway?.kill();
  keys.remove();
  rmSync(folder, { recursive: true });
});

const untilStored = (count: number) =>
  until(async () => (await shown.count('stored')) >= count, {
    what: `${count} stored events`,
  });

/** Enters the key of this name, as a user does. */
async function enterKey(name: string): Promise<void> {
  await shown.page.fill('#token', keys.token(name));
  await shown.page.getByRole('button', { name: 'Use key' }).click();
}

test('before a key is entered there is no choice; then the first permitted stream', {
  skip,
}, async () => {
  await shown.page.waitForSelector('#key:not([hidden])');
  assert.equal(await shown.page.isVisible('#choice'), false);
  await enterKey('page');
  await untilStored(2);
  assert.deepEqual(await shown.page.locator('#stream option').allTextContents(), [
    'views',
    'orders',
  ]);
  assert.equal(await shown.page.inputValue('#stream'), 'views');
  assert.equal(await shown.text('#topic'), views);
  assert.equal(await shown.text('#fields'), 'key: none, id: id');
  assert.equal(await shown.count('refused'), 0);
});

test('another stream: its topic, key, and example events; a reload keeps it', {
  skip,
}, async () => {
  await shown.page.selectOption('#stream', 'orders');
  await until(async () => (await shown.text('#topic')) === orders);
  await untilStored(2);
  await shown.page.reload();
  await untilStored(2);
  assert.equal(await shown.page.inputValue('#stream'), 'orders');
  assert.equal(await shown.text('#fields'), 'key: shop, order.id, id: meta.id');
  assert.equal(await shown.count('refused'), 0);
  const records = await readTopic({ brokers, topic: orders });
  assert(records.length >= 4, `${records.length} records`);
  for (const { key, value } of records) {
    const { shop, order, meta } = JSON.parse(String(value));
    assert.equal(String(key), `${shop}|${order.id}`);
    assert.match(meta.id, /^page-[0-9a-f]{12}-\d+$/);
  }
});

test('an event by POST: its record as a table, or the code of its rejection', {
  skip,
}, async () => {
  const { page } = shown;
  const post = page.getByRole('button', { name: 'Send by POST' });
  const table = page.getByRole('table', { name: 'The stored record' });
  await post.click();
  await table.waitFor({ timeout: 30_000 });
  const rows = await table
    .locator('tr')
    .evaluateAll((all) =>
      all.map((row) => Array.from((row as HTMLTableRowElement).cells, (cell) => cell.innerText)),
    );
  const fields = ['stream', 'partition', 'timestamp', 'key'];
  const headers = ['fb-received', 'fb-id', 'fb-stream', 'fb-user-agent'];
  assert.deepEqual(
    rows.map(([name]) => name),
    [...fields, 'Headers', ...headers],
  );
  const value = Object.fromEntries(rows) as Record<string, string>;
  const records = await readTopic({ brokers, topic: orders });
  const record = records.find(({ value: text }) => String(text).includes(`"${value['fb-id']}"`));
  assert(record !== undefined, `no record of ${value['fb-id']}`);
  const { partition, timestamp } = record;
  const time = `${timestamp} (${new Date(timestamp).toISOString()})`;
  assert.equal(await shown.text('#own-result'), `stored in partition ${partition}`);
  assert.deepEqual(
    fields.map((name) => value[name]),
    ['orders', String(partition), time, String(record.key)],
  );
  assert.deepEqual([value['fb-received'], value['fb-stream']], [String(timestamp), 'orders']);
  assert.match(value['fb-user-agent'] ?? '', /Chrome/);
  await table.getByRole('rowheader', { name: 'fb-user-agent' }).waitFor();

  const { width, height } = page.viewportSize()!;
  await page.setViewportSize({ width: 320, height });
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme });
    assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 320);
    const fits = await table.evaluate(({ scrollWidth, clientWidth, parentElement }) => [
      scrollWidth <= clientWidth,
      clientWidth <= parentElement!.clientWidth,
    ]);
    assert.deepEqual(fits, [true, true], colorScheme);
  }
  await page.setViewportSize({ width, height });

  const said = (pattern: RegExp) =>
    until(async () => pattern.test(await shown.text('#own-result')), { what: String(pattern) });
  await page.fill('#text', '{"shop":"de"}');
  await post.click();
  await said(/^refused schema: event 0: must have required property 'order'$/);
  assert.equal(await table.isVisible(), false);
  await page.fill('#text', '{"shop":1}');
  await post.click();
  await said(/^refused schema: must have required property 'order'; \/shop must be string$/);
  await page.fill('#text', '{"shop":');
  await post.click();
  await said(/^not sent: invalid JSON at line 1, column \d+$/);
});

test('credentials for no stream: the page says so', { skip }, async () => {
  const page = await TestPage.open();
  try {
    await page.page.goto(`http://127.0.0.1:${gateway.port}/`);
    await page.page.fill('#token', keys.token('none'));
    await page.page.getByRole('button', { name: 'Use key' }).click();
    await until(async () => /not write to any stream/.test(await page.text('#automatic')));
    assert.equal(await page.count('sent'), 0);
  } finally {
    await page.close();
  }
});

test('without a key: open streams only, and a form for the key of others', { skip }, async () => {
  const page = await TestPage.open();
  try {
    await page.page.goto(`http://127.0.0.1:${gateway.port}/`);
    await page.page.getByLabel(/^This gateway requires an API key/).waitFor();
    writeFileSync(file, `${STREAMS}  anyone: { topic: ${views}, access: open }\n`);
    await until(async () => (await page.count('stored')) >= 1);
    await page.page.getByLabel(/^Without a key, only open streams are available/).waitFor();
    assert.deepEqual(await page.page.locator('#stream option').allTextContents(), ['anyone']);
    assert.equal(await page.page.isVisible('#fields'), true);
    assert.equal(await page.page.isVisible('#place'), false, 'topic and brokers need a key');
    assert.equal(await page.count('refused'), 0);
  } finally {
    await page.close();
  }
});
