import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { after, before, test } from 'node:test';
import { type BrowserContext, chromium, type Page } from 'playwright-core';
import { type Gateway, startGateway } from '../support/gateway.ts';
import { sharedKafka, uniqueTopic } from '../support/kafka.ts';
import { missingTool } from '../support/tools.ts';
import { readTopic } from '../support/topic.ts';
import { until } from '../support/wait.ts';

const skip = missingTool('chromium');
const topic = uniqueTopic('page');
/** What the browser complained of, beside connections that fail while there is no gateway. */
const complaints: string[] = [];
let gateway: Gateway;
let brokers: readonly string[];
let profile: string;
let browser: BrowserContext;
let page: Page;

before(async () => {
  if (skip) return;
  ({ brokers } = await sharedKafka());
  gateway = await startGateway({ brokers, topic });
  profile = await mkdtemp(join(tmpdir(), 'forebay-chromium-'));
  browser = await chromium.launchPersistentContext(profile, {
    executablePath: chromiumPath(),
    viewport: { width: 900, height: 700 },
    args: [
      '--headless',
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
  page = await browser.newPage();
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('console', (message) => {
    const text = message.text();
    if (message.type() === 'error' && !/WebSocket connection to/.test(text)) complaints.push(text);
  });
});

after(async () => {
  await browser?.close();
  await gateway?.kill();
  if (profile !== undefined) await rm(profile, { recursive: true, force: true });
});

function chromiumPath(): string {
  const folders = (process.env.PATH ?? '').split(delimiter);
  return folders.map((folder) => join(folder, 'chromium')).find((path) => existsSync(path))!;
}

const text = async (selector: string) => (await page.textContent(selector)) ?? '';
const count = async (name: string) => Number(await text(`#${name}`));
const ids = (state: string) =>
  page.$$eval(`#log li[data-state="${state}"]`, (rows) =>
    rows.map((row) => (row as HTMLElement).dataset.id ?? ''),
  );

async function storedIds(): Promise<string[]> {
  const records = await readTopic({ brokers, topic });
  return records.map(({ value }) => JSON.parse(String(value)).id as string);
}

test('logs an event per second as stored, and Kafka has each once', { skip }, async () => {
  const response = await page.goto(`${gateway.httpUrl}/`);
  assert.match(response?.headers()['content-security-policy'] ?? '', /default-src 'none'/);
  await until(async () => (await count('stored')) >= 3);
  assert.equal(await text('#state'), 'connected');
  assert.equal(await count('refused'), 0);
  const [newest] = await page.$$eval('#log li', (rows) => rows.map((row) => row.textContent ?? ''));
  assert.match(newest ?? '', /"msg":"event \d+","clientId":"page-[0-9a-f]{12}","timestamp":\d+,/);
  const rows = await page.$$eval('#log li[data-state="stored"] .outcome', (all) =>
    all.map((outcome) => outcome.textContent ?? ''),
  );
  for (const row of rows) assert.match(row, /^stored after \d+ ms$/);
  const shown = await ids('stored');
  const inKafka = await storedIds();
  for (const id of shown) assert.equal(inKafka.filter((other) => other === id).length, 1, id);
});

test('pause stops the events, resume lets them go on', { skip }, async () => {
  await page.click('text=Pause');
  await until(async () => (await count('open')) === 0);
  const sent = await count('sent');
  await page.waitForTimeout(2_500);
  assert.equal(await count('sent'), sent);
  await page.click('text=Resume');
  await until(async () => (await count('sent')) > sent);
});

test('says that the connection is lost, comes back and loses no event', { skip }, async () => {
  await gateway.stop();
  await until(async () => /connection lost/.test(await text('#state')));
  await until(async () => (await ids('waiting')).length >= 2);
  const ports = [gateway.port, gateway.adminPort] as const;
  gateway = await startGateway({ brokers, topic, ports });
  await until(async () => (await text('#state')) === 'connected', { deadlineMs: 20_000 });
  const before = await count('stored');
  await until(async () => (await count('stored')) > before + 1);
  await page.click('text=Pause');
  await until(async () => (await count('open')) === 0);
  assert.equal(await count('refused'), 0);
  const shown = await ids('stored');
  assert.equal(shown.length, await count('stored'));
  const inKafka = new Set(await storedIds());
  for (const id of shown) assert(inKafka.has(id), `${id} is shown as stored`);
});

test('a narrow screen needs no scrolling sideways, light or dark', { skip }, async () => {
  await page.setViewportSize({ width: 320, height: 600 });
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme });
    const wide = await page.evaluate(() => document.documentElement.scrollWidth);
    assert(wide <= 320, `${wide} pixels wide`);
  }
});

test('the browser had nothing to complain of', { skip }, () => {
  assert.deepEqual(complaints, []);
});
