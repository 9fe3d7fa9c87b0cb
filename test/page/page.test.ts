/** The page in a real browser, with a real gateway, verified by `listen --verify`. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { after, before, test } from 'node:test';
import { type Gateway, startGateway } from '../../testing/gateway.ts';
import { sharedKafka, uniqueTopic } from '../../testing/kafka.ts';
import { missingTool } from '../../testing/tools.ts';
import { readTopic } from '../../testing/topic.ts';
import { until } from '../../testing/wait.ts';
import { screenshot, TestPage } from './browser.ts';
import { CutProxy } from './cut-proxy.ts';

const skip = missingTool('chromium');
const topic = uniqueTopic('page');
/** An event is in flight long enough to be caught there. */
const env = { KAFKA_LINGER_MS: '500' };
let gateway: Gateway;
let brokers: readonly string[];
let proxy: CutProxy;
let shown: TestPage;
/** Events stored twice in Kafka: their first ack was lost. */
const repeats = new Set<string>();

before(async () => {
  if (skip) return;
  ({ brokers } = await sharedKafka());
  gateway = await startGateway({ brokers, topic, env });
  proxy = await new CutProxy(gateway.port).listen();
  shown = await TestPage.open();
});
after(async () => {
  await shown?.close();
  proxy?.close();
  await gateway?.kill();
});

async function storedIds(): Promise<string[]> {
  const records = await readTopic({ brokers, topic });
  return records.map(({ value }) => JSON.parse(String(value)).id as string);
}

/** Waits until an event is in flight. @returns its id */
async function onItsWay(): Promise<string> {
  const [row] = await until(async () => {
    const rows = await shown.rows('sent');
    return rows.length > 0 ? rows : undefined;
  });
  return row!.id;
}

/** Waits until this event is acknowledged. @returns its text on the page */
async function acked(id: string): Promise<string> {
  const what = async () => (await shown.rows('stored')).find((row) => row.id === id)?.outcome;
  return until(what, { what: `the ack of ${id}` });
}

/** Numbers of the numbered events in Kafka, each once. */
async function storedNumbers(): Promise<number[]> {
  const numbered = (await storedIds()).flatMap((id) => /^page-[0-9a-f]{12}-(\d+)$/.exec(id) ?? []);
  const numbers = new Set(numbered.filter((text) => /^\d+$/.test(text)).map(Number));
  return [...numbers].sort((a, b) => a - b);
}

const from1To = (last: number) => Array.from({ length: last }, (_, index) => index + 1);

test('one event per second is stored, from number 1, and Kafka has each once', {
  skip,
}, async () => {
  const response = await shown.page.goto(`${proxy.url}/`);
  assert.match(response?.headers()['content-security-policy'] ?? '', /default-src 'none'/);
  await until(async () => (await shown.count('stored')) >= 3);
  assert.equal(await shown.state(), 'connected');
  assert.equal(await shown.count('refused'), 0);
  const texts = await shown.page.$$eval('#log code', (all) => all.map((code) => code.textContent));
  const numbers = texts.map((text) => Number(/"msg":"event (\d+)"/.exec(text ?? '')?.[1]));
  assert.deepEqual(numbers, from1To(numbers.length).reverse());
  assert.equal(await shown.text('#topic'), topic);
  assert.equal(await shown.text('#brokers'), brokers.join(', '));
  assert.equal(await shown.page.isVisible('#trouble'), false);
  const [newest] = await shown.page.$$eval('#log li', (all) => all.map((row) => row.textContent));
  assert.match(newest ?? '', /"msg":"event \d+","clientId":"page-[0-9a-f]{12}","timestamp":\d+,/);
  const rows = await shown.rows('stored');
  for (const { outcome } of rows) assert.match(outcome, /^stored after \d+ ms$/);
  const inKafka = await storedIds();
  for (const { id } of rows) assert.equal(inKafka.filter((other) => other === id).length, 1, id);
  const { frames, bytes } = await shown.credit();
  assert(frames > 0 && frames <= 64 && bytes > 0 && bytes <= 262_144);
});

test('pause stops the events, resume continues them', { skip }, async () => {
  await shown.page.click('text=Pause');
  await shown.quiet();
  const sent = await shown.count('sent');
  await shown.page.waitForTimeout(2_500);
  assert.equal(await shown.count('sent'), sent);
  await shown.page.click('text=Resume');
  await until(async () => (await shown.count('sent')) > sent);
});

test('a worker is killed: unacknowledged events are resent, and stored once unless a worker had read them', {
  skip,
}, async () => {
  for (const worker of gateway.workers()) process.kill(worker, 'SIGSTOP');
  // Events in flight may be in Kafka, with only the ack lost: these are stored twice.
  const early = (await shown.rows('sent')).map((row) => row.id);
  const { id } = await until(async () =>
    (await shown.rows('sent')).find((row) => !early.includes(row.id)),
  );
  for (const worker of gateway.workers()) process.kill(worker, 'SIGKILL');
  await until(async () => (await shown.history()).includes('connecting … (1006 connection lost)'));
  assert.match(await acked(id), /^stored after \d+ ms \(attempt \d\)$/);
  for (const other of early) await acked(other);
  const inKafka = await storedIds();
  const times = (wanted: string) => inKafka.filter((stored) => stored === wanted).length;
  assert.equal(times(id), 1);
  for (const other of early) if (times(other) === 2) repeats.add(other);
});

