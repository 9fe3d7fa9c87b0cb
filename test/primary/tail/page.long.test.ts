/** The live tail in a real browser and over HTTP, with a real gateway, and with faults. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, type TestContext, test } from 'node:test';
import type { TailEntry } from '../../../src/tail/entry.ts';
import { TAIL_LIMITS } from '../../../src/tail/limits.ts';
import { type Gateway, startGateway } from '../../../testing/gateway.ts';
import { sharedKafka, uniqueTopic } from '../../../testing/kafka.ts';
import { missingTool } from '../../../testing/tools.ts';
import { PATIENCE_MS, until } from '../../../testing/wait.ts';
import { atRest, logged, untilLogged } from '../../../testing/watch.ts';
import { screenshot, TestPage } from '../../page/browser.ts';

const skip = missingTool('chromium');
const TOKEN = 'a secret';
const folder = mkdtempSync(join(tmpdir(), 'forebay-tail-'));
const file = join(folder, 'streams.yaml');
const [clicks, orders, letters] = ['clicks', 'orders', 'letters'].map((name) => uniqueTopic(name));
const STREAMS = `version: 1
routing: { field: type }
streams:
  clicks: { topic: ${clicks}, match: [click], create: {}, key: { field: userId } }
  orders:
    topic: ${orders}
    match: [order]
    create: {}
    schema: { file: order.json }
    key: none
    deadLetter: letters
  letters: { topic: ${letters}, create: {}, internal: true }
`;
const ORDER = {
  type: 'object',
  required: ['type', 'customer', 'items'],
  properties: {
    customer: {
      type: 'object',
      required: ['id'],
      properties: { id: { type: 'string' }, age: { type: 'integer', minimum: 0 } },
    },
    items: {
      type: 'array',
      items: { properties: { price: { type: 'number' }, name: { type: 'string' } } },
    },
  },
};
const BAD_ORDER = {
  type: 'order',
  customer: { age: -1 },
  items: [{ name: 'Shoe', price: 'ten' }],
};
let gateway: Gateway;
let shown: TestPage;
const env = {
  FOREBAY_WORKERS: '2',
  FOREBAY_STREAMS_FILE: file,
  FOREBAY_TAIL: '1',
  FOREBAY_ADMIN_TOKEN: TOKEN,
  FOREBAY_TAIL_REDACT: 'customer.id,userId',
};

before(async () => {
  if (skip) return;
  writeFileSync(file, STREAMS);
  writeFileSync(join(folder, 'order.json'), JSON.stringify(ORDER));
  const { brokers } = await sharedKafka();
  gateway = await startGateway({ brokers, topic: clicks!, env });
  shown = await TestPage.open({ width: 1200 });
});
after(async () => {
  await shown?.close();
  await gateway?.kill();
  rmSync(folder, { recursive: true });
});

function post(event: unknown): Promise<Response> {
  const headers = { 'Content-Type': 'application/json' };
  return fetch(`${gateway.httpUrl}/events`, {
    method: 'POST',
    headers,
    body: JSON.stringify(event),
  });
}

/** Posts events until one arrives in the list: workers learn of a viewer a moment later. */
async function postUntil(event: object, isShown: () => Promise<boolean>): Promise<void> {
  await until(
    async () => {
      await post(event);
      return await isShown();
    },
    { deadlineMs: PATIENCE_MS, what: () => JSON.stringify(event) },
  );
}

const authorized = { headers: { authorization: `Bearer ${TOKEN}` } };

/** A viewer without a browser, until the test ends. */
async function openTail(t: TestContext, query = '') {
  const own = new AbortController();
  t.after(() => own.abort());
  const url = `${gateway.adminUrl}/tail?${query}`;
  const response = await fetch(url, { ...authorized, signal: own.signal });
  const events: [name: string, data: unknown][] = [];
  const read = async () => {
    let text = '';
    for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
      const frames = (text + chunk).split('\n\n');
      text = frames.pop()!;
      for (const frame of frames) {
        const [, name, data] = /^event: (\w+)\ndata: (.*)$/.exec(frame)!;
        events.push([name!, JSON.parse(data!)]);
      }
    }
  };
  const ended = response.ok ? read().catch(() => {}) : Promise.resolve();
  const entries = () =>
    events.filter(([name]) => name === 'event').map(([, data]) => data as TailEntry);
  return { response, events, entries, ended, close: () => own.abort() };
}

