/** The client on pages of other origins than the gateway's, each with its own server. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type Gateway, startGateway } from '../../testing/gateway.ts';
import { sharedKafka, uniqueTopic } from '../../testing/kafka.ts';
import { missingTool } from '../../testing/tools.ts';
import { until } from '../../testing/wait.ts';
import { TestPage } from '../page/browser.ts';

const skip = missingTool('chromium');
const ALLOWED = 'http://shop.test';
const FOREIGN = 'http://elsewhere.test';
let gateway: Gateway;
let shown: TestPage;

before(async () => {
  if (skip) return;
  const { brokers } = await sharedKafka();
  const env = { FOREBAY_ORIGINS: ALLOWED };
  gateway = await startGateway({ brokers, topic: uniqueTopic('origins'), env });
  shown = await TestPage.open();
});
after(async () => {
  await shown?.close();
  await gateway?.kill();
});

/** Opens a page as in docs/client.md; its title shows the client's status. */
async function open(origin: string): Promise<void> {
  const at = `127.0.0.1:${gateway.port}`;
  const body = `<!doctype html><script type="module">
    import { createClient } from 'http://${at}/client.js';
    const client = createClient({
      url: 'ws://${at}/ws',
      onStatus: ({ state, problem = 'none', stored }) => {
        document.title = [state, problem, stored].join();
      },
    });
    await client.send({ msg: 'hello', clientId: 'me', timestamp: Date.now() });
  </script>`;
  await shown.page.route(`${origin}/`, (route) =>
    route.fulfill({ contentType: 'text/html', body }),
  );
  await shown.page.goto(`${origin}/`);
}

const titled = (title: RegExp) =>
  until(async () => title.test(await shown.page.title()), { what: `${title}` });

test('a page of a listed origin loads /client.js from the gateway, and sends', {
  skip,
}, async () => {
  await open(ALLOWED);
  await titled(/^open,none,1$/);
  assert.deepEqual(shown.complaints, []);
});

test('a page of another origin loads it too, but is rejected by WebSocket and by POST', {
  skip,
}, async () => {
  await open(FOREIGN);
  await titled(/^connecting,the gateway rejects http:\/\/elsewhere.test .*FOREBAY_ORIGINS.*,0$/);
  assert.match(shown.complaints.join('\n'), /CORS/);
});
