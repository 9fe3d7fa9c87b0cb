/** The live view in a real browser, with a real gateway under load, and with faults. */
import assert from 'node:assert/strict';
import { after, before, type TestContext, test } from 'node:test';
import { LIMITS } from '../../../src/config/limits.ts';
import type { StreamViolations } from '../../../src/primary/violations.ts';
import { type Gateway, startGateway } from '../../../testing/gateway.ts';
import { Ledger } from '../../../testing/ledger.ts';
import { acknowledgedClients, Load, plainSources } from '../../../testing/load.ts';
import { PlainClient } from '../../../testing/plain-client.ts';
import { openStage } from '../../../testing/stage.ts';
import { missingTool } from '../../../testing/tools.ts';
import { PATIENCE_MS, until } from '../../../testing/wait.ts';
import { atRest, untilLogged } from '../../../testing/watch.ts';
import { screenshot, TestPage } from '../../page/browser.ts';

const skip = missingTool('chromium');
const BAD_EVENTS = 50;
const WIDTH = 1200;
/** Screenshots for the README need more history. */
const PICTURE_MS = process.env.SCREENSHOTS === undefined ? 0 : 45_000;
const env = { FOREBAY_WORKERS: '2' };
let gateway: Gateway;
let place: { brokers: readonly string[]; topic: string };
let shown: TestPage;

before(async () => {
  if (skip) return;
  ({ gateway, ...place } = await openStage({ env }));
  shown = await TestPage.open({ width: WIDTH });
});
after(async () => {
  await shown?.close();
  await gateway?.kill();
});

/** Acknowledged and plain clients, until the test ends. */
async function startLoad(t: TestContext): Promise<() => Promise<unknown>> {
  const ledger = new Ledger();
  const url = gateway.wsUrl;
  const options = { url, ledger, reconnect: true, retryRefused: true };
  const clients = await acknowledgedClients(t, 6, options);
  const plain = await plainSources(t, 2, url, ledger);
  const loads = [
    new Load(t, clients, { eventsPerSecond: 300, eventsPerFrame: 4, prefix: 'a-' }),
    new Load(t, plain, { eventsPerSecond: 100, prefix: 'p-' }),
  ];
  return () => Promise.all(loads.map((load) => load.stop()));
}

/** Value for a name in a list. */
async function figure(list: string, name: string): Promise<string> {
  const entries = await shown.page.$$eval(`#${list} > div`, (all) =>
    all.map((entry) => [entry.firstChild?.textContent, entry.lastChild?.textContent]),
  );
  const found = entries.find(([of]) => of === name);
  assert(found?.[1] !== undefined && found[1] !== null, `${name} is in ${JSON.stringify(entries)}`);
  return found[1];
}

async function count(list: string, name: string): Promise<number> {
  return Number((await figure(list, name)).replaceAll(',', ''));
}

/** Texts of a table's rows. */
function rows(body: string): Promise<string[][]> {
  return shown.page.$$eval(`#${body} tr`, (all) =>
    all.map((row) => [...row.children].map((cell) => cell.textContent ?? '')),
  );
}

function untilSaid(pattern: RegExp, deadlineMs = PATIENCE_MS): Promise<boolean> {
  let summary = '';
  return until(
    async () => {
      summary = await shown.text('#summary');
      return pattern.test(summary);
    },
    { deadlineMs, what: () => `${pattern}, not '${summary}'` },
  );
}

/** Color of the status icon, as computed by the browser. */
function dotColour(): Promise<string> {
  return shown.page.$eval('#summary', (node) => getComputedStyle(node, '::before').color);
}

/** Color of a custom property, in the same form. */
function colourOf(property: string): Promise<string> {
  return shown.page.evaluate((name) => {
    const probe = document.body.appendChild(document.createElement('i'));
    probe.style.setProperty('color', `var(${name})`);
    const { color } = getComputedStyle(probe);
    probe.remove();
    return color;
  }, property);
}

test('without events it says so', { skip }, async () => {
  const response = await shown.page.goto(`${gateway.adminUrl}/`);
  assert.match(response?.headers()['content-security-policy'] ?? '', /default-src 'none'/);
  await untilSaid(/^Ready; no events in the last 10 seconds$/);
  assert.equal(await dotColour(), await colourOf('--dim'), 'it is not green');
  assert.match(await shown.text('#since'), /^since .*, for \d+(\.\d+)? s$/);
  assert.equal(await shown.page.isVisible('#todo'), false);
  const { brokers, topic } = place;
  const about = new RegExp(`^Version \\S+\\. Topic ${topic} on brokers ${brokers.join(', ')}\\.$`);
  assert.match(await shown.text('#about'), about);
  assert.deepEqual(await rows('reasons'), [['none since start']]);
  assert.equal(await figure('cards', 'acknowledged, p99'), '–');
});

