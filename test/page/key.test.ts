/** The page and its client where a key is needed, and pages of other origins, in a real browser. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { freePorts } from '../../deploy/kafka/ports.ts';
import { type Gateway, startGateway } from '../support/gateway.ts';
import { sharedKafka, uniqueTopic } from '../support/kafka.ts';
import { assertNoSecrets, KeyFile } from '../support/key-file.ts';
import { missingTool } from '../support/tools.ts';
import { readTopic } from '../support/topic.ts';
import { until } from '../support/wait.ts';
import { TestPage } from './browser.ts';

const skip = missingTool('chromium');
const SHOP = 'http://shop.example';
const keys = new KeyFile();
const topic = uniqueTopic('page-key');
let brokers: readonly string[];
let gateway: Gateway;
let shown: TestPage;

before(async () => {
  if (skip) return;
  ({ brokers } = await sharedKafka());
  keys.write('page');
  const [port, adminPort] = await freePorts(2);
  const origins = `http://127.0.0.1:${port},${SHOP}`;
  const env = { FOREBAY_KEYS_FILE: keys.path, FOREBAY_ORIGINS: origins };
  gateway = await startGateway({ brokers, topic, env, ports: [port!, adminPort!] });
  shown = await TestPage.open();
});
after(async () => {
  await shown?.close();
  await gateway?.stop();
  keys.remove();
});

test('with a key the page sends what has waited; the key is kept nowhere', { skip }, async () => {
  const { page } = shown;
  await page.goto(`${gateway.httpUrl}/`);
  await until(async () => (await shown.count('waiting')) >= 2);
  assert.match(await shown.state(), /^connecting/);
  await page.getByLabel('API key, where one is needed').fill(keys.token('page'));
  await page.keyboard.press('Enter');
  await until(async () => (await shown.state()) === 'connected');
  await until(async () => (await shown.count('stored')) >= 2);
  assert.equal((await shown.count('refused')) + (await shown.count('dropped')), 0);
  const kept = await page.evaluate(async () =>
    JSON.stringify([
      document.documentElement.outerHTML,
      [...document.querySelectorAll('input')].map(({ value }) => value),
      location.href,
      document.cookie,
      { ...localStorage },
      { ...sessionStorage },
      await caches.keys(),
      await indexedDB.databases(),
    ]),
  );
  assert(kept.length > 1_000 && !kept.includes(keys.token('page')), 'it is nowhere to be found');
  await page.reload();
  await until(async () => (await shown.count('waiting')) >= 1);
  assert.match(await shown.state(), /^connecting/, 'it went with the page');
});

test('a page of another origin loads the library from the gateway, and sends by it', {
  skip,
}, async () => {
  const { page } = shown;
  const body = `<!doctype html><script type="module">
    import { createClient } from '${gateway.httpUrl}/client.js';
    const client = createClient({ url: '${gateway.wsUrl}', key: '${keys.token('page')}' });
    await client.send({ id: 'of-the-shop', msg: 'x', clientId: 'shop', timestamp: 1 });
    document.title = 'stored';
  </script>`;
  await page.route(`${SHOP}/*`, (route) => route.fulfill({ contentType: 'text/html', body }));
  await page.goto(`${SHOP}/`);
  await until(async () => (await page.title()) === 'stored');
  const records = await readTopic({ brokers, topic });
  assert(
    records.some(({ value }) => String(value).includes('of-the-shop')),
    'Kafka has it',
  );
});

test('no key has got out', { skip }, async () => {
  await assertNoSecrets(gateway, keys.secrets, shown.complaints);
});
