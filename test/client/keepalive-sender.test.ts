/**
 * Events sent on page exit, in Chromium, with a gateway and Kafka, while another script of the page
 * uses part of the 64 KiB that browsers allow then.
 */
import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, test } from 'node:test';
import type { Page } from 'playwright-core';
import { type Gateway, startGateway } from '../../testing/gateway.ts';
import { sharedKafka, uniqueTopic } from '../../testing/kafka.ts';
import { KeyFile } from '../../testing/key-file.ts';
import { missingTool } from '../../testing/tools.ts';
import { readTopic } from '../../testing/topic.ts';
import { until } from '../../testing/wait.ts';
import { TestPage } from '../page/browser.ts';
import { Site } from './site.ts';

const skip = missingTool('chromium');
const keys = new KeyFile();
const KIB = 1_024;
let brokers: readonly string[];
let open: Gateway;
let keyed: Gateway;
let site: Site;
let shown: TestPage;
/** Accepts bodies and never responds: their bytes count until then. */
let holder: Server;
const topics = { open: uniqueTopic('leaving'), keyed: uniqueTopic('leaving') };
let held = 0;
let made = 0;

before(async () => {
  if (skip) return;
  ({ brokers } = await sharedKafka());
  site = await new Site().listen();
  const env = { FOREBAY_ORIGINS: site.origin };
  open = await startGateway({ brokers, topic: topics.open, env });
  keys.write('shop');
  const keyEnv = { ...env, FOREBAY_KEYS_FILE: keys.path };
  keyed = await startGateway({ brokers, topic: topics.keyed, env: keyEnv });
  holder = createServer((request) => {
    held++;
    request.resume();
  });
  await new Promise<void>((done) => holder.listen(0, '127.0.0.1', done));
  shown = await TestPage.open();
  // Pages of another origin, and their targets. Served by a server, since Chromium applies no quota
  // to pages that a test intercepts.
  site.files.set('/open', pageOf(open, ''));
  site.files.set('/keyed', pageOf(keyed, keys.token('shop')));
  site.files.set('/next', 'next');
});
after(async () => {
  await shown?.close();
  site?.close();
  holder?.closeAllConnections();
  holder?.close();
  await open?.kill();
  await keyed?.kill();
  keys.remove();
});

/**
 * A page whose client gets no WebSocket: until `app.release()` it keeps connecting, so that no
 * event is sent by an ordinary POST before the page exits, and then each connection fails.
 */
function pageOf({ port }: Gateway, token: string): string {
  const key = token && `, key: '${token}'`;
  const gateway = `http://127.0.0.1:${port}`;
  const other = `http://127.0.0.1:${(holder.address() as AddressInfo).port}/`;
  return `<!doctype html><script type="module">
    import { createClient } from '${gateway}/client.js';
    // In the exit events themselves, before the client: by then Chromium counts no earlier request.
    let kibWhenLeft = 0;
    const useOnce = () => {
      app.use(kibWhenLeft);
      kibWhenLeft = 0;
    };
    addEventListener('pagehide', useOnce, { capture: true });
    addEventListener('visibilitychange', useOnce, { capture: true });
    let connecting = [];
    class NoSocket {
      constructor() {
        if (connecting) connecting.push(this);
        else setTimeout(() => this.fail());
      }
      fail() {
        this.onclose?.({ code: 1006, reason: '' });
      }
      send() {}
      close() {}
    }
    const url = 'ws://127.0.0.1:1/ws';
    const options = { url, webSocket: NoSocket, fallbackUrl: '${gateway}/events'${key} };
    const client = createClient(options);
    window.app = {
      client,
      release() {
        const all = connecting ?? [];
        connecting = undefined;
        for (const socket of all) socket.fail();
      },
      stored: [],
      send(id, bytes) {
        const event = { id, msg: '', clientId: 'page', timestamp: 1 };
        event.msg = 'x'.repeat(Math.max(0, bytes - JSON.stringify(event).length));
        client.send(event).then(() => this.stored.push(id), () => {});
      },
      use(kib) {
        if (kib) fetch('${other}', { method: 'POST', mode: 'no-cors', keepalive: true, body: 'o'.repeat(kib * 1024) }).catch(() => {});
      },
      useWhenLeft(kib) {
        kibWhenLeft = kib;
      },
    };
  </script>`;
}

interface Status {
  readonly waiting: number;
  readonly stored: number;
  readonly unacknowledged: number;
}

interface App {
  readonly client: { readonly status: Status };
  readonly stored: string[];
  release(): void;
  send(id: string, bytes: number): void;
  use(kib: number): void;
  useWhenLeft(kib: number): void;
}
declare const app: App;

async function newPage(way: 'open' | 'keyed'): Promise<Page> {
  const page = await shown.page.context().newPage();
  await page.goto(`${site.origin}/${way}`);
  await page.waitForFunction(() => 'app' in window);
  return page;
}

async function storedIds(way: 'open' | 'keyed', ids: readonly string[]): Promise<string[]> {
  const records = await readTopic({ brokers, topic: topics[way] });
  const wanted = new Set(ids);
  return records
    .map(({ value }) => (JSON.parse(String(value)) as { id: string }).id)
    .filter((id) => wanted.has(id));
}

