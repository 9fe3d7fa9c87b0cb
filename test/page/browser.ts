/** Chromium with the test page, and the page's content. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { type BrowserContext, chromium, type Page } from 'playwright-core';
import { PATIENCE_MS, until } from '../../testing/wait.ts';

const FLAGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  // Responses of tests in the network's place have no address, and count as foreign.
  '--disable-features=LocalNetworkAccessChecks',
];

const EXPECTED =
  /^WebSocket connection to|^Failed to load resource: (net::ERR_|the server .* status of 503 )/;

export class TestPage {
  /**
   * Errors of the browser, except failed connections while there is no gateway, and 503 while it
   * starts or drains.
   */
  readonly complaints: string[] = [];
  readonly page: Page;
  readonly #context: BrowserContext;
  readonly #profile: string;

  constructor(page: Page, context: BrowserContext, profile: string) {
    this.page = page;
    this.#context = context;
    this.#profile = profile;
    page.on('pageerror', (error) => this.complaints.push(error.message));
    page.on('console', (message) => {
      const text = message.text();
      const expected = EXPECTED.test(text);
      if (message.type() === 'error' && !expected) this.complaints.push(text);
    });
  }

  static async open({ colorScheme = 'light' as 'light' | 'dark', width = 900 } = {}) {
    const profile = await mkdtemp(join(tmpdir(), 'forebay-chromium-'));
    const folders = (process.env.PATH ?? '').split(delimiter);
    const executablePath = folders.map((folder) => join(folder, 'chromium')).find(existsSync)!;
    const context = await chromium.launchPersistentContext(profile, {
      executablePath,
      viewport: { width, height: 700 },
      colorScheme,
      args: FLAGS,
      timeout: PATIENCE_MS,
    });
    context.setDefaultTimeout(PATIENCE_MS);
    return new TestPage(await context.newPage(), context, profile);
  }

  async close(): Promise<void> {
    await this.#context.close();
    await rm(this.#profile, { recursive: true, force: true });
  }

  async text(selector: string): Promise<string> {
    return (await this.page.textContent(selector)) ?? '';
  }

  state(): Promise<string> {
    return this.text('#state');
  }

  /** A count by the id of its element. */
  async count(name: string): Promise<number> {
    return Number(await this.text(`#${name}`));
  }

  /** Waits until every generated event is settled. */
  async quiet(): Promise<void> {
    const open = async () => (await this.count('unacknowledged')) + (await this.count('waiting'));
    await until(async () => (await open()) === 0, { what: 'the end of all events' });
  }

  /** Remaining credit shown by the page: frames and bytes. */
  async credit(): Promise<{ frames: number; bytes: number }> {
    const text = await this.text('#credit');
    const [, frames, bytes] = text.match(/^(-?\d+) frames, (-?\d+) bytes$/) ?? [];
    if (frames === undefined) throw new Error(`the credit is '${text}'`);
    return { frames: Number(frames), bytes: Number(bytes) };
  }

  /** Id and result of each event in this state, newest first; of all events without one. */
  rows(state?: string): Promise<{ id: string; outcome: string }[]> {
    const filter = state === undefined ? '' : `[data-state="${state}"]`;
    return this.page.$$eval(`#log li${filter}`, (rows) =>
      rows.map((row) => ({
        id: (row as HTMLElement).dataset.id ?? '',
        outcome: row.lastChild?.textContent ?? '',
      })),
    );
  }

  /** Connection history, newest first, without times. */
  async history(): Promise<string[]> {
    const lines = await this.page.$$eval('#history li', (all) => all.map((li) => li.textContent));
    return lines.map((line) => (line ?? '').replace(/^\d+:\d+:\d+( [AP]M)? /, ''));
  }
}

/**
 * Takes a screenshot of the window into the folder SCREENSHOTS: `make screenshots` copies them for
 * the README.
 */
export async function screenshot(page: Page, name: string): Promise<void> {
  const folder = process.env.SCREENSHOTS ?? join(tmpdir(), 'forebay-screenshots');
  const picture = await page.screenshot({ path: join(folder, `${name}.png`) });
  assert(picture.length > 10_000, 'there is something on it');
}
