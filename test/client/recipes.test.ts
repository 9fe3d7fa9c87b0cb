/** The recipes of docs/client.md, verbatim, with a real gateway and Kafka. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { after, before, test } from 'node:test';
import { build } from 'esbuild';
import { type Gateway, startGateway } from '../../testing/gateway.ts';
import { sharedKafka, uniqueTopic } from '../../testing/kafka.ts';
import { missingTool } from '../../testing/tools.ts';
import { readTopic } from '../../testing/topic.ts';
import { until } from '../../testing/wait.ts';
import { allFences } from '../docs/fences.ts';
import { TestPage } from '../page/browser.ts';
import { Site } from './site.ts';

const skip = missingTool('chromium');
const topic = uniqueTopic('recipes');
const recipes = allFences().filter(({ page }) => page === 'docs/client.md');
/** In the project, where `forebay/client` and other packages resolve like in a dependent. */
const folder = mkdtempSync(resolve('dist/client-recipes-'));
let brokers: readonly string[];
let gateway: Gateway;
let site: Site;
let shown: TestPage | undefined;

before(async () => {
  site = await new Site().listen();
  ({ brokers } = await sharedKafka());
  // Long enough to be caught in flight.
  const env = { FOREBAY_ORIGINS: site.origin, KAFKA_LINGER_MS: '100' };
  gateway = await startGateway({ brokers, topic, env });
  if (!skip) shown = await TestPage.open();
});
after(async () => {
  await shown?.close();
  await gateway?.kill();
  site?.close();
  rmSync(folder, { recursive: true });
});

/** The block that contains this text, with the test's addresses. */
function recipe(text: string): string {
  const found = recipes.filter((fence) => fence.text.includes(text));
  assert.equal(found.length, 1, `blocks with ${text}`);
  const { text: code } = found[0]!;
  const here = code
    .replaceAll('wss://events.example.com/ws', gateway.wsUrl)
    .replaceAll('localhost:9000', `127.0.0.1:${gateway.port}`);
  assert.notEqual(here, code, 'it names a gateway');
  return here;
}

/** The files of a block: each begins with a comment that names it. */
function files(code: string): Record<string, string> {
  const parts = code.split(/^\/\/ (.+)\n/m).slice(1);
  return Object.fromEntries(
    parts.flatMap((name, index) => (index % 2 ? [] : [[name, parts[index + 1]!]])),
  );
}

/** Number of events with this message in Kafka. */
async function inKafka(msg: string): Promise<number> {
  const records = await readTopic({ brokers, topic });
  return records.filter(({ value }) => JSON.parse(String(value)).msg === msg).length;
}

async function load(path: string, html: string): Promise<TestPage['page']> {
  site.files.set(path, html);
  await shown!.page.goto(site.origin + path);
  return shown!.page;
}

test('a page without a bundler', { skip }, async () => {
  const page = await load('/', recipe('<title>sending</title>'));
  await until(async () => (await page.title()) === 'stored');
  assert.equal(await inKafka('hello'), 1);
  assert.deepEqual(shown!.complaints, []);
});

test('React: one client for all components, and each click is stored', { skip }, async () => {
  const sources = files(recipe('// Buy.jsx'));
  assert.deepEqual(Object.keys(sources), ['events.js', 'Buy.jsx']);
  const entry = `
    import { StrictMode } from 'react';
    import { createRoot } from 'react-dom/client';
    import { Buy } from './Buy.jsx';
    import { events } from './events.js';
    window.events = events;
    const all = <StrictMode><Buy clientId="ann" /><Buy clientId="bob" /></StrictMode>;
    createRoot(document.getElementById('root')).render(all);`;
  for (const [name, text] of Object.entries({ ...sources, 'main.jsx': entry })) {
    writeFileSync(join(folder, name), text);
  }
  const { outputFiles } = await build({
    entryPoints: [join(folder, 'main.jsx')],
    bundle: true,
    format: 'esm',
    jsx: 'automatic',
    write: false,
  });
  site.files.set('/main.js', outputFiles[0]!.text);
  let sockets = 0;
  const count = () => void sockets++;
  shown!.page.on('websocket', count);
  const page = await load(
    '/react',
    '<div id="root"></div><script type="module" src="main.js"></script>',
  );
  for (const button of await page.getByText('Buy').all()) await button.click();
  await page.getByText('Buy').last().click();
  await until(() => page.evaluate(() => (window as unknown as Shown).events.status.stored === 3));
  shown!.page.off('websocket', count);
  assert.equal(await inKafka('buy'), 3);
  assert.equal(sockets, 1, 'one client');
  assert.deepEqual(shown!.complaints, []);
});

interface Shown {
  readonly events: { readonly status: { readonly stored: number } };
}

test('a service worker woken by a push: the event is stored', { skip }, async () => {
  const { 'sw.js': worker, 'on the page': script } = files(recipe('// sw.js'));
  site.files.set('/sw.js', worker!);
  site.files.set('/client.js', readFileSync('dist/client/client.js', 'utf8'));
  const page = await load('/sw', `<script type="module">${script}</script>`);
  const chromium = await page.context().newCDPSession(page);
  const registrations: string[] = [];
  chromium.on('ServiceWorker.workerRegistrationUpdated', (updated) => {
    registrations.push(...updated.registrations.map(({ registrationId }) => registrationId));
  });
  await page.evaluate(async () => {
    await navigator.serviceWorker.ready;
  });
  let running = '';
  chromium.on('ServiceWorker.workerVersionUpdated', ({ versions }) => {
    running = versions[0]?.runningStatus ?? running;
  });
  await chromium.send('ServiceWorker.enable');
  await until(() => registrations.length > 0 && running === 'running');
  await chromium.send('ServiceWorker.stopAllWorkers');
  await until(() => running === 'stopped');
  const [registrationId = ''] = registrations;
  const push = { origin: site.origin, registrationId, data: 'news' };
  await chromium.send('ServiceWorker.deliverPushMessage', push);
  await until(async () => (await inKafka('pushed')) === 1, { everyMs: 100 });
  assert.deepEqual(shown!.complaints, []);
});

test('a Node.js service stopped while its event is in flight: it is stored', async (t) => {
  const file = join(folder, 'service.mjs');
  writeFileSync(file, `${recipe("process.on('SIGTERM'")}console.log('up');`);
  const service = spawn(process.execPath, [file], { stdio: ['ignore', 'pipe', 'inherit'] });
  t.after(() => service.kill('SIGKILL'));
  await once(service.stdout, 'data');
  const exit = once(service, 'exit');
  service.kill('SIGTERM');
  assert.deepEqual(await exit, [0, null]);
  assert.equal(await inKafka('started'), 1);
});