test('an ack is lost: the event is stored twice, and the second ack is shown', {
  skip,
}, async () => {
  await shown.quiet();
  // A handshake would get no response either.
  await until(async () => (await shown.state()) === 'connected');
  proxy.loseAnswers();
  const id = await onItsWay();
  await until(async () => (await storedIds()).includes(id));
  await shown.page.click('text=Pause');
  const open = (await shown.rows('sent')).map((row) => row.id);
  await until(async () => {
    const inKafka = new Set(await storedIds());
    return open.every((other) => inKafka.has(other));
  });
  proxy.cut();
  for (const other of open) {
    assert.match(await acked(other), /^stored after \d+ ms \(attempt 2\)$/);
    repeats.add(other);
  }
  assert(repeats.has(id));
  await shown.page.click('text=Resume');
});

test('the gateway drains and starts again: shown, and no event is lost', { skip }, async () => {
  await onItsWay();
  const reconnects = await shown.count('reconnects');
  assert.equal((await gateway.stop()).code, 0);
  await until(async () => (await shown.history()).includes('connecting … (1012 restart)'));
  // Until the next gateway is ready: earlier, it would reject events temporarily.
  proxy.down = true;
  const failed = async () => (await shown.state()).includes('Failed to fetch');
  await until(failed, { what: 'a POST that reached no gateway' });
  const waiting = (await shown.rows('waiting')).map(({ id }) => id);
  assert(waiting.length >= 2, `${waiting.length} wait`);
  const again = await shown.count('again');
  const ports = [gateway.port, gateway.adminPort] as const;
  gateway = await startGateway({ brokers, topic, env, ports });
  proxy.down = false;
  await until(async () => (await shown.state()) === 'connected');
  assert((await shown.count('reconnects')) > reconnects, 'a reconnect is counted');
  // Events offered without a gateway were not sent, and are not sent later.
  for (const id of waiting) assert.match(await acked(id), /^stored after \d+ ms$/);
  assert.equal(await shown.count('again'), again);
  const before = await shown.count('stored');
  await until(async () => (await shown.count('stored')) > before + 1);
});

test('finally listen --verify finds the repeats, and no event is missing', {
  skip,
}, async () => {
  await shown.page.click('text=Pause');
  await shown.quiet();
  assert((await shown.count('again')) >= 2);
  const ids = (await shown.rows('stored')).map((row) => row.id);
  assert.equal(ids.length, await shown.count('stored'));
  // A worker that has just started may reject events temporarily, not permanently.
  assert.equal(ids.length, await shown.count('sent'));
  const records = ids.length + repeats.size;
  const { code, out, err } = await listen(['--from', 'beginning', '--count', String(records)]);
  const told = [...err.matchAll(/^forebay: repeat of "([^"]+)" at partition \d+ offset \d+$/gm)];
  assert.deepEqual(new Set(told.map(([, id]) => id)), repeats);
  assert.equal(told.length, repeats.size);
  const distinct = `${records} events, ${ids.length} distinct ids, ${repeats.size} repeats?, 0 `;
  assert.match(err, new RegExp(`^forebay: ${distinct}`, 'm'));
  assert.equal(code, 1);
  const seen = new Set(out.map((line) => JSON.parse(JSON.parse(line).value).id as string));
  assert.deepEqual(seen, new Set(ids));
});

/** Runs `listen --verify --json`. */
async function listen(args: string[]): Promise<{ code: number; out: string[]; err: string }> {
  const child = spawn(process.execPath, ['dist/main.js', 'listen', '--verify', '--json', ...args], {
    env: { ...process.env, KAFKA_BROKERS: brokers.join(','), KAFKA_TOPIC: topic },
  });
  let [out, err] = ['', ''];
  child.stdout.on('data', (data) => {
    out += data;
  });
  child.stderr.on('data', (data) => {
    err += data;
  });
  const code = await new Promise<number>((done) => {
    child.once('close', (exit) => done(exit ?? 1));
  });
  return { code, out: out.split('\n').slice(0, -1), err };
}