test('load, invalid events and a killed worker are shown, and agree with /metrics', {
  skip,
}, async (t) => {
  const stop = await startLoad(t);
  await untilSaid(/^Events are stored$/);
  assert.equal(await dotColour(), await colourOf('--good'));
  await shown.page.waitForTimeout(PICTURE_MS);
  await until(async () => (await count('cards', 'stored per second')) > 100);
  const bad = await new PlainClient({ url: gateway.wsUrl }).open();
  t.after(() => bad.close());
  for (let i = 0; i < BAD_EVENTS; i++) bad.socket.send('{"msg":1}');
  await untilSaid(/invalid ones are rejected: schema$/);
  const [victim] = gateway.workers();
  process.kill(victim!, 'SIGKILL');
  await untilLogged(gateway, 'worker died');
  await untilSaid(/^A worker has died and was replaced/);
  assert.match(await shown.text('#todo'), /^Next step: .*\. Runbook: ForebayWorkerDied$/);
  const since = await shown.text('#since');
  await shown.page.reload();
  await untilSaid(/^A worker has died and was replaced/);
  const begin = (text: string) => text.split(',')[0];
  assert.equal(begin(await shown.text('#since')), begin(since), 'a page that comes later knows it');
  await until(async () => (await rows('workers')).every(([, state]) => state === 'ready'));
  assert.equal(await count('cards', 'workers died in 10 min'), 1);
  await shown.page.setViewportSize({ width: WIDTH, height: 1120 });
  for (const colorScheme of ['light', 'dark'] as const) {
    await shown.page.emulateMedia({ colorScheme });
    await screenshot(shown.page, `live-view-${colorScheme}`);
  }
  await stop();
  const metrics = await atRest(gateway);
  const stored = metrics.value('forebay_events_stored_total');
  await until(async () => (await count('cards', 'stored since start')) === stored);
  const lost = metrics.value('forebay_events_lost_total');
  assert.equal(await count('cards', 'lost in 10 min'), lost);
  assert.equal(await count('cards', 'unaccounted'), 0);
  const refused = (await rows('reasons')).find(([of]) => of === 'refused');
  const meaning = 'schema: the event does not match the schema';
  assert.deepEqual(refused, ['refused', String(BAD_EVENTS), String(BAD_EVENTS), meaning]);
  await until(async () => (await rows('violations'))[0]?.[2] === String(BAD_EVENTS));
  const [[stream, result, , , reason, example] = []] = await rows('violations');
  assert.deepEqual([stream, result], ['default', 'rejected']);
  assert.match(reason!, /^schema: must have required property 'clientId'$/);
  assert.equal(example, '{"msg": integer}');
  const response = await fetch(`${gateway.adminUrl}/violations`);
  const { streams } = (await response.json()) as { streams: readonly StreamViolations[] };
  assert.equal(streams[0]?.events, BAD_EVENTS);
  const lanes = [
    'nothing to send',
    'collecting events',
    'waiting for Kafka’s response',
    'retrying after a failure',
    'checking whether Kafka stored it',
  ];
  const counts = await Promise.all(lanes.map((state) => count('lanes', state)));
  assert.equal(
    counts.reduce((sum, lane) => sum + lane, 0),
    metrics.value('forebay_lanes'),
  );
});

test('the charts have text alternatives, and the keyboard moves the cursor', { skip }, async () => {
  const { page } = shown;
  const chart = (title: string) =>
    page.getByRole('img', { name: new RegExp(`^${title}, last 10`) });
  const events = (await chart('Events per second').getAttribute('aria-label')) ?? '';
  assert.match(events, /: received now [\d,.]+, most [\d,.]+; stored now [\d,.]+, most [\d,.]+$/);
  const refusals = (await chart('Not stored per second').getAttribute('aria-label')) ?? '';
  assert.match(refusals, /refused now 0, most [1-9]/);
  const took = (await chart('Time to acknowledge').getAttribute('aria-label')) ?? '';
  assert.match(took, /p99 now \S+( m?s)?, most [\d.]+ m?s$/);
  const lines = await page.$$eval('#charts .plot .line', (all) =>
    all.map((path) => path.getAttribute('d')?.length ?? 0),
  );
  assert(lines.length === 10 && lines.every((length) => length > 20), `drawn: ${lines}`);
  const slider = page.getByRole('slider', { name: 'Look back' });
  await slider.focus();
  for (let i = 0; i < 3; i++) await page.keyboard.press('ArrowLeft');
  const told = (await slider.getAttribute('aria-valuetext')) ?? '';
  assert.match(
    told,
    /^3 s ago\. Events per second: received [\d,.–]+, stored [\d,.–]+\. Not stored/,
  );
  assert.equal(await shown.text('#when'), '3 s ago');
  await page.keyboard.press('End');
  assert.equal(await shown.text('#when'), 'now');
});

