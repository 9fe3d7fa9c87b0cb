/** The page with a gateway that requires a key. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type Gateway, startGateway } from '../../testing/gateway.ts';
import { sharedKafka, uniqueTopic } from '../../testing/kafka.ts';
import { assertNoSecrets, KeyFile } from '../../testing/key-file.ts';
import { missingTool } from '../../testing/tools.ts';
import { until } from '../../testing/wait.ts';
import { TestPage } from './browser.ts';

const skip = missingTool('chromium');
const keys = new KeyFile();
let gateway: Gateway;
let shown: TestPage;

before(async () => {
  if (skip) return;
  keys.write('page');
  const { brokers } = await sharedKafka();
  const env = { FOREBAY_KEYS_FILE: keys.path };
  gateway = await startGateway({ brokers, topic: uniqueTopic('page-key'), env });
  shown = await TestPage.open();
  await shown.page.goto(`http://127.0.0.1:${gateway.port}/`);
});
after(async () => {
  await shown?.close();
  await gateway?.kill();
  keys.remove();
});

/** Waits until the page requests a key with this text, and enters this one. */
async function give(asked: RegExp, token: string): Promise<void> {
  const form = shown.page.getByLabel(asked);
  await form.waitFor();
  await form.fill(token);
  await form.press('Enter');
}

test('it requests a key, again after a wrong one, and sends with a valid one', {
  skip,
}, async () => {
  await shown.page.getByLabel(/^This gateway requires/).waitFor();
  assert.equal(await shown.page.isVisible('#where'), false, 'only senders learn where events go');
  await shown.page.waitForTimeout(1_500);
  assert.equal(await shown.count('sent'), 0, 'nothing is made that may never leave');
  await give(/^This gateway requires an API key/, keys.token('unknown'));
  await give(/^This key was rejected/, keys.token('page'));
  await until(async () => (await shown.count('stored')) > 0);
  assert.equal(await shown.state(), 'connected');
  assert.equal(await shown.page.isVisible('#key'), false, 'it has what it needs');
  assert.match(await shown.text('#topic'), /^page-key/);
  assert.equal(new URL(shown.page.url()).href, `http://127.0.0.1:${gateway.port}/`);
  await assertNoSecrets(gateway, keys.secrets, [shown.page.url()]);
});

test('an invalid token is not sent: the field names the allowed characters', { skip }, async () => {
  keys.write();
  await give(/^This key was rejected/, 'a key');
  const field = shown.page.locator('#token');
  assert.equal(await field.evaluate((input) => (input as HTMLInputElement).validity.valid), false);
  assert.equal(await field.inputValue(), 'a key', 'the page is still the same');
});
