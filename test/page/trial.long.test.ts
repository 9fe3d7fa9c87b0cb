/** "Try an event" on the test page, with a real gateway: verdicts, and nothing is stored. */
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
import { screenshot, TestPage } from './browser.ts';

const skip = missingTool('chromium');
const folder = mkdtempSync(join(tmpdir(), 'forebay-trial-'));
const [clicks, orders] = [uniqueTopic('trial-clicks'), uniqueTopic('trial-orders')];
const CLICK = { required: ['type', 'x'], properties: { x: { type: 'integer' } } };
const ORDER = { properties: { total: { type: 'number' } } };
const STREAMS = `version: 1
routing: { field: type }
streams:
  clicks:
    topic: ${clicks}
    match: [click]
    schema: { file: click.json }
    key: { field: id }
    create: {}
  orders:
    topic: ${orders}
    match: [order]
    schema: { file: order.json, mode: warn }
    create: {}
  elsewhere: { topic: ${clicks}, origins: ['https://shop.example'] }
`;
let brokers: readonly string[];
let gateway: Gateway;
let shown: TestPage;

before(async () => {
  if (skip) return;
  ({ brokers } = await sharedKafka());
  writeFileSync(join(folder, 'click.json'), JSON.stringify(CLICK));
  writeFileSync(join(folder, 'order.json'), JSON.stringify(ORDER));
  const file = join(folder, 'streams.yaml');
  writeFileSync(file, STREAMS);
  const env = { FOREBAY_STREAMS_FILE: file, FOREBAY_WORKERS: '1' };
  gateway = await startGateway({ brokers, topic: uniqueTopic(), env });
  shown = await TestPage.open({ width: 375 });
  await shown.page.goto(`http://127.0.0.1:${gateway.port}/`);
  await shown.page.waitForSelector('#trial-choice:not([hidden])');
  await shown.page.getByRole('button', { name: 'Pause' }).click();
});
after(async () => {
  await shown?.close();
  await gateway?.kill();
  rmSync(folder, { recursive: true });
});

/** Tries a text, again while the budget for explanations is spent. @returns result and verdicts */
async function verdicts(text: string, stream: string, hasMarks = false) {
  const { page } = shown;
  await page.getByLabel('Try an event').fill(text);
  await page.selectOption('#trial-stream', stream);
  return until(async () => {
    const [response] = await Promise.all([
      page.waitForResponse(/dryRun=1/),
      page.getByRole('button', { name: 'Try' }).click(),
    ]);
    await response.finished();
    const items = page.getByRole('list', { name: 'Verdicts' }).locator('> li > p:first-child');
    const marks = await page.locator('#trial-events mark').allTextContents();
    if (hasMarks && marks.length === 0) return undefined;
    const why = await page.locator('#trial-events .why').allTextContents();
    const result = await page.textContent('#trial-result');
    return { result, items: await items.allTextContents(), marks, why };
  });
}

test('the streams are those that this page may write to, and the choice by fields', {
  skip,
}, async () => {
  const options = await shown.page.locator('#trial-stream option').allTextContents();
  assert.deepEqual(options, ['by its fields', 'clicks', 'orders']);
});

test('an accepted event: the record that it would become', { skip }, async () => {
  const { page } = shown;
  const { result, items } = await verdicts('{"type":"click","x":1,"id":"till-7"}', '');
  assert.equal(result, '1 would be stored; nothing was stored');
  assert.deepEqual(items, ['accepted']);
  const table = page.getByRole('table', { name: 'The record it would become' });
  const text = (await table.textContent()) ?? '';
  assert.match(
    text,
    /^The record it would becomestreamclickspartition\d+timestamp\d+ \(20.*keytill-7/,
  );
});

test('a rejected event: every violation is marked at its value', { skip }, async () => {
  const { result, items, marks, why } = await verdicts('{"x":"left"}', 'clicks', true);
  assert.equal(result, '1 would be rejected; nothing was stored');
  assert.deepEqual(items, ['rejected schema']);
  assert.deepEqual(marks, ['{', '"x": "left"']);
  assert.deepEqual(why, ["  ← must have required property 'type'", '  ← must be integer']);
});

test('several events: a verdict of each, also of those accepted in spite of violations', {
  skip,
}, async () => {
  const lines = '{"type":"order","total":"1"}\n{"type":"click","x":1}\n{"type":"tap"}';
  const { result, items, marks } = await verdicts(lines, '', true);
  assert.equal(result, '2 would be stored, 1 would be rejected; nothing was stored');
  assert.deepEqual(items.slice(0, 2), [
    'Event 0: accepted, although it violates the schema',
    'Event 1: accepted',
  ]);
  assert.match(items[2]!, /^Event 2: rejected unknown_stream: /);
  assert.deepEqual(marks, ['"total": "1"']);
  assert.match((await shown.text('#trial-events')) ?? '', /any, since there is no key/);
});

test('screenshots for the docs, light and dark', { skip }, async () => {
  const { page } = shown;
  const size = page.viewportSize()!;
  await page.setViewportSize({ width: 900, height: 700 });
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme });
    await page.locator('#trial').evaluate((form) => form.scrollIntoView());
    await screenshot(page, `trial-${colorScheme}`);
  }
  await page.setViewportSize(size);
});

test('texts of an event are shown as texts', { skip }, async () => {
  const html = '<img src=x onerror=alert(1)>';
  const { marks } = await verdicts(JSON.stringify({ type: 'click', x: html }), '', true);
  assert.deepEqual(marks, [`"x": "${html}"`]);
});

test('invalid JSON: its place, selected in the text', { skip }, async () => {
  const { page } = shown;
  await page.getByLabel('Try an event').fill('{"x": 1,\n "y": nul}');
  await page.getByRole('button', { name: 'Try' }).click();
  assert.equal(await page.textContent('#trial-result'), 'invalid JSON at line 2, column 7');
  assert.equal(await page.evaluate(() => String(getSelection())), 'n');
  assert.deepEqual(await page.locator('#trial-events li').count(), 0);
});

test('a page of 375 pixels needs no scrolling to the side', { skip }, async () => {
  const width = await shown.page.evaluate(() => document.documentElement.scrollWidth);
  assert.equal(width, 375);
});

test('no event of a trial is in Kafka, and the browser has no complaints', { skip }, async () => {
  const records = [
    ...(await readTopic({ brokers, topic: clicks })),
    ...(await readTopic({ brokers, topic: orders })),
  ];
  const isTrial = (value: unknown) => /till-7|onerror|"total":"1"/.test(String(value));
  assert.deepEqual(
    records.filter(({ value }) => isTrial(value)),
    [],
  );
  const isRejection = (text: string) => text.endsWith('status of 400 (Bad Request)');
  assert.deepEqual(
    shown.complaints.filter((text) => !isRejection(text)),
    [],
  );
});