test('the user’s own event, by keyboard: stored, or rejected with code and position', {
  skip,
}, async () => {
  const { page } = shown;
  const said = (pattern: RegExp) =>
    until(async () => pattern.test(await shown.text('#own-result')), { what: String(pattern) });
  const write = async (text: string) => {
    await page.getByRole('textbox', { name: 'Send your own event' }).focus();
    await page.keyboard.press('Control+A');
    await page.keyboard.insertText(text);
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
  };
  await page.getByRole('button', { name: 'Send', exact: true }).click();
  await said(/^stored after \d+ ms/);
  await write('{"id":"own-1","msg":"mine","clientId":"me","timestamp":1}');
  await said(/^stored after \d+ ms/);
  assert((await storedIds()).includes('own-1'), 'Kafka has it');
  await write('{"msg":"mine","clientId":"me","timestamp":"now"}');
  await said(/^refused schema: event 0: \/timestamp must be integer$/);
  await write('{"msg":\n  oops}');
  await said(/^not sent: invalid JSON at line 2, column 3$/);
  const at = await page.$eval('#text', (text) => (text as HTMLTextAreaElement).selectionStart);
  assert.equal(at, 10, 'the cursor is where it is wrong');
  await write('[1]');
  await said(/^not sent: an event must be a JSON object$/);
  await write(`{"msg":"${'x'.repeat(70_000)}","clientId":"me","timestamp":1}`);
  await said(/^not sent too_large: \d+ bytes exceed the limit of 65536$/);
});

test('two events with the same id are two rows, each with its own result', { skip }, async () => {
  const { page } = shown;
  await page.fill('#text', '{"id":"twin","msg":"mine","clientId":"me","timestamp":1}');
  const send = page.getByRole('button', { name: 'Send', exact: true });
  await send.click();
  await send.click();
  const twins = async () => (await shown.rows()).filter(({ id }) => id === 'twin');
  await until(async () => (await twins()).every(({ outcome }) => outcome.startsWith('stored')));
  for (const { outcome } of await twins()) assert.match(outcome, /^stored after \d+ ms$/);
  assert.equal((await twins()).length, 2);
});

test('1,000 and 10,000 at once: a progress bar, and finally a summary', { skip }, async () => {
  const { page } = shown;
  const before = (await storedIds()).length;
  for (const count of ['1,000', '10,000']) {
    // Awaited by the page itself: it may be over before a test process that waits for CPU looks.
    const sending = page.waitForFunction(() =>
      document.querySelector('#many-result')?.textContent?.startsWith('sending'),
    );
    await page.getByRole('button', { name: `Send ${count}` }).click();
    await sending;
    const story = new RegExp(
      `^${count} stored in [\\d.]+ s, [\\d,]+ per second; ` +
        'time to ack: half within [\\d,]+ ms, 99% within [\\d,]+ ms$',
    );
    await until(async () => story.test(await shown.text('#many-result')), {
      deadlineMs: 60_000,
      what: `the story of ${count}`,
    });
    const bar = page.getByRole('progressbar', { name: 'Send many' });
    const share = await bar.evaluate((element) => (element as HTMLProgressElement).position);
    assert.equal(share, 1);
  }
  assert.equal((await storedIds()).length, before + 11_000);
});

test('the numbers of sent events have no gap, in any sending order', {
  skip,
}, async () => {
  await shown.page.click('text=Resume');
  const stored = await shown.count('stored');
  await until(async () => (await shown.count('stored')) > stored + 1);
  await shown.page.click('text=Pause');
  await shown.quiet();
  // One of the user's own was rejected by the schema: it was sent, and used up its number.
  const numbers = await storedNumbers();
  const missing = from1To(numbers.at(-1)!).filter((number) => !numbers.includes(number));
  assert.equal(missing.length, await shown.count('refused'), `missing: ${missing}`);
  assert(numbers.length > 11_000);
});

test('the last minute is drawn, with a text alternative', { skip }, async () => {
  const { page } = shown;
  const rates = await page.getByRole('img', { name: /^stored per second, last minute/ });
  assert.match((await rates.getAttribute('aria-label')) ?? '', /now \d+, most [1-9]\d+$/);
  const times = await page.getByRole('img', { name: /^milliseconds to ack, last minute/ });
  assert.match((await times.getAttribute('aria-label')) ?? '', /most [1-9]\d*$/);
  const heights = await page.$$eval('#rates rect', (bars) =>
    bars.map((bar) => Number(bar.getAttribute('height'))),
  );
  assert.equal(heights.length, 60);
  assert.equal(Math.max(...heights), 100);
  assert.match(await shown.text('#took'), /^\d+ ms$/);
});

test('a narrow screen needs no horizontal scrolling, light or dark', { skip }, async () => {
  await shown.page.setViewportSize({ width: 320, height: 600 });
  for (const colorScheme of ['light', 'dark'] as const) {
    await shown.page.emulateMedia({ colorScheme });
    const wide = await shown.page.evaluate(() => document.documentElement.scrollWidth);
    assert(wide <= 320, `${wide} pixels wide`);
  }
});

test('screenshots for the README', { skip }, async () => {
  await shown.page.setViewportSize({ width: 900, height: 900 });
  await shown.page.click('text=Resume');
  await until(async () => (await shown.rows('stored')).length > 3);
  for (const colorScheme of ['light', 'dark'] as const) {
    await shown.page.emulateMedia({ colorScheme });
    await screenshot(shown.page, `page-${colorScheme}`);
  }
});

test('the browser reported no error', { skip }, () => {
  assert.deepEqual(shown.complaints, []);
});
