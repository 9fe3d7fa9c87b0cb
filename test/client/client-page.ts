/**
 * A third-party page that uses the client: a strict Content-Security-Policy, no bundler,
 * `/client.js` from the gateway. It records the result of each event in `window.told`.
 */
import type { Page } from 'playwright-core';
import type { Status } from '../../src/client/client.ts';
import { until } from '../../testing/wait.ts';
import { TestPage } from '../page/browser.ts';

const CSP =
  "default-src 'none'; script-src 'self'; connect-src 'self'; worker-src 'self'; base-uri 'none'";
const HTML = '<!doctype html><title>app</title><script type="module" src="/app.js"></script>';
/** In the page and in a worker; a worker only has a `location` of its own. */
const APP = `
  import { createClient } from '/client.js';
  const told = {};
  const url = new URL('/ws', self.location.href.replace(/^http/, 'ws')).href;
  const client = createClient({ url });
  const send = (id, fields) => {
    told[id] = 'open';
    client.send({ id, msg: 'x', clientId: 'app', timestamp: Date.now(), ...fields }).then(
      () => { told[id] = 'stored'; },
      ({ code }) => { told[id] = code; });
  };
  Object.assign(self, { app: { client, told, send } });
  self.onmessage = ({ data }) => {
    if (data === 'told') self.postMessage(told);
    else send(data);
  };`;

interface App {
  readonly client: { readonly status: Status };
  readonly told: Record<string, string>;
  send(id: string, fields?: object): void;
}
declare const app: App;

export class ClientPage {
  readonly shown: TestPage;
  readonly #url: string;

  constructor(shown: TestPage, url: string) {
    this.shown = shown;
    this.#url = url;
  }

  /** @param url of the gateway, or of a proxy before it */
  static async open(url: string): Promise<ClientPage> {
    const made = new ClientPage(await TestPage.open(), url);
    await made.load(made.shown.page);
    return made;
  }

  /** The page, or another tab of the same browser. */
  async load(page: Page): Promise<void> {
    const files = { '/app': ['text/html', HTML], '/app.js': ['text/javascript', APP] } as const;
    for (const [path, [contentType, body]] of Object.entries(files)) {
      const headers = { 'Content-Security-Policy': CSP };
      await page.route(`**${path}`, (route) => route.fulfill({ contentType, body, headers }));
    }
    await page.goto(`${this.#url}/app`);
  }

  get page(): Page {
    return this.shown.page;
  }

  async send(ids: readonly string[], fields: object = {}): Promise<void> {
    await this.page.evaluate(
      ([all, more]) => {
        for (const id of all) app.send(id, more);
      },
      [ids, fields] as const,
    );
  }

  status(): Promise<Status> {
    return this.page.evaluate(() => app.client.status);
  }

  told(): Promise<Record<string, string>> {
    return this.page.evaluate(() => app.told);
  }

  /** Waits until each of these is reported as stored. */
  async stored(ids: readonly string[], deadlineMs = 20_000): Promise<void> {
    const all = async () => {
      const told = await this.told();
      return ids.every((id) => told[id] === 'stored');
    };
    await until(all, { deadlineMs, everyMs: 50, what: `the acks of ${ids.length} events` });
  }

  close(): Promise<void> {
    return this.shown.close();
  }
}