test('a narrow screen needs no horizontal scrolling, light or dark', { skip }, async () => {
  await shown.page.setViewportSize({ width: 320, height: 700 });
  for (const colorScheme of ['light', 'dark'] as const) {
    await shown.page.emulateMedia({ colorScheme });
    const wide = await shown.page.evaluate(() => document.documentElement.scrollWidth);
    assert(wide <= 320, `${wide} pixels wide`);
  }
});

test('the runbook link leads to its section, served by the instance itself', {
  skip,
}, async () => {
  const { page } = shown;
  const [victim] = gateway.workers();
  process.kill(victim!, 'SIGKILL');
  await untilSaid(/^(A worker has died|Workers not ready|Not ready)/);
  await untilSaid(/^A worker has died and was replaced/);
  await page.getByRole('link', { name: 'Runbook: ForebayWorkerDied' }).click();
  await page.waitForURL(/\/runbook#forebayworkerdied$/);
  assert.equal(await page.textContent(':target'), 'ForebayWorkerDied');
  const wide = await page.evaluate(() => document.documentElement.scrollWidth);
  assert(wide <= 320, `${wide} pixels wide`);
  await page.getByRole('link', { name: 'Live view', exact: true }).click();
  await until(async () => (await count('cards', 'workers died in 10 min')) === 2);
});

test('a page opened later shows the history', { skip }, async () => {
  const before = await count('cards', 'stored since start');
  await shown.page.reload();
  await until(async () => (await count('cards', 'stored since start')) === before);
  assert.equal(await count('cards', 'workers died in 10 min'), 2);
});

/** Takes the remaining viewer slots, until `signal` releases them. */
async function takePlaces(signal: AbortSignal): Promise<readonly Response[]> {
  const taken: Response[] = [];
  for (;;) {
    const response = await fetch(`${gateway.adminUrl}/live`, { signal });
    if (!response.ok) return taken;
    taken.push(response);
  }
}

test('a hidden page releases its slot, and reconnects later', { skip }, async () => {
  const seen = (hidden: boolean) =>
    shown.page.evaluate((value) => {
      Object.defineProperty(document, 'hidden', { value, configurable: true });
      document.dispatchEvent(new Event('visibilitychange'));
    }, hidden);
  const others = new AbortController();
  // A response without references is ended, and its slot is free again.
  const taken = [await takePlaces(others.signal)];
  assert.equal(taken[0]?.length, LIMITS.liveView.viewers - 1, 'the page has one');
  await seen(true);
  const place = async () => {
    taken.push(await takePlaces(others.signal));
    return taken.at(-1)?.length === 1;
  };
  await until(place, { what: 'its place' });
  await seen(false);
  await untilSaid(/^This page receives no data; retrying$/);
  others.abort();
  await untilSaid(/^(?!.*retrying)/);
  assert.equal(taken.flat().length, LIMITS.liveView.viewers);
});

test('a restart of the instance is shown, and followed by its data', { skip }, async () => {
  assert.equal((await gateway.stop()).code, 0);
  await untilSaid(/^This instance cannot be reached; retrying$/);
  assert.match(await shown.text('#since'), /^since /);
  assert.match(await shown.text('#todo'), /ForebayDown in docs\/operations\.md/);
  assert.equal(await shown.page.isVisible('#runbook'), false, 'it is not served either');
  const ports = [gateway.port, gateway.adminPort] as const;
  gateway = await startGateway({ ...place, env, ports });
  await untilSaid(/^Ready; no events in the last 10 seconds$/);
  assert.equal(await count('cards', 'stored since start'), 0);
});

test('the browser reported no error', { skip }, () => {
  assert.deepEqual(shown.complaints, []);
});