/** Waits until none of them arrive any longer. */
async function arrived(way: 'open' | 'keyed', ids: readonly string[], atLeast: number) {
  let stored: string[] = [];
  await until(
    async () => {
      stored = await storedIds(way, ids);
      return stored.length >= atLeast;
    },
    { everyMs: 200, what: () => `${atLeast} events of ${ids.length}, got ${stored.length}` },
  );
  return stored;
}

const newIds = (count: number) => Array.from({ length: count }, () => `l${++made}`);

/** Sends events in the page while another script uses its quota, and exits the page. */
async function leave(page: Page, ids: readonly string[], bytes: number, usedKib: number) {
  const before = held;
  await page.evaluate(
    ([all, size, kib]) => {
      app.useWhenLeft(kib);
      for (const id of all) app.send(id, size);
    },
    [ids, bytes, usedKib] as const,
  );
  await page.goto(`${site.origin}/next`);
  if (usedKib > 0) await until(() => held > before, { what: 'the request of the other script' });
  // A browser has few connections per host.
  holder.closeAllConnections();
}

/** Number of events of this size within the quota that the other script leaves. */
const roomFor = (bytes: number, usedKib: number) => ((64 - usedKib) * KIB) / (bytes + 1);

for (const way of ['open', 'keyed'] as const) {
  for (const [count, bytes, usedKib] of [
    [1, 100, 0],
    [1, 100, 40],
    [1, 10_000, 8],
    [58, 1_000, 0],
    [58, 1_000, 8],
    [58, 1_000, 40],
    [58, 1_000, 60],
    [58, 1_000, 64],
    [250, 220, 8],
    [250, 220, 40],
    [250, 1_000, 0],
    [10, 15_000, 8],
  ] as const) {
    test(`pagehide, ${way}: of ${count} events of ${bytes} bytes, those that fit arrive, with ${usedKib} kB used by another script`, {
      skip,
    }, async () => {
      const page = await newPage(way);
      const ids = newIds(count);
      await leave(page, ids, bytes, usedKib);
      const room = roomFor(bytes, usedKib);
      // A request with a key does not report in time whether the browser accepts it.
      const share = way === 'open' ? 0.9 : 0.75;
      const expected = Math.min(count, Math.floor(room * share));
      const stored = await arrived(way, ids, expected);
      assert.equal(new Set(stored).size, stored.length, 'each once');
      assert(
        stored.length <= room,
        `the quota was used by the other script: ${stored.length} of ${room}`,
      );
      if (usedKib === 64) assert.deepEqual(stored, [], 'the quota was used up');
      else if (way === 'open' && expected < count) {
        const late = ids.slice(Math.ceil(room * 1.05));
        const early = stored.filter((id) => !late.includes(id)).length;
        assert(early >= 0.8 * expected, `the oldest first: ${stored}`);
      }
      await page.close();
    });
  }
}

for (const way of ['open', 'keyed'] as const) {
  for (const [count, usedKib] of [
    [1, 0],
    [58, 8],
    [250, 40],
    [58, 64],
  ] as const) {
    test(`hidden, ${way}: ${count} events, with ${usedKib} kB used by another script, are sent at once as far as they fit, the rest later, each once`, {
      skip,
    }, async () => {
      const page = await newPage(way);
      const ids = newIds(count);
      await page.evaluate(
        ([all, kib]) => {
          app.release();
          app.use(kib);
          for (const id of all) app.send(id, 220);
          const state = { value: 'hidden', configurable: true };
          Object.defineProperty(document, 'visibilityState', state);
          document.dispatchEvent(new Event('visibilitychange', { bubbles: true }));
        },
        [ids, usedKib] as const,
      );
      const all = () => page.evaluate(() => app.stored.length);
      await until(async () => (await all()) === count, { everyMs: 100 });
      const stored = await storedIds(way, ids);
      assert.deepEqual([...stored].sort(), [...ids].sort(), 'each once');
      await page.close();
    });
  }
}

test('a restored page sends the events that did not fit, and those of beacons, which report nothing', {
  skip,
}, async () => {
  const page = await newPage('open');
  const ids = newIds(100);
  await page.evaluate((all) => {
    app.useWhenLeft(40);
    for (const id of all) app.send(id, 1_000);
    dispatchEvent(new PageTransitionEvent('pagehide', { persisted: true }));
  }, ids);
  const status = () => page.evaluate(() => app.client.status);
  // The browser rejects a fetch beyond the quota a moment later. Until then part of the quota may
  // be free again, since the beacons have arrived.
  await until(async () => (await status()).waiting >= 30, { what: 'the rejected ones' });
  const { waiting, unacknowledged, stored: answered } = await status();
  assert.equal(waiting + unacknowledged + answered, 100, 'all are held, or stored');
  assert(unacknowledged >= 15, `${unacknowledged} went`);
  await page.evaluate(() => {
    app.release();
    dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }));
  });
  const all = () => page.evaluate(() => app.stored.length);
  await until(async () => (await all()) === 100, { everyMs: 100 });
  const stored = await storedIds('open', ids);
  assert.equal(new Set(stored).size, 100);
  assert(stored.length <= 100 + unacknowledged, 'twice at most what a beacon had');
  await page.close();
});