const rowTexts = () =>
  shown.page.$$eval('#events summary', (all) => all.map((row) => row.textContent ?? ''));

test('the page asks for the token, and again for a wrong one', { skip }, async () => {
  const { page } = shown;
  const response = await page.goto(`${gateway.adminUrl}/events`);
  assert.match(response?.headers()['content-security-policy'] ?? '', /default-src 'none'/);
  await page.getByLabel('Admin token').fill('wrong');
  await page.keyboard.press('Enter');
  await page.getByLabel('Not accepted. Admin token').fill(TOKEN);
  await page.getByRole('button', { name: 'Open', exact: true }).click();
  await until(async () => (await shown.text('#state')) === 'Receiving events');
  assert.equal(await page.isVisible('#access'), false);
  assert.match(await shown.text('#shows'), /^Hidden fields: customer\.id, userId\.$/);
  assert(!page.url().includes(TOKEN), 'the token is in no address');
  assert.equal(shown.complaints.splice(0).length, 2, 'the browser reports both 401');
});

test('accepted, rejected and dead-lettered events appear, and open to all their violations', {
  skip,
}, async () => {
  const { page } = shown;
  const click = { type: 'click', userId: 'ada', path: '/shoes' };
  // Each may reach the worker that learns last of the viewer.
  const showing = (pattern: RegExp) => async () =>
    (await rowTexts()).some((text) => pattern.test(text));
  await postUntil(click, showing(/accepted/));
  await postUntil(BAD_ORDER, showing(/dead-lettered/));
  await postUntil({ type: 'other' }, showing(/rejected.*unknown_stream/));
  const row = page.locator('summary', { hasText: 'dead-lettered' }).first();
  assert.match((await row.textContent()) ?? '', /orders.*schema: .*anonymous.*HTTP/);
  await row.focus();
  await page.keyboard.press('Enter');
  const detail = page.locator('details[open] pre').first();
  const text = (await detail.textContent()) ?? '';
  assert.match(text, /"customer": \{ {2}← must have required property 'id'/);
  assert.match(text, /"age": -1 {2}← must be >= 0/);
  assert.match(text, /"price": "ten" {2}← must be number/);
  assert.equal(await page.locator('details[open] mark').count(), 3);
  const accepted = page.locator('summary', { hasText: 'accepted' }).last();
  await accepted.click();
  const values = await page.locator('details[open]', { has: accepted }).textContent();
  assert.match(values ?? '', /"userId": string\(3\)/);
  assert.match(values ?? '', /key.?string\(3\)/);
  assert(!(values ?? '').includes('"ada"'), 'hidden fields are hidden in the key as well');
  for (let more = 0; more < 5; more++) await post({ ...click, path: `/shoes/${more}` });
  await until(async () => (await rowTexts()).some((text) => text.includes('accepted')));
  await page.setViewportSize({ width: 1200, height: 900 });
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme });
    await page.evaluate(() => scrollTo(0, 0));
    await screenshot(page, `events-${colorScheme}`);
  }
});

test('filters are part of the address, and apply to what follows', { skip }, async () => {
  const { page } = shown;
  await page.locator('select[name=stream]').selectOption('orders');
  await page.getByLabel('Text in the event').fill('shoe');
  await page.getByRole('button', { name: 'Apply' }).click();
  assert.match(page.url(), /\/events\?stream=orders&text=shoe$/);
  await postUntil(BAD_ORDER, async () => (await rowTexts()).length > 0);
  await post({ type: 'click', userId: 'a' });
  await post({ ...BAD_ORDER, items: [] });
  await postUntil(BAD_ORDER, async () => (await rowTexts()).length > 2);
  assert((await rowTexts()).every((text) => text.includes('orders')));
  await page.reload();
  await until(async () => (await shown.text('#state')) === 'Receiving events');
  assert.equal(
    await page.locator('select[name=stream]').inputValue(),
    'orders',
    'and survive a reload',
  );
  await page.goto(`${gateway.adminUrl}/events?code=nope`);
  await until(async () => /^unknown code "nope"/.test(await shown.text('#state')));
  assert.equal(shown.complaints.splice(0).length, 1, 'the browser reports the 400');
});

