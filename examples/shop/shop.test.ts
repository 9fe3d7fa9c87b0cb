/**
 * Browser test of the shop: it clicks, and expects the events of the clicks from `forebay micro`.
 *
 *   make build && node --import tsx --test examples/shop/shop.test.ts
 *
 * CHROMIUM is the path of a Chromium that Playwright has not installed itself.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, beforeEach, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  type APIRequestContext,
  type Browser,
  chromium,
  type Page,
  request,
} from 'playwright-core';

const { FOREBAY_PORT = '9000', FOREBAY_ADMIN_PORT = '9001', CHROMIUM } = process.env;
const GATEWAY = `http://127.0.0.1:${FOREBAY_PORT}`;
const MICRO = `http://127.0.0.1:${FOREBAY_ADMIN_PORT}/micro`;
const START_MS = 60_000;
const TYPES: Record<string, string> = { html: 'text/html', js: 'text/javascript' };

/** Serves the page. */
const server = createServer(async (asked, response) => {
  const name = /^\/(\w+\.(html|js))/.exec(asked.url ?? '');
  if (name === null) {
    response.writeHead(404).end();
    return;
  }
  response.setHeader('Content-Type', TYPES[name[2]!]!);
  response.end(await readFile(new URL(name[1]!, import.meta.url)));
});

let micro: ChildProcess;
let browser: Browser;
let api: APIRequestContext;
let page: Page;

before(async () => {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const env = { ...process.env, FOREBAY_HOST: '127.0.0.1', FOREBAY_PORT, FOREBAY_ADMIN_PORT };
  micro = spawn(process.execPath, ['dist/main.js', 'micro'], {
    env: {
      ...env,
      FOREBAY_STREAMS_FILE: 'examples/shop/streams.yaml',
      // The page is not served by the gateway.
      FOREBAY_ORIGINS: shopUrl(),
    },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  browser = await chromium.launch({
    args: ['--no-sandbox'],
    timeout: START_MS,
    ...(CHROMIUM !== undefined && { executablePath: CHROMIUM }),
  });
  api = await request.newContext();
  const endMs = Date.now() + START_MS;
  const ready = `http://127.0.0.1:${FOREBAY_ADMIN_PORT}/readyz`;
  while (
    !(await api.get(ready).then(
      (answer) => answer.ok(),
      () => false,
    ))
  ) {
    assert(Date.now() < endMs && micro.exitCode === null, 'forebay micro is ready');
    await sleep(100);
  }
});

after(async () => {
  await api?.dispose();
  await browser?.close();
  server.close();
  micro.kill();
  await once(micro, 'exit');
});

beforeEach(async () => {
  assert((await api.post(`${MICRO}/reset`)).ok());
  page = await browser.newPage();
});

function shopUrl(): string {
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** Opens the shop. */
async function open(parameters = ''): Promise<void> {
  await page.goto(`${shopUrl()}/index.html?gateway=${GATEWAY}${parameters}`);
}

/** Waits for events, and fails with the rejections if others arrive. */
async function expectEvents(expected: { stream: string; good: number; bad: number }) {
  const answer = await api.post(`${MICRO}/expect`, { data: { withinMs: 10_000, ...expected } });
  assert(answer.ok(), await answer.text());
}

/** Returns the values of the stored events of a stream. */
async function valuesOf(stream: string): Promise<Record<string, unknown>[]> {
  const answer = await api.get(`${MICRO}/events`, { params: { stream, outcome: 'stored' } });
  const { events } = (await answer.json()) as { events: { value: Record<string, unknown> }[] };
  return events.map(({ value }) => value);
}

test('a purchase sends a view, two products and an order', async () => {
  await open();
  await page.click('text=View shoes');
  await page.click('text=Add shoes');
  await page.click('text=Add socks');
  await page.click('#buy');
  await expectEvents({ stream: 'clicks', good: 3, bad: 0 });
  await expectEvents({ stream: 'orders', good: 1, bad: 0 });
  const clicked = await valuesOf('clicks');
  assert.deepEqual(
    clicked.map(({ type, product }) => `${type} ${product}`),
    ['product_viewed shoes', 'added_to_cart shoes', 'added_to_cart socks'],
  );
  const [order] = await valuesOf('orders');
  assert.deepEqual([order!.products, order!.total], [['shoes', 'socks'], 94.4]);
  assert.equal(order!.session, clicked[0]!.session);
  await page.waitForSelector('#result:text("ordered")');
});

test('the release that sends the total as text is detected before it is published', async () => {
  await open('&release=bad');
  await page.click('text=Add hat');
  await page.click('#buy');
  await expectEvents({ stream: 'clicks', good: 1, bad: 0 });
  await expectEvents({ stream: 'orders', good: 0, bad: 1 });
  await expectEvents({ stream: 'rejected', good: 1, bad: 0 });
  const found = await api.post(`${MICRO}/expect`, { data: { stream: 'orders', good: 1, bad: 0 } });
  assert.equal(found.status(), 417);
  const { rejected } = (await found.json()) as { rejected: { message: string }[] };
  assert.deepEqual(
    rejected.map(({ message }) => message),
    ['/total must be number'],
  );
});