test('a pause keeps what follows, and continues with it', { skip }, async () => {
  const { page } = shown;
  await page.goto(`${gateway.adminUrl}/events`);
  const click = { type: 'click', userId: 'b' };
  await postUntil(click, async () => (await rowTexts()).length > 0);
  await page.getByRole('button', { name: 'Pause' }).click();
  const before = (await rowTexts()).length;
  await postUntil(click, async () => /paused, [1-9]/.test(await shown.text('#facts')));
  assert.equal((await rowTexts()).length, before);
  const button = page.getByRole('button', { name: 'Continue' });
  assert.equal(await button.getAttribute('aria-pressed'), 'true');
  await button.click();
  assert((await rowTexts()).length > before);
  await page.getByRole('button', { name: 'Clear' }).click();
  assert.equal((await rowTexts()).length, 0);
});

test('a narrow screen needs no horizontal scrolling, light or dark', { skip }, async () => {
  const { page } = shown;
  await page.setViewportSize({ width: 375, height: 700 });
  await postUntil(BAD_ORDER, async () => (await rowTexts()).some((text) => /dead/.test(text)));
  await page.locator('summary', { hasText: 'dead-lettered' }).first().click();
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
    const wide = await page.evaluate(() => document.documentElement.scrollWidth);
    assert(wide <= 375, `${wide} pixels wide`);
  }
});

test('viewers: the fourth is refused until one leaves; each is logged', { skip }, async (t) => {
  const tails = [await openTail(t)];
  while (tails.at(-1)!.response.ok) tails.push(await openTail(t));
  const refused = tails.pop()!.response;
  assert.equal(tails.length, TAIL_LIMITS.viewers - 1, 'the page is one');
  assert.equal(refused.status, 503);
  assert.equal(refused.headers.get('retry-after'), '5');
  const before = logged(gateway, 'live tail closed').length;
  tails[0]!.close();
  await until(() => logged(gateway, 'live tail closed').length > before);
  assert((await openTail(t)).response.ok);
  const opened = logged(gateway, 'live tail opened').at(-1)!;
  assert.equal(opened.address, '127.0.0.1');
});

test('a viewer sees the events of workers that replaced others, and of streams that were added', {
  skip,
}, async (t) => {
  await shown.page.goto('about:blank');
  await until(() => {
    const count = (msg: string) => logged(gateway, msg).length;
    return count('live tail opened') === count('live tail closed');
  });
  const { events, entries } = await openTail(t, 'outcome=accepted');
  const isSeen = (stream: string, since: number) => async () =>
    entries()
      .slice(since)
      .some((entry) => entry.stream === stream);
  const click = { type: 'click', userId: 'c' };
  await postUntil(click, isSeen('clicks', 0));
  const [victim] = gateway.workers();
  process.kill(victim!, 'SIGKILL');
  await untilLogged(gateway, 'worker died');
  await until(() => events.some(([name]) => name === 'gap'));
  await until(async () => (await fetch(`${gateway.httpUrl}/readyz`)).ok);
  const pids = gateway.workers();
  const restarted = `${gateway.adminUrl}/workers/restart`;
  assert.equal((await fetch(restarted, { method: 'POST', ...authorized })).status, 202);
  await until(
    () => gateway.workers().length === 2 && pids.every((pid) => !gateway.workers().includes(pid)),
  );
  await postUntil(click, isSeen('clicks', entries().length));
  writeFileSync(
    file,
    STREAMS.replace('  orders:', `  views: { topic: ${clicks}, match: [view] }\n  orders:`),
  );
  await untilLogged(gateway, 'streams reloaded');
  await postUntil({ type: 'view' }, isSeen('views', 0));
});

test('a stop ends the tail; no event was lost or counted twice because of it', {
  skip,
}, async (t) => {
  const metrics = await atRest(gateway);
  assert.equal(metrics.value('forebay_events_unaccounted'), 0);
  const { events, ended } = await openTail(t);
  assert.equal((await gateway.stop()).code, 0);
  await ended;
  assert.deepEqual(events.at(-1), ['end', { reason: 'stopping' }]);
  assert.deepEqual(shown.complaints, []);
});
